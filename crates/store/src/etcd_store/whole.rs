//! A fabric in etcd as a whole, whether masters use it or not.

use std::collections::BTreeMap;

use super::batch::unsigned;
use super::keys::Keys;
use super::members::Members;
use super::meta::Meta;
use super::{EtcdPlace, EtcdStore, connect, contents, epoch_after, staging};
use crate::error::Error;
use crate::follow::Revision;
use crate::schema::Schema;
use crate::whole::Contents;

impl EtcdStore {
    /// All that is at `place`, whether it has moved or not.
    pub async fn contents(place: EtcdPlace) -> Result<Contents, Error> {
        let (keys, members) = (Keys::new(&place.prefix), Members::new(place));
        loop {
            let (_, found) = connect::read(&members, &keys).await?;
            let Some((meta, revision)) = found else {
                return Ok(Contents::default());
            };
            if meta.applying.is_some() {
                staging::resolve(&members, &keys, (meta, revision)).await?;
                continue;
            }
            let whole = contents::whole(&members, &keys).await?;
            return Ok(Contents {
                revision: Revision {
                    epoch: meta.epoch,
                    number: unsigned(whole.last),
                },
                schema: meta.schema,
                entries: whole.contents,
                moved: meta.moved,
            });
        }
    }

    /// Stops every master there is, and says where the fabric has moved; none starts it again.
    pub async fn set_moved(place: EtcdPlace, to: Option<&str>) -> Result<(), Error> {
        let (keys, members) = (Keys::new(&place.prefix), Members::new(place));
        loop {
            let (_, found) = connect::read(&members, &keys).await?;
            let (meta, revision) =
                found.ok_or_else(|| connect::gone(members.place().to_string()))?;
            if meta.applying.is_some() {
                staging::resolve(&members, &keys, (meta, revision)).await?;
                continue;
            }
            let meta = Meta {
                moved: to.map(str::to_owned),
                ..meta
            };
            if connect::create(&members, &keys, &meta, revision)
                .await?
                .is_some()
            {
                return Ok(());
            }
        }
    }

    /// Puts what is `wanted`, of today's schema, in the place of what there is, and begins an epoch
    /// after theirs and after the one there. A place that had moved is open again.
    pub async fn replace(place: EtcdPlace, schema: Schema, wanted: &Contents) -> Result<(), Error> {
        let (keys, members) = (Keys::new(&place.prefix), Members::new(place));
        loop {
            let (cluster, found) = connect::read(&members, &keys).await?;
            let (meta, revision) = match found {
                Some(found) => found,
                None => {
                    // Until it is filled, nobody may begin here.
                    let empty = Meta::new(schema, cluster);
                    connect::create(&members, &keys, &empty, 0).await?;
                    continue;
                }
            };
            if meta.applying.is_some() {
                staging::resolve(&members, &keys, (meta, revision)).await?;
                continue;
            }
            let epoch = epoch_after(meta.epoch.max(wanted.revision.epoch));
            // What has moved away is here again.
            let meta = Meta {
                cluster,
                moved: None,
                ..meta
            };
            let before = contents::whole(&members, &keys).await?;
            let after: BTreeMap<_, _> = wanted.entries.clone();
            let becomes = (schema.version(), epoch);
            let done =
                staging::replace(&members, &keys, (meta, revision), before, after, becomes).await?;
            if done {
                return Ok(());
            }
        }
    }
}
