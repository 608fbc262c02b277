//! What lies below a fabric's prefix.
//!
//! | key | what |
//! | --- | --- |
//! | `/data…` | the contents |
//! | `/meta` | [`Meta`](super::meta::Meta): epoch, schema, and who has the store to itself |
//! | `/last` | written with every commit: its revision is the number of the last one |
//! | `/pulse/ID` | written every second by each master, so that it sees whether it hears |
//! | `/staging/ID/PART` | parts of a change that is larger than a request may be |

/// The keys of one fabric.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
}

/// What a key is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    Data(&'a str),
    Meta,
    Last,
    Pulse(&'a str),
    Other,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Keys {
        Keys {
            prefix: prefix.to_owned(),
        }
    }

    /// What all keys of the fabric begin with.
    pub(super) fn all(&self) -> String {
        format!("{}/", self.prefix)
    }

    pub(super) fn data(&self, key: &str) -> String {
        format!("{}/data{key}", self.prefix)
    }

    pub(super) fn meta(&self) -> String {
        format!("{}/meta", self.prefix)
    }

    pub(super) fn last(&self) -> String {
        format!("{}/last", self.prefix)
    }

    pub(super) fn pulse(&self, id: &str) -> String {
        format!("{}/pulse/{id}", self.prefix)
    }

    /// What the keys of all staged changes begin with.
    pub(super) fn stagings(&self) -> String {
        format!("{}/staging/", self.prefix)
    }

    pub(super) fn staging(&self, id: &str) -> String {
        format!("{}/staging/{id}/", self.prefix)
    }

    pub(super) fn parse<'a>(&self, key: &'a [u8]) -> Place<'a> {
        let key = std::str::from_utf8(key).unwrap_or_default();
        let Some(rest) = key.strip_prefix(&self.prefix) else {
            return Place::Other;
        };
        match rest {
            "/meta" => Place::Meta,
            "/last" => Place::Last,
            _ => match (rest.strip_prefix("/data"), rest.strip_prefix("/pulse/")) {
                (Some(key), _) => Place::Data(key),
                (None, Some(id)) => Place::Pulse(id),
                (None, None) => Place::Other,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read_as_it_is_written() {
        let keys = Keys::new("/contiv");
        let parse = |key: String| format!("{:?}", keys.parse(key.as_bytes()));
        assert_eq!(parse(keys.data("/objects/x")), r#"Data("/objects/x")"#);
        assert_eq!(parse(keys.data("plain")), r#"Data("plain")"#);
        assert_eq!(parse(keys.meta()), "Meta");
        assert_eq!(parse(keys.last()), "Last");
        assert_eq!(parse(keys.pulse("a")), r#"Pulse("a")"#);
        assert_eq!(parse(keys.staging("a")), "Other");
        assert_eq!(parse("/contivity/meta".into()), "Other");
        assert!(keys.data("x").starts_with(&keys.all()));
    }
}
