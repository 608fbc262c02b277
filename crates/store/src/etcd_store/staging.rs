//! Changes that are larger than a request may be, and those of all contents.
//!
//! 1. The writes are put below a staging key of their own, in parts. Until the next step
//!    nothing has happened; what a process that died left there is swept up.
//! 2. The meta record names the parts. Every commit compares that record, so all writers
//!    stand still from here on.
//! 3. What the change rests on is compared with the contents. If it holds, the record says
//!    that the change is decided: this one write is what happens or does not. Otherwise
//!    the record is cleared. Whoever finds an undecided change that does not get on clears
//!    it: of the two writes of the record one is first.
//! 4. The parts are written in their places. Whoever finds a decided change does this: a
//!    writer that was stopped, a follower, a master that starts. Writing a part twice
//!    changes nothing.
//! 5. The record is cleared, and the parts with it. Followers tell of the change now, as
//!    one commit with this revision for its number. The keys' own revisions are a little
//!    lower; so a comparison with such a number asks whether a key was written *after* it.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use bytes::Bytes;
use etcd_client::{Compare, CompareOp, DeleteOptions, Txn, TxnOp};

use super::batch::{self, unsigned};
use super::contents::{Whole, whole};
use super::keys::Keys;
use super::members::Members;
use super::meta::{Applying, Meta};
use super::{Shared, connect, parts};
use crate::error::Error;
use crate::schema::Schema;
use crate::transaction::{Outcome, Transaction, Write};

/// Parts are written one per request.
const PART: usize = 400_000;

/// As many parts are compared in one request.
const PARTS: usize = 100;

/// Who has the store to itself has this long for each look that others take at it.
const TURN: Duration = Duration::from_millis(50);

/// After so many looks that found no progress, others take over.
const TURNS: usize = 60;

/// Commits a transaction that one request cannot hold.
pub(super) async fn commit(shared: &Shared, transaction: &Transaction) -> Result<Outcome, Error> {
    let (members, keys) = (&shared.members, &shared.keys);
    let (meta, mut revision) = settled(shared).await?;
    let becomes = (meta.schema, meta.epoch);
    let applying = stage(members, keys, &transaction.writes, becomes).await?;
    let claimed = meta.with(applying);
    loop {
        match claim(members, keys, &claimed, revision, None).await? {
            Some(at) => {
                revision = at;
                break;
            }
            None => {
                let (_, found) = connect::read(members, keys).await?;
                let (meta, at) = found.ok_or_else(|| connect::gone(shared.name()))?;
                if at == revision {
                    return Err(Error::Busy {
                        doing: "parts of this change were swept up; try again".into(),
                    });
                }
                shared.set_meta(meta, at);
                revision = settled(shared).await?.1;
            }
        }
    }
    let whole = whole(members, keys).await?;
    if let Err(key) = whole.holds(shared, transaction) {
        clear(members, keys, &claimed, revision).await?;
        return Ok(Outcome::Conflict { key });
    }
    let decided = claimed.decided();
    let Some(at) = write(members, keys, &decided, revision).await? else {
        return Err(Error::Busy {
            doing: "another master found this change too slow; try again".into(),
        });
    };
    let number = finish(members, keys, (decided, at)).await?;
    let staged = shared.staged.lock();
    staged
        .unwrap_or_else(PoisonError::into_inner)
        .insert(number);
    Ok(Outcome::Committed(number))
}

/// The meta record once nobody has the store to itself.
pub(super) async fn settled(shared: &Shared) -> Result<(Meta, i64), Error> {
    let (meta, revision) = shared.meta();
    if meta.applying.is_none() || meta.moved.is_some() {
        meta.check(shared.schema, &shared.name())?;
        return Ok((meta, revision));
    }
    resolve(&shared.members, &shared.keys, (meta, revision)).await?;
    let (_, found) = connect::read(&shared.members, &shared.keys).await?;
    let (meta, revision) = found.ok_or_else(|| connect::gone(shared.name()))?;
    shared.set_meta(meta.clone(), revision);
    meta.check(shared.schema, &shared.name())?;
    Ok((meta, revision))
}

