//! `links` and `link-sets`: how clients of the original walk from object to object.

use contiv_fabric::Image;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::kind::Kind;

/// The fields that hold them.
pub(super) const NAMES: [&str; 2] = ["link-sets", "links"];

/// What an object points to, and what points to it, by the names of the original.
#[derive(Debug, Default)]
pub(super) struct Links {
    one: Map<String, Value>,
    many: Map<String, Value>,
}

impl Links {
    /// The one object of `kind` that this one belongs to.
    pub(super) fn to(mut self, name: &str, kind: &str, key: &str) -> Links {
        self.one.insert(name.to_owned(), link(kind, key));
        self
    }

    /// The objects of `kind` that belong to this one.
    pub(super) fn set(
        mut self,
        name: &str,
        kind: &str,
        keys: impl Iterator<Item = impl AsRef<str>>,
    ) -> Links {
        let links = keys.map(|key| (key.as_ref().to_owned(), link(kind, key.as_ref())));
        self.many.insert(name.to_owned(), links.collect());
        self
    }
}

/// The object as JSON, with its links.
pub(super) fn with<K: Kind>(image: &Image, object: &K) -> Value {
    let mut document = json(object);
    if let Value::Object(fields) = &mut document {
        let Links { one, many } = object.links(image);
        for (name, links) in NAMES.into_iter().zip([many, one]) {
            if !links.is_empty() {
                fields.insert(name.to_owned(), links.into());
            }
        }
    }
    document
}

fn link(kind: &str, key: &str) -> Value {
    json!({"type": kind, "key": key})
}

fn json(object: &impl Serialize) -> Value {
    serde_json::to_value(object).expect("objects are maps with names for keys")
}
