//! `netmaster snapshot …`: a copy of everything in one file, and back.
//!
//! A snapshot is lines of JSON: a head that says what it is of, one line for each key, and a
//! last line with the number of keys and a checksum of all lines before it. It holds the
//! cluster's private keys, so that its file is for its owner's eyes alone.
//!
//! A restored store is older than what lives on the hosts. It begins a new epoch, so that
//! hosts take everything anew, and with a list of the hosts that it waits for before it gives
//! an address ([`contiv_fabric::adoption`]).

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use contiv_fabric::{Image, Key, adoption, grants};
use contiv_identity::{Fingerprint, write_private_file};
use contiv_store::{Contents, EtcdStore, RedbStore, Revision};
use serde::{Deserialize, Serialize};

use crate::clock::now;
use crate::config::{Config, SnapshotCommand, StorePlace};
use crate::storage::{self, SCHEMA};

/// The form of the file.
const FORM: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    contiv_snapshot: u32,
    schema: u32,
    epoch: u64,
    number: u64,
    /// Milliseconds since 1970.
    taken: u64,
}

#[derive(Serialize, Deserialize)]
struct Line {
    key: String,
    value: String,
}

#[derive(Serialize, Deserialize)]
struct Foot {
    keys: usize,
    checksum: String,
}

/// Saves or restores.
pub async fn run(config: &Config, command: &SnapshotCommand) -> anyhow::Result<()> {
    match command {
        SnapshotCommand::Save { file } => {
            let text = save(config).await?;
            let head = read(&text)?.revision;
            write_private_file(file, &text)
                .with_context(|| format!("cannot write {}", file.display()))?;
            println!("{}: revision {head}", file.display());
        }
        SnapshotCommand::Restore {
            file,
            force,
            adopt_timeout,
        } => {
            let text = std::fs::read_to_string(file);
            let text = text.with_context(|| format!("cannot read {}", file.display()))?;
            let place = config.store.place(&config.data_dir).map_err(storage::bad)?;
            restore(place, &text, *force, *adopt_timeout).await?;
        }
    }
    Ok(())
}

/// The snapshot of the store that the options name. That of the netmaster that runs on this machine
/// when its store is embedded, which nobody else can open, and when no store is named and there is
/// none at the usual place, or one that has moved: what the settings of the unit say, no shell knows.
async fn save(config: &Config) -> anyhow::Result<String> {
    let place = config.store.place(&config.data_dir).map_err(storage::bad)?;
    let contents = match contents(place.clone()).await {
        Err(contiv_store::Error::Locked { .. }) => return crate::token::snapshot(config).await,
        contents => contents?,
    };
    let why = match &contents.moved {
        Some(to) => format!("{place} has moved to {to}; name that one by --store {to}"),
        None if contents.schema == 0 => {
            format!("{place}: there is no store to save; name another one by --store")
        }
        None => return write(&contents),
    };
    match config.store.store {
        None => crate::token::snapshot(config).await.context(why),
        Some(_) => bail!(why),
    }
}

/// All that a store holds.
pub(crate) async fn contents(place: StorePlace) -> Result<Contents, contiv_store::Error> {
    match place {
        StorePlace::Embedded(path) => {
            if !path.exists() {
                return Ok(Contents::default());
            }
            RedbStore::contents(&path, SCHEMA)
        }
        StorePlace::Etcd(place) => EtcdStore::contents(place).await,
    }
}

/// Puts contents in the place of what a store holds.
pub(crate) async fn replace(place: StorePlace, with: &Contents) -> Result<(), contiv_store::Error> {
    match place {
        StorePlace::Embedded(path) => RedbStore::replace(&path, SCHEMA, with),
        StorePlace::Etcd(place) => EtcdStore::replace(place, SCHEMA, with).await,
    }
}

/// What the image holds, as a snapshot: that of a netmaster that runs.
pub(crate) fn of_image(image: &Image, epoch: u64) -> anyhow::Result<String> {
    let value = |key: &str| image.value_of(key).map(|value| (key.to_owned(), value));
    write(&Contents {
        revision: Revision {
            epoch,
            number: image.number(),
        },
        schema: SCHEMA.version(),
        entries: image.keys().filter_map(value).collect(),
        moved: None,
    })
}