/// Waits for a staged change to be written; helps when it does not get on.
pub(super) async fn resolve(
    members: &Members,
    keys: &Keys,
    (mut meta, mut revision): (Meta, i64),
) -> Result<(), Error> {
    let mut turns = 0;
    while let Some(applying) = &meta.applying {
        if turns == TURNS {
            match applying.decided {
                true => drop(finish(members, keys, (meta, revision)).await?),
                false => clear(members, keys, &meta, revision).await?,
            }
            return Ok(());
        }
        turns += 1;
        tokio::time::sleep(TURN).await;
        let (_, found) = connect::read(members, keys).await?;
        let (newer, at) = found.ok_or_else(|| connect::gone(members.place().to_string()))?;
        if at != revision {
            (meta, revision, turns) = (newer, at, 0);
        }
    }
    Ok(())
}

/// Brings contents of an older version to today's, unless others change them meanwhile.
pub(super) async fn migrate(
    members: &Members,
    keys: &Keys,
    schema: Schema,
    (meta, revision): (Meta, i64),
) -> Result<(), Error> {
    tracing::info!(
        from = meta.schema,
        to = schema.version(),
        "migrating the store"
    );
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
    becomes: (u32, u64),
) -> Result<bool, Error> {
    let known = &before.contents;
    let gone = known.keys().filter(|key| !after.contains_key(*key));
    let mut writes: Vec<Write> = gone.map(|key| Write::Delete { key: key.clone() }).collect();
    let changed = after
        .into_iter()
        .filter(|(key, value)| known.get(key) != Some(value));
    writes.extend(changed.map(|(key, value)| Write::Put { key, value }));
    let applying = stage(members, keys, &writes, becomes).await?;
    let id = applying.id.clone();
    let decided = meta.with(applying).decided();
    let last = Compare::mod_revision(keys.last(), CompareOp::Equal, before.last);
    let Some(at) = claim(members, keys, &decided, revision, Some(last)).await? else {
        discard(members, keys, &id).await;
        return Ok(false);
    };
    finish(members, keys, (decided, at)).await?;
    Ok(true)
}

/// Puts the parts of a change where they can be found.
async fn stage(
    members: &Members,
    keys: &Keys,
    writes: &[Write],
    (schema, epoch): (u32, u64),
) -> Result<Applying, Error> {
    let parts = parts::encode(writes, PART, batch::WRITES);
    let applying = Applying {
        id: uuid::Uuid::new_v4().to_string(),
        parts: parts.len(),
        decided: false,
        schema,
        epoch,
    };
    for (number, part) in parts.into_iter().enumerate() {
        let key = part_key(keys, &applying.id, number);
        members
            .call(async |mut kv| kv.put(key, part, None).await)
            .await?;
    }
    Ok(applying)
}

/// Stops all writers for the change that the meta record names, whose parts are there.
async fn claim(
    members: &Members,
    keys: &Keys,
    meta: &Meta,
    revision: i64,
    further: Option<Compare>,
) -> Result<Option<i64>, Error> {
    let mut compares = vec![connect::unchanged(keys, revision)];
    compares.extend(further);
    if let Some(applying) = &meta.applying {
        let there = |number| {
            let key = part_key(keys, &applying.id, number);
            Compare::create_revision(key, CompareOp::Greater, 0)
        };
        // Parts are swept up all at once, so that the first ones speak for all.
        compares.extend((0..applying.parts.min(PARTS)).map(there));
    }
    let txn = Txn::new()
        .when(compares)
        .and_then([TxnOp::put(keys.meta(), meta.encode(), None)]);
    let answer = members.call(async |mut kv| kv.txn(txn).await).await?;
    let at = answer.header().map(etcd_client::ResponseHeader::revision);
    Ok(at.filter(|_| answer.succeeded()))
}

