//! The version of an object that a requester has seen.

use crate::image::Image;
use crate::key::Key;
use crate::refusal::Refusal;

/// Refuses unless the key's last commit is the expected one; 0 means that it must
/// be absent, nothing that any will do.
pub(super) fn check(image: &Image, key: &Key, expected: Option<u64>) -> Result<(), Refusal> {
    let number = image.number_of(&key.to_string());
    let message = match (expected, number) {
        (None, _) => return Ok(()),
        (Some(expected), number) if expected == number => return Ok(()),
        (Some(0), _) => "the object exists already; leave If-None-Match out to change it".into(),
        (Some(_), 0) => "the object does not exist; leave If-Match out to create it".into(),
        (Some(expected), number) => format!(
            "the object has changed since version {expected}, to version {number}; read it again"
        ),
    };
    Err(Refusal::precondition(message))
}
