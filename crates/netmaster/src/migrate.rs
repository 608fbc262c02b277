//! `netmaster migrate`: from one store to another, with nothing written in between.
//!
//! 1. The source is closed first: whoever opens it is told where it went, and a master that
//!    runs on it can write no more.
//! 2. Everything is copied, in a new epoch: numbers of one store mean nothing in another.
//! 3. The copy is read again and compared.
//!
//! When it breaks off, it can be run again from the start, or `--abort` opens the source.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use contiv_store::{EtcdStore, RedbStore};

use crate::config::{Config, MigrateOptions, StorePlace};
use crate::snapshot::{contents, replace};
use crate::storage::{self, SCHEMA};

/// Moves everything, or opens the source again.
pub async fn run(config: &Config, options: &MigrateOptions) -> anyhow::Result<()> {
    let credentials = &config.store.credentials;
    let place = |address: &str| credentials.place(address).map_err(storage::bad);
    let (from, to) = (place(&options.from)?, place(&options.to)?);
    ensure!(from != to, "--from and --to are the same store");
    let source = contents(from.clone()).await.with_context(|| {
        format!("{from} cannot be read; stop the netmaster that runs on it, if one does")
    })?;
    ensure!(source.schema > 0, "{from}: there is no store");
    if options.abort {
        close(from.clone(), None).await?;
        println!("{from} can be used again; what is in {to} is a copy that may be deleted");
        return Ok(());
    }
    if let Some(other) = source
        .moved
        .as_ref()
        .filter(|other| **other != to.to_string())
    {
        bail!("{from} has moved to {other}; --abort opens it again");
    }
    let there = contents(to.clone()).await?;
    if !there.entries.is_empty() && there.entries != source.entries && !options.force {
        bail!(
            "{to} holds {} keys of its own; --force puts those of {from} in their place",
            there.entries.len()
        );
    }
    close(from.clone(), Some(&to.to_string())).await?;
    // What was committed until then is part of it.
    let mut source = contents(from.clone()).await?;
    SCHEMA.migrate(source.schema, &mut source.entries);
    replace(to.clone(), &source).await?;
    compare(&source.entries, &contents(to.clone()).await?.entries)?;
    println!(
        "{} keys of {from} are in {to}; start netmaster with --store {to}",
        source.entries.len()
    );
    Ok(())
}

async fn close(place: StorePlace, to: Option<&str>) -> Result<(), contiv_store::Error> {
    match place {
        StorePlace::Embedded(path) => RedbStore::set_moved(&path, SCHEMA, to),
        StorePlace::Etcd(place) => EtcdStore::set_moved(place, to).await,
    }
}

fn compare(
    before: &BTreeMap<String, Bytes>,
    after: &BTreeMap<String, Bytes>,
) -> anyhow::Result<()> {
    let differs = |key: &&String| before.get(*key) != after.get(*key);
    match before.keys().chain(after.keys()).find(differs) {
        None => Ok(()),
        Some(key) => bail!("the copy differs at {key}; run the command again, or with --abort"),
    }
}
