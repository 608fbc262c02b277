//! Everything at once.

use std::collections::BTreeMap;

use bytes::Bytes;
use etcd_client::GetOptions;

use super::batch::{Staged, unsigned};
use super::keys::{Keys, Place};
use super::members::Members;
use crate::error::Error;
use crate::transaction::Transaction;

/// All contents, as of one moment.
pub(super) struct Whole {
    pub(super) contents: BTreeMap<String, Bytes>,
    revisions: BTreeMap<String, u64>,
    /// Revision of the last commit; the next one changes it.
    pub(super) last: i64,
}

/// Reads everything.
pub(super) async fn whole(members: &Members, keys: &Keys) -> Result<Whole, Error> {
    let options = GetOptions::new().with_prefix();
    let all = keys.all();
    let get = async |mut kv: etcd_client::KvClient| kv.get(all, Some(options)).await;
    let mut answer = members.call(get).await?;
    let mut whole = Whole {
        contents: BTreeMap::new(),
        revisions: BTreeMap::new(),
        last: 0,
    };
    for kv in answer.take_kvs() {
        match keys.parse(kv.key()) {
            Place::Data(key) => {
                let value = Bytes::copy_from_slice(kv.value());
                let revision = unsigned(kv.mod_revision());
                whole.contents.insert(key.to_owned(), value);
                whole.revisions.insert(key.to_owned(), revision);
            }
            Place::Last => whole.last = kv.mod_revision(),
            _ => {}
        }
    }
    Ok(whole)
}

impl Whole {
    /// Whether what a transaction rests on is so; the key that is not is the error.
    pub(super) fn holds(
        &self,
        staged: &impl Staged,
        transaction: &Transaction,
    ) -> Result<(), String> {
        for compare in &transaction.compares {
            let found = self
                .revisions
                .get(&compare.key)
                .copied()
                .unwrap_or_default();
            let same = match staged.is_staged(compare.number) {
                true => found > 0 && found <= compare.number,
                false => found == compare.number,
            };
            if !same {
                return Err(compare.key.clone());
            }
        }
        for range in &transaction.unchanged {
            let mut within = self
                .revisions
                .range(range.first.clone()..=range.last.clone());
            if within.any(|(_, revision)| *revision > range.since) {
                return Err(range.first.clone());
            }
        }
        Ok(())
    }
}
