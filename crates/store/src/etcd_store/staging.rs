//! Changes that are larger than a request may be, and those of all contents.
//!
//! 1. The writes are put below a staging key of their own, in parts. Until the next step
//!    nothing has happened; what a process that died left there is swept up.
//! 2. One transaction compares all that the change rests on and names the staged parts in
//!    the meta record. This decides it, and stops every writer, since all of them compare
//!    that record.
//! 3. The parts are written in their places. Whoever finds the record does this: the one
//!    that decided, a writer that was stopped, a follower, a master that starts. Writing
//!    a part twice changes nothing.
//! 4. The record is cleared, and the parts with it. Followers tell of the change now, as
//!    one commit with this revision for its number. The keys' own revisions are a little
//!    lower; so a comparison with such a number asks whether a key was written *after* it.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use bytes::Bytes;
use etcd_client::{Compare, CompareOp, DeleteOptions, GetOptions, Txn, TxnOp};

use super::batch::{self, unsigned};
use super::keys::{Keys, Place};
use super::members::Members;
use super::meta::{Applying, Meta};
use super::{Shared, connect, parts};
use crate::error::Error;
use crate::schema::Schema;
use crate::transaction::{Outcome, Transaction, Write};

/// Parts are written one per request.
const PART: usize = 400_000;

/// Commits a transaction that one request cannot hold.
pub(super) async fn commit(shared: &Shared, transaction: &Transaction) -> Result<Outcome, Error> {
    let (members, keys) = (&shared.members, &shared.keys);
    let (meta, revision) = shared.meta();
    meta.check(shared.schema, &shared.name())?;
    let Meta { schema, epoch, .. } = meta;
    let applying = stage(members, keys, &transaction.writes, schema, epoch).await?;
    let decided = Meta {
        applying: Some(applying.clone()),
        ..meta
    };
    let without = Transaction {
        writes: Vec::new(),
        ..transaction.clone()
    };
    let size = batch::size(&without);
    if size > batch::BYTES {
        discard(members, keys, &applying.id).await;
        return Err(Error::TooLarge { size });
    }
    let mut compares = vec![connect::unchanged(keys, revision)];
    compares.extend(batch::comparisons(keys, shared, &without));
    let flip = TxnOp::put(keys.meta(), decided.encode(), None);
    let txn = batch::guarded(compares, vec![flip]);
    let answer = members.call(async |mut kv| kv.txn(txn).await).await?;
    if !batch::done(&answer) {
        discard(members, keys, &applying.id).await;
        let compared = transaction.compares.first();
        let key = compared.map(|compare| compare.key.clone());
        return Ok(Outcome::Conflict {
            key: key.unwrap_or_default(),
        });
    }
    let at = answer.header().map_or(0, |header| header.revision());
    let number = finish(members, keys, decided, at).await?;
    let staged = shared.staged.lock();
    staged
        .unwrap_or_else(PoisonError::into_inner)
        .insert(number);
    Ok(Outcome::Committed(number))
}

/// All contents, as of one moment.
pub(super) struct Whole {
    pub(super) contents: BTreeMap<String, Bytes>,
    /// Revision of the last commit; the next one changes it.
    last: i64,
}

/// Reads everything.
pub(super) async fn whole(members: &Members, keys: &Keys) -> Result<Whole, Error> {
    let options = GetOptions::new().with_prefix();
    let all = keys.all();
    let get = async |mut kv: etcd_client::KvClient| kv.get(all, Some(options)).await;
    let mut answer = members.call(get).await?;
    let mut whole = Whole {
        contents: BTreeMap::new(),
        last: 0,
    };
    for kv in answer.take_kvs() {
        match keys.parse(kv.key()) {
            Place::Data(key) => {
                let value = Bytes::copy_from_slice(kv.value());
                whole.contents.insert(key.to_owned(), value);
            }
            Place::Last => whole.last = kv.mod_revision(),
            _ => {}
        }
    }
    Ok(whole)
}

/// Brings contents of an older version to today's, unless others change them meanwhile.
pub(super) async fn migrate(
    members: &Members,
    keys: &Keys,
    schema: Schema,
    (meta, revision): (Meta, i64),
) -> Result<(), Error> {
    tracing::info!(from = meta.schema, to = schema.version(), "migrating the store");
    let before = whole(members, keys).await?;
    let mut after = before.contents.clone();
    schema.migrate(meta.schema, &mut after);
    let becomes = (schema.version(), meta.epoch);
    replace(members, keys, (meta, revision), before, after, becomes).await?;
    Ok(())
}