/// The file's text.
fn write(contents: &Contents) -> anyhow::Result<String> {
    let mut text = serde_json::to_string(&Head {
        contiv_snapshot: FORM,
        schema: contents.schema,
        epoch: contents.revision.epoch,
        number: contents.revision.number,
        taken: now(),
    })?;
    text.push('\n');
    for (key, value) in &contents.entries {
        let line = Line {
            key: key.clone(),
            value: String::from_utf8(value.to_vec()).with_context(|| key.clone())?,
        };
        text.push_str(&serde_json::to_string(&line)?);
        text.push('\n');
    }
    let foot = Foot {
        keys: contents.entries.len(),
        checksum: Fingerprint::of(text.as_bytes()).to_string(),
    };
    text.push_str(&serde_json::to_string(&foot)?);
    text.push('\n');
    Ok(text)
}

/// What the file's text says, if nothing of it is missing or changed.
fn read(text: &str) -> anyhow::Result<Contents> {
    let broken = "the snapshot is not complete, or was changed; take another copy of the file";
    let body = text.trim_end_matches('\n');
    let (body, foot) = body.rsplit_once('\n').context(broken)?;
    let foot: Foot = serde_json::from_str(foot).context(broken)?;
    let mut lines = body.lines();
    let head: Head = serde_json::from_str(lines.next().context(broken)?)
        .context("this file is no snapshot of netmaster")?;
    ensure!(
        head.contiv_snapshot <= FORM && head.schema <= SCHEMA.version(),
        "a later version of netmaster saved this snapshot; restore it with that one"
    );
    let checksum = Fingerprint::of(format!("{body}\n").as_bytes()).to_string();
    ensure!(checksum == foot.checksum, broken);
    let mut entries = BTreeMap::new();
    for line in lines {
        let Line { key, value } = serde_json::from_str(line).context(broken)?;
        entries.insert(key, Bytes::from(value));
    }
    ensure!(entries.len() == foot.keys, broken);
    Ok(Contents {
        revision: Revision {
            epoch: head.epoch,
            number: head.number,
        },
        schema: head.schema,
        entries,
        moved: None,
    })
}

async fn restore(
    place: StorePlace,
    text: &str,
    force: bool,
    patience: Duration,
) -> anyhow::Result<()> {
    let mut snapshot = read(text)?;
    let there = contents(place.clone()).await?;
    if !there.entries.is_empty() && !force {
        bail!(
            "{place} holds {} keys already; --force puts the snapshot in their place",
            there.entries.len()
        );
    }
    SCHEMA.migrate(snapshot.schema, &mut snapshot.entries);
    snapshot.revision.epoch = snapshot.revision.epoch.max(there.revision.epoch);
    let patience = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
    let until = now().saturating_add(patience);
    let waits = wait_for_hosts(&mut snapshot.entries, until)?;
    replace(place.clone(), &snapshot).await?;
    println!("restored revision {} to {place}", snapshot.revision);
    if waits > 0 {
        println!("no address is given before {waits} hosts have said what lives on them");
    }
    Ok(())
}

/// Adds the hosts that are to be waited for, and takes away what was granted to none of them for
/// sure; says how many there are.
pub fn wait_for_hosts(entries: &mut BTreeMap<String, Bytes>, until: u64) -> anyhow::Result<usize> {
    let entry = |(key, value): (&String, &Bytes)| contiv_store::Entry {
        key: key.clone(),
        value: value.clone(),
        number: 1,
    };
    let image = Image::load(1, entries.iter().map(entry))?;
    for grant in grants(&image) {
        entries.remove(&grant.to_string());
    }
    let adoption = adoption(&image, until);
    let hosts = adoption.hosts.len();
    let key = Key::Adoption.to_string();
    match hosts {
        0 => drop(entries.remove(&key)),
        _ => drop(entries.insert(key, serde_json::to_vec(&adoption)?.into())),
    }
    Ok(hosts)
}

#[cfg(test)]
mod tests;
