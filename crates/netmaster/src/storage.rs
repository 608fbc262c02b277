//! The store that the options name, opened.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use contiv_fabric::order_addresses;
use contiv_model::agent::Revision;
use contiv_store::{Error, EtcdStore, RedbStore, Schema, Store};

use crate::app::BadOption;
use crate::clock::now;
use crate::config::{Config, StorePlace};
use crate::snapshot::wait_for_hosts;

/// The contents of the store are of this version.
pub(crate) const SCHEMA: Schema = Schema {
    steps: &[order_addresses],
};

/// As long is waited for hosts when a copy of the store was put back by hand.
const ADOPT: Duration = Duration::from_secs(600);

/// Opens the store of a netmaster with these options.
pub(crate) async fn open(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    // Other things than the store are kept there as well.
    directory(&config.data_dir)?;
    let place = config.store.place(&config.data_dir).map_err(bad)?;
    open_at(place).await
}

/// Opens the store at `place`.
pub(crate) async fn open_at(place: StorePlace) -> anyhow::Result<Arc<dyn Store>> {
    Ok(match place {
        StorePlace::Embedded(path) => Arc::new(open_file(&path).await?),
        StorePlace::Etcd(place) => Arc::new(EtcdStore::open(place, SCHEMA).await?),
    })
}

/// Opens a file. One that is an older copy of what was here is restored first, in a new epoch: hosts
/// know of what it has forgotten, and are waited for.
async fn open_file(path: &Path) -> anyhow::Result<RedbStore> {
    let back = match RedbStore::open(path, SCHEMA) {
        Err(back @ Error::WentBack { .. }) => back,
        opened => return Ok(opened?),
    };
    tracing::error!(%back, "the store went back; a new epoch begins, as after a restore");
    let mut contents = RedbStore::contents(path, SCHEMA)?;
    let patience = u64::try_from(ADOPT.as_millis()).unwrap_or(u64::MAX);
    let until = now().saturating_add(patience);
    let waits = wait_for_hosts(&mut contents.entries, until)?;
    RedbStore::replace(path, SCHEMA, &contents)?;
    tracing::warn!(
        hosts = waits,
        "no address is given before hosts have said what lives on them"
    );
    Ok(RedbStore::open(path, SCHEMA)?)
}

/// Takes note that a host was told more than the closed store holds.
pub(crate) fn set_seen(config: &Config, seen: Revision) -> anyhow::Result<()> {
    if let StorePlace::Embedded(path) = config.store.place(&config.data_dir).map_err(bad)? {
        let Revision { epoch, number } = seen;
        RedbStore::set_seen(&path, SCHEMA, contiv_store::Revision { epoch, number })?;
    }
    Ok(())
}

/// An address that cannot be one is a bad option, as any other.
pub(crate) fn bad(error: contiv_store::Error) -> BadOption {
    BadOption {
        option: "--store",
        reason: error.to_string(),
    }
}

fn directory(dir: &Path) -> Result<(), BadOption> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir);
    made.map_err(|error| BadOption {
        option: "--data-dir",
        reason: format!(
            "{}: {error}; give a directory that can be written",
            dir.display()
        ),
    })
}
