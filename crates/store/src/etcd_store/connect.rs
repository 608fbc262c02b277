//! The first look at a store: whose it is, and of which version.

use etcd_client::{Compare, CompareOp, Txn, TxnOp, TxnOpResponse};

use super::keys::Keys;
use super::members::Members;
use super::meta::Meta;
use super::{Shared, epoch_after, staging};
use crate::error::Error;
use crate::schema::Schema;

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
            tracing::warn!(
                epoch = copy.epoch,
                "the store is a copy; a new epoch begins"
            );
            create(members, keys, &copy, revision).await?;
            continue;
        }
        match meta.check(schema, &name) {
            Ok(()) => {
                staging::sweep(members, keys, &meta, revision).await?;
                return Ok((meta, revision));
            }
            Err(Error::Busy { .. }) if meta.applying.is_some() => {
                staging::resolve(members, keys, (meta, revision)).await?;
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
    let cluster = answer
        .header()
        .map_or(0, etcd_client::ResponseHeader::cluster_id);
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
    let txn = Txn::new().when([unchanged(keys, revision)]).and_then([
        TxnOp::put(keys.meta(), meta.encode(), None),
        TxnOp::put(keys.last(), "", None),
    ]);
    let answer = members.call(async |mut kv| kv.txn(txn).await).await?;
    let revision = answer.header().map(etcd_client::ResponseHeader::revision);
    Ok(revision.filter(|_| answer.succeeded()))
}

/// The comparison that every commit makes.
pub(super) fn unchanged(keys: &Keys, revision: i64) -> Compare {
    Compare::mod_revision(keys.meta(), CompareOp::Equal, revision)
}

/// Takes the meta record from the answer of a transaction that asked for it when it failed.
pub(super) fn take_meta(shared: &Shared, answer: &etcd_client::TxnResponse) -> Result<(), Error> {
    let name = shared.name();
    let answers = answer.op_responses();
    let found = match answers.first() {
        Some(TxnOpResponse::Get(got)) => got.kvs().first(),
        _ => None,
    };
    let Some(kv) = found else {
        return Err(gone(name));
    };
    shared.set_meta(Meta::decode(kv.value(), &name)?, kv.mod_revision());
    Ok(())
}

/// The record that a fabric's store always has.
pub(super) fn gone(place: String) -> Error {
    Error::Foreign {
        place,
        reason: "its meta record is gone".into(),
    }
}
