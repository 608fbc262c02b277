//! What all masters of a fabric agree on.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::schema::Schema;

/// The store as a whole. Every commit compares its revision: who changes it has
/// stopped every other writer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta {
    pub(super) schema: u32,
    pub(super) epoch: u64,
    /// The etcd cluster that it was written in: a copy in another one is another history.
    pub(super) cluster: u64,
    /// A change that is decided and being written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) applying: Option<Applying>,
    /// Where the contents went; nothing is written here any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) moved: Option<String>,
}

/// A staged change: once it is decided, whoever finds it finishes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Applying {
    /// Below which its parts are staged.
    pub(super) id: String,
    pub(super) parts: usize,
    /// False while its comparisons are made, with every writer stopped.
    #[serde(default)]
    pub(super) decided: bool,
    /// What the contents are of afterwards.
    pub(super) schema: u32,
    pub(super) epoch: u64,
}

impl Meta {
    pub(super) fn new(schema: Schema, cluster: u64) -> Meta {
        Meta {
            schema: schema.version(),
            epoch: epoch_after(0),
            cluster,
            applying: None,
            moved: None,
        }
    }

    /// The same, while a change is being written.
    pub(super) fn with(self, applying: Applying) -> Meta {
        Meta {
            applying: Some(applying),
            ..self
        }
    }

    /// The same, when the change that it names is to happen.
    pub(super) fn decided(mut self) -> Meta {
        if let Some(applying) = &mut self.applying {
            applying.decided = true;
        }
        self
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain fields are JSON")
    }

    pub(super) fn decode(value: &[u8], place: &str) -> Result<Meta, Error> {
        serde_json::from_slice(value).map_err(|error| Error::Foreign {
            place: place.to_owned(),
            reason: error.to_string(),
        })
    }

    /// Whether the store is this program's to write, as soon as no other has it to itself.
    pub(super) fn is_ours(&self, schema: Schema, place: &str) -> Result<(), Error> {
        if let Some(to) = &self.moved {
            return Err(Error::Moved { to: to.clone() });
        }
        let found = self.version();
        if found > schema.version() {
            return Err(Error::Newer {
                path: place.into(),
                found,
                known: schema.version(),
            });
        }
        Ok(())
    }

    /// Whether this program may write now.
    pub(super) fn check(&self, schema: Schema, place: &str) -> Result<(), Error> {
        self.is_ours(schema, place)?;
        if self.applying.is_some() || self.version() < schema.version() {
            let doing = "a large change or another version's contents are being written";
            return Err(Error::Busy {
                doing: doing.to_owned(),
            });
        }
        Ok(())
    }

    /// The schema of the contents, or of those that are being written.
    fn version(&self) -> u32 {
        let applying = self.applying.as_ref().map_or(0, |a| a.schema);
        applying.max(self.schema)
    }
}

/// A later history has a larger epoch, so that no host takes an old revision of its own
/// for one of it.
pub(crate) fn epoch_after(epoch: u64) -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(1, |since| since.as_secs()).max(epoch + 1)
}