/// Sweeps up parts that processes left behind which died before they named them.
pub(super) async fn sweep(
    members: &Members,
    keys: &Keys,
    meta: &Meta,
    revision: i64,
) -> Result<(), Error> {
    if meta.applying.is_some() {
        return Ok(());
    }
    let all = DeleteOptions::new().with_prefix();
    let txn = Txn::new()
        .when([connect::unchanged(keys, revision)])
        .and_then([TxnOp::delete(keys.stagings(), Some(all))]);
    members.call(async |mut kv| kv.txn(txn).await).await?;
    Ok(())
}

/// Writes the meta record in place of the one of this revision; gives its own.
async fn write(
    members: &Members,
    keys: &Keys,
    meta: &Meta,
    revision: i64,
) -> Result<Option<i64>, Error> {
    let txn = Txn::new()
        .when([connect::unchanged(keys, revision)])
        .and_then([TxnOp::put(keys.meta(), meta.encode(), None)]);
    let answer = members.call(async |mut kv| kv.txn(txn).await).await?;
    let at = answer.header().map(etcd_client::ResponseHeader::revision);
    Ok(at.filter(|_| answer.succeeded()))
}

/// Writes what was decided in its places; gives the number of the change.
///
/// Others may do the same at the same time: who comes second finds it done.
async fn finish(
    members: &Members,
    keys: &Keys,
    (meta, revision): (Meta, i64),
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
        let txn = Txn::new()
            .when([connect::unchanged(keys, revision)])
            .and_then(batch::bundled(writes));
        members.call(async |mut kv| kv.txn(txn).await).await?;
    }
    let done = Meta {
        applying: None,
        schema: applying.schema,
        epoch: applying.epoch,
        ..meta
    };
    if let Some(at) = end(members, keys, &done, (&applying.id, revision)).await? {
        return Ok(unsigned(at));
    }
    let (_, found) = connect::read(members, keys).await?;
    Ok(unsigned(found.map_or(revision, |(_, at)| at)))
}

/// Gives up a change that is not decided.
async fn clear(members: &Members, keys: &Keys, meta: &Meta, revision: i64) -> Result<(), Error> {
    if let Some(applying) = &meta.applying {
        let before = Meta {
            applying: None,
            ..meta.clone()
        };
        end(members, keys, &before, (&applying.id, revision)).await?;
    }
    Ok(())
}

/// Writes the meta record as the last step of a change, whose parts go.
async fn end(
    members: &Members,
    keys: &Keys,
    meta: &Meta,
    (id, revision): (&str, i64),
) -> Result<Option<i64>, Error> {
    let all = DeleteOptions::new().with_prefix();
    let txn = Txn::new()
        .when([connect::unchanged(keys, revision)])
        .and_then([
            TxnOp::put(keys.meta(), meta.encode(), None),
            TxnOp::put(keys.last(), "", None),
            TxnOp::delete(keys.staging(id), Some(all)),
        ]);
    let answer = members.call(async |mut kv| kv.txn(txn).await).await?;
    let at = answer.header().map(etcd_client::ResponseHeader::revision);
    Ok(at.filter(|_| answer.succeeded()))
}

/// Forgets parts that nothing names.
async fn discard(members: &Members, keys: &Keys, id: &str) {
    let (from, all) = (keys.staging(id), DeleteOptions::new().with_prefix());
    let swept = members
        .call(async |mut kv| kv.delete(from, Some(all)).await)
        .await;
    if let Err(error) = swept {
        tracing::debug!(%error, id, "a staged change is left behind");
    }
}

fn part_key(keys: &Keys, id: &str, number: usize) -> String {
    format!("{}{number:06}", keys.staging(id))
}

#[cfg(test)]
mod tests;
