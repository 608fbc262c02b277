//! A store as a whole: to copy it, to bring it back, and to close it behind a copy.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::follow::Revision;

/// All that a store holds, as of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    pub revision: Revision,
    /// Version of the entries.
    pub schema: u32,
    pub entries: BTreeMap<String, Bytes>,
    /// Where the store has moved to; nothing is written to it any more.
    pub moved: Option<String>,
}