/// Makes `after` of `before`, with schema and epoch, as one change; false when somebody
/// has changed the contents since they were read.
pub(super) async fn replace(
    members: &Members,
    keys: &Keys,
    (meta, revision): (Meta, i64),
    before: Whole,
    after: BTreeMap<String, Bytes>,
    (schema, epoch): (u32, u64),
) -> Result<bool, Error> {
    let known = &before.contents;
    let gone = known.keys().filter(|key| !after.contains_key(*key));
    let mut writes: Vec<Write> = gone.map(|key| Write::Delete { key: key.clone() }).collect();
    let changed = after
        .into_iter()
        .filter(|(key, value)| known.get(key) != Some(value));
    writes.extend(changed.map(|(key, value)| Write::Put { key, value }));
    let applying = stage(members, keys, &writes, schema, epoch).await?;
    let id = applying.id.clone();
    let decided = Meta {
        applying: Some(applying),
        moved: None,
        ..meta
    };
    let last = Compare::mod_revision(keys.last(), CompareOp::Equal, before.last);
    let txn = Txn::new()
        .when([connect::unchanged(keys, revision), last])
        .and_then([TxnOp::put(keys.meta(), decided.encode(), None)]);
    let answer = members.call(async |mut kv| kv.txn(txn).await).await?;
    if !answer.succeeded() {
        discard(members, keys, &id).await;
        return Ok(false);
    }
    let at = answer.header().map_or(0, |header| header.revision());
    finish(members, keys, decided, at).await?;
    Ok(true)
}

/// Puts the parts of a change where they can be found.
async fn stage(
    members: &Members,
    keys: &Keys,
    writes: &[Write],
    schema: u32,
    epoch: u64,
) -> Result<Applying, Error> {
    let id = uuid::Uuid::new_v4().to_string();
    let parts = parts::encode(writes, PART);
    let applying = Applying {
        id,
        parts: parts.len(),
        schema,
        epoch,
    };
    for (number, part) in parts.into_iter().enumerate() {
        let key = part_key(keys, &applying.id, number);
        members.call(async |mut kv| kv.put(key, part, None).await).await?;
    }
    Ok(applying)
}

/// Writes what was decided in its places; gives the number of the change.
///
/// Others may do the same at the same time: who comes second finds it done.
pub(super) async fn finish(
    members: &Members,
    keys: &Keys,
    meta: Meta,
    revision: i64,
) -> Result<u64, Error> {
    let Some(applying) = meta.applying.clone() else {
        return Ok(unsigned(revision));
    };
    for number in 0..applying.parts {
        let key = part_key(keys, &applying.id, number);
        let answer = members.call(async |mut kv| kv.get(key, None).await).await?;
        let Some(part) = answer.kvs().first() else {
            break; // Another one is done.
        };
        let writes = batch::writes(keys, &parts::decode(part.value()));
        let txn = batch::guarded(vec![connect::unchanged(keys, revision)], writes);
        members.call(async |mut kv| kv.txn(txn).await).await?;
    }
    let done = Meta {
        applying: None,
        schema: applying.schema,
        epoch: applying.epoch,
        ..meta
    };
    let whole = DeleteOptions::new().with_prefix();
    let txn = Txn::new()
        .when([connect::unchanged(keys, revision)])
        .and_then([
            TxnOp::put(keys.meta(), done.encode(), None),
            TxnOp::put(keys.last(), "", None),
            TxnOp::delete(keys.staging(&applying.id), Some(whole)),
        ])
        .or_else([TxnOp::get(keys.meta(), None)]);
    let answer = members.call(async |mut kv| kv.txn(txn).await).await?;
    if answer.succeeded() {
        return Ok(answer.header().map_or(0, |h| unsigned(h.revision())));
    }
    let name = members.place().to_string();
    let found = connect::meta_in(&answer, &name)?;
    Ok(unsigned(found.map_or(revision, |(_, at)| at)))
}

/// Forgets a change that was not decided.
async fn discard(members: &Members, keys: &Keys, id: &str) {
    let (from, whole) = (keys.staging(id), DeleteOptions::new().with_prefix());
    let swept = members
        .call(async |mut kv| kv.delete(from, Some(whole)).await)
        .await;
    if let Err(error) = swept {
        tracing::debug!(%error, id, "a staged change is left behind");
    }
}

fn part_key(keys: &Keys, id: &str, number: usize) -> String {
    format!("{}{number:06}", keys.staging(id))
}
