//! The store that the options name, opened.

use std::path::Path;
use std::sync::Arc;

use contiv_fabric::order_addresses;
use contiv_store::{EtcdStore, RedbStore, Schema, Store};

use crate::app::BadOption;
use crate::config::{Config, StorePlace};

/// The contents of the store are of this version.
pub(crate) const SCHEMA: Schema = Schema {
    steps: &[order_addresses],
};

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
        StorePlace::Embedded(path) => Arc::new(RedbStore::open(&path, SCHEMA)?),
        StorePlace::Etcd(place) => Arc::new(EtcdStore::open(place, SCHEMA).await?),
    })
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
