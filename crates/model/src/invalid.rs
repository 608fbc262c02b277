//! What is wrong with an object.

use thiserror::Error;

use crate::inspect::ApiError;

/// A field that cannot be accepted. The message quotes the value and says what would be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field}: {message}")]
pub struct Invalid {
    /// The field's JSON name, or `key` for the key in the URL.
    pub field: &'static str,
    pub message: String,
}

impl Invalid {
    /// A refusal of this field.
    pub fn new(field: &'static str, message: impl Into<String>) -> Invalid {
        Invalid {
            field,
            message: message.into(),
        }
    }
}

impl From<Invalid> for ApiError {
    fn from(invalid: Invalid) -> ApiError {
        ApiError {
            error: invalid.to_string(),
            field: invalid.field.to_owned(),
        }
    }
}
