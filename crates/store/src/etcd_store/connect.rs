//! The first look at a store: whose it is, and of which version.

use std::time::Duration;

use etcd_client::{Compare, CompareOp, Txn, TxnOp, TxnOpResponse};

use super::keys::Keys;
use super::members::Members;
use super::meta::Meta;
use super::{epoch_after, staging};
use crate::error::Error;
use crate::schema::Schema;

/// Another master that writes a whole store has this long; then the work is taken up.
const TURN: Duration = Duration::from_secs(3);

/// The meta record and its revision, made or brought to today's version if need be.
pub(super) async fn join(
    members: &Members,
    keys: &Keys,
    schema: Schema,
) -> Result<(Meta, i64), Error> {
    let name = members.place().to_string();
    loop {
        let (cluster, found) = read(members, keys).await?;
        let Some((meta, revision)) = found else {
            create(members, keys, &Meta::new(schema, cluster), 0).await?;
            continue;
        };
        if meta.cluster != cluster {
            // What was committed in the old cluster after the copy is unknown here.
            let copy = Meta {
                epoch: epoch_after(meta.epoch),
                cluster,
                ..meta
            };
            tracing::warn!(epoch = copy.epoch, "the store is a copy; a new epoch begins");
            create(members, keys, &copy, revision).await?;
            continue;
        }
        match meta.check(schema, &name) {
            Ok(()) => return Ok((meta, revision)),
            Err(Error::Busy { .. }) if meta.applying.is_some() => {
                // Whoever decided it may be at it still: both write the same.
                tokio::time::sleep(TURN / 10).await;
                staging::finish(members, keys, meta, revision).await?;
            }
            Err(Error::Busy { .. }) => {
                staging::migrate(members, keys, schema, (meta, revision)).await?;
            }
            Err(error) => return Err(error),
        }
    }
}

/// The cluster's id, and the meta record with its revision.
pub(super) async fn read(
    members: &Members,
    keys: &Keys,
) -> Result<(u64, Option<(Meta, i64)>), Error> {
    let key = keys.meta();
    let answer = members.call(async |mut kv| kv.get(key, None).await).await?;
    let cluster = answer.header().map_or(0, |header| header.cluster_id());
    let name = members.place().to_string();
    let found = answer.kvs().first();
    let found = found.map(|kv| Ok((Meta::decode(kv.value(), &name)?, kv.mod_revision())));
    Ok((cluster, found.transpose()?))
}

/// Writes the meta record if its revision is still the given one; says which it has then.
pub(super) async fn create(
    members: &Members,
    keys: &Keys,
    meta: &Meta,
    revision: i64,
) -> Result<Option<i64>, Error> {
    let txn = Txn::new()
        .when([unchanged(keys, revision)])
        .and_then([
            TxnOp::put(keys.meta(), meta.encode(), None),
            TxnOp::put(keys.last(), "", None),
        ]);
    let answer = members.call(async |mut kv| kv.txn(txn).await).await?;
    let revision = answer.header().map(|header| header.revision());
    Ok(revision.filter(|_| answer.succeeded()))
}

/// The comparison that every commit makes.
pub(super) fn unchanged(keys: &Keys, revision: i64) -> Compare {
    Compare::mod_revision(keys.meta(), CompareOp::Equal, revision)
}

/// The meta record in the answer of a transaction that asked for it when it failed.
pub(super) fn meta_in(
    answer: &etcd_client::TxnResponse,
    name: &str,
) -> Result<Option<(Meta, i64)>, Error> {
    let answers = answer.op_responses();
    let Some(TxnOpResponse::Get(got)) = answers.first() else {
        return Ok(None);
    };
    let found = got.kvs().first();
    found
        .map(|kv| Ok((Meta::decode(kv.value(), name)?, kv.mod_revision())))
        .transpose()
}
