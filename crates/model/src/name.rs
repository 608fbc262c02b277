//! Names of objects.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

use serde::Serialize;

use crate::invalid::Invalid;

/// The longest name of an object.
const LONGEST_NAME: usize = 64;
/// The longest tag that users choose.
const LONGEST_TAG: usize = 128;

/// A name in the grammar of all of Contiv's: labels of letters and digits, joined by
/// dots; hyphens inside of labels. Upper and lower case are different names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Name(String);

impl Name {
    /// The name that a field must have.
    pub fn required(field: &'static str, text: &str) -> Result<Name, Invalid> {
        if text.is_empty() {
            return Err(Invalid::new(field, "is empty; give a name"));
        }
        Name::within(field, text, LONGEST_NAME)
    }

    /// The name that a field may have.
    pub fn optional(field: &'static str, text: &str) -> Result<Option<Name>, Invalid> {
        match text {
            "" => Ok(None),
            text => Name::required(field, text).map(Some),
        }
    }

    /// A tag that users choose: a name, only longer.
    pub(crate) fn tag(field: &'static str, text: &str) -> Result<Option<Name>, Invalid> {
        match text {
            "" => Ok(None),
            text => Name::within(field, text, LONGEST_TAG).map(Some),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn within(field: &'static str, text: &str, longest: usize) -> Result<Name, Invalid> {
        if text.len() > longest {
            let length = text.len();
            return Err(Invalid::new(
                field,
                format!("{text:?} has {length} characters; {longest} are the most"),
            ));
        }
        if !text.split('.').all(is_label) {
            return Err(Invalid::new(
                field,
                format!(
                    "{text:?} is not a name; use letters and digits, with hyphens and dots \
                     between them"
                ),
            ));
        }
        Ok(Name(text.to_owned()))
    }
}

fn is_label(label: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    match label.as_bytes() {
        [] => false,
        [only] => only.is_ascii_alphanumeric(),
        [first, middle @ .., last] => {
            first.is_ascii_alphanumeric()
                && last.is_ascii_alphanumeric()
                && middle.iter().copied().all(inner)
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_labels_of_letters_and_digits() {
        for good in [
            "a",
            "7",
            "contiv-valid",
            "tenant-valid",
            "io.contiv.network.test",
            "A-b.C--d.9",
            &"x".repeat(64),
        ] {
            assert_eq!(Name::required("tenantName", good).unwrap(), good);
        }
    }

    #[test]
    fn everything_else_is_refused_with_the_field_and_the_value() {
        for bad in [
            "-invalid", "invalid-", "a..b", ".a", "a.", "a.-b", "a_b", "a:b", "a|b", "a\\b", "a#b",
            "a@b", "a!b", "a~b", "a^b", "a*b", "a b", "a/b", "a=b", "ü", "a\n",
        ] {
            let refused = Name::required("tenantName", bad).unwrap_err();
            assert_eq!(refused.field, "tenantName");
            assert!(refused.message.contains(&format!("{bad:?}")), "{refused}");
        }
        assert!(Name::required("tenantName", "").is_err());
        assert!(Name::required("tenantName", &"x".repeat(65)).is_err());
    }

    #[test]
    fn optional_names_may_be_empty_and_tags_longer() {
        assert_eq!(Name::optional("toNetwork", "").unwrap(), None);
        assert!(Name::optional("toNetwork", "a/b").is_err());
        let long = "x".repeat(128);
        assert_eq!(Name::tag("cfgdTag", &long).unwrap().unwrap(), *long);
        assert!(Name::tag("cfgdTag", &"x".repeat(129)).is_err());
        assert!(Name::tag("cfgdTag", "a=b").is_err());
    }
}
