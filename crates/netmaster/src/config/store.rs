//! Which store, and as whom.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use contiv_model::parse_span;
use contiv_store::{Error, EtcdPlace};

/// Name of the embedded store's file in `--data-dir`.
const FILE: &str = "netmaster.redb";

const EMBEDDED: &str = "redb:";

/// Where the state is kept.
#[derive(Clone, Debug, Default, Args)]
pub struct StoreOptions {
    /// Store: `redb:FILE`, embedded, for one master; `etcd://HOST:PORT,…[/PREFIX]` for several,
    /// `etcds://…` with TLS [default: redb:netmaster.redb in --data-dir]
    #[arg(
        long,
        visible_alias = "cluster-store",
        env = "CONTIV_NETMASTER_STORE",
        value_name = "STORE",
        global = true
    )]
    pub store: Option<String>,

    #[command(flatten)]
    pub credentials: StoreCredentials,
}

/// How etcd knows netmaster, and netmaster etcd.
#[derive(Clone, Debug, Default, Args)]
pub struct StoreCredentials {
    /// Certificate of the authority that signed those of etcd's members [default: with
    /// etcds://, it has to be given]
    #[arg(
        long,
        env = "CONTIV_NETMASTER_STORE_CA",
        value_name = "FILE",
        global = true
    )]
    pub store_ca: Option<PathBuf>,

    /// Certificate that etcd knows this master by
    #[arg(
        long,
        env = "CONTIV_NETMASTER_STORE_CERT",
        value_name = "FILE",
        requires = "store_key",
        global = true
    )]
    pub store_cert: Option<PathBuf>,

    /// Key of --store-cert
    #[arg(
        long,
        env = "CONTIV_NETMASTER_STORE_KEY",
        value_name = "FILE",
        requires = "store_cert",
        global = true
    )]
    pub store_key: Option<PathBuf>,

    /// User of etcd; the password is in --store-password-file or in
    /// CONTIV_NETMASTER_STORE_PASSWORD
    #[arg(
        long,
        env = "CONTIV_NETMASTER_STORE_USER",
        value_name = "NAME",
        global = true
    )]
    pub store_user: Option<String>,

    /// File with the password of --store-user
    #[arg(
        long,
        env = "CONTIV_NETMASTER_STORE_PASSWORD_FILE",
        value_name = "FILE",
        requires = "store_user",
        global = true
    )]
    pub store_password_file: Option<PathBuf>,
}

/// Copies of a store.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum SnapshotCommand {
    /// Save everything to a file, while masters run; it holds the cluster's private keys
    Save {
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Put a saved file in the place of a store's contents, while no master runs on it
    Restore {
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Even if the store is not empty
        #[arg(long)]
        force: bool,
        /// Until addresses are given even if some hosts have not said what lives on them
        #[arg(long, default_value = "10m", value_name = "TIME", value_parser = parse_span)]
        adopt_timeout: Duration,
    },
}

/// From where to where.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct MigrateOptions {
    /// Store to leave, such as redb:/var/lib/contiv/netmaster.redb
    #[arg(long, value_name = "STORE")]
    pub from: String,
    /// Store to go to, such as etcd://10.0.0.1:2379,10.0.0.2:2379
    #[arg(long, value_name = "STORE")]
    pub to: String,
    /// Even if the store to go to is not empty
    #[arg(long)]
    pub force: bool,
    /// Open the store to leave again, which a migration that broke off has closed
    #[arg(long)]
    pub abort: bool,
}

/// The variable of the password: a command line is seen by everybody on the machine.
const PASSWORD: &str = "CONTIV_NETMASTER_STORE_PASSWORD";

/// A store, by its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorePlace {
    Embedded(PathBuf),
    Etcd(EtcdPlace),
}

impl StoreOptions {
    /// The store that is meant.
    pub fn place(&self, data_dir: &Path) -> Result<StorePlace, Error> {
        match &self.store {
            None => Ok(StorePlace::Embedded(data_dir.join(FILE))),
            Some(address) => self.credentials.place(address),
        }
    }
}

impl StoreCredentials {
    /// The store of this address, to be reached with these credentials.
    pub fn place(&self, address: &str) -> Result<StorePlace, Error> {
        if let Some(path) = address
            .strip_prefix(EMBEDDED)
            .filter(|path| !path.is_empty())
        {
            return Ok(StorePlace::Embedded(path.into()));
        }
        if !EtcdPlace::is_one(address) {
            return Err(Error::Address {
                address: address.to_owned(),
                reason: "give redb:FILE, etcd://HOST:PORT or etcds://HOST:PORT".into(),
            });
        }
        let mut place = EtcdPlace::parse(address)?;
        place.ca.clone_from(&self.store_ca);
        place.identity = self.store_cert.clone().zip(self.store_key.clone());
        if let Some(user) = &self.store_user {
            place.user = Some((user.clone(), self.password(address)?));
        }
        let needs = match (place.encrypted, &place.ca, &place.identity) {
            (true, None, _) => Some("etcds:// needs --store-ca, to know etcd by"),
            (false, Some(_), _) | (false, _, Some(_)) => {
                Some("certificates are of no use without TLS; write etcds://")
            }
            _ => None,
        };
        match needs {
            None => Ok(StorePlace::Etcd(place)),
            Some(reason) => Err(Error::Address {
                address: address.to_owned(),
                reason: reason.into(),
            }),
        }
    }

    fn password(&self, address: &str) -> Result<String, Error> {
        if let Some(path) = &self.store_password_file {
            let read = std::fs::read_to_string(path);
            let password = read.map_err(|source| Error::Credentials {
                path: path.clone(),
                source: source.into(),
            })?;
            return Ok(password.trim_end_matches(['\r', '\n']).to_owned());
        }
        std::env::var(PASSWORD).map_err(|_| Error::Address {
            address: address.to_owned(),
            reason: format!("--store-user needs --store-password-file or {PASSWORD}"),
        })
    }
}

impl std::fmt::Display for StorePlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StorePlace::Embedded(path) => write!(f, "{EMBEDDED}{}", path.display()),
            StorePlace::Etcd(place) => place.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_a_file_or_etcd() {
        let none = StoreOptions::default();
        let place = none.place(Path::new("/d")).unwrap();
        assert_eq!(place.to_string(), "redb:/d/netmaster.redb");
        let credentials = StoreCredentials::default();
        let place = credentials.place("redb:/x/y").unwrap();
        assert_eq!(place, StorePlace::Embedded("/x/y".into()));
        let place = credentials.place("etcd://a:2379,b:2379/blue").unwrap();
        assert_eq!(place.to_string(), "etcd://a:2379,b:2379/blue");
    }

    #[test]
    fn what_cannot_be_used_names_the_way_out() {
        let credentials = StoreCredentials::default();
        let user = StoreCredentials {
            store_user: Some("me".into()),
            ..StoreCredentials::default()
        };
        let certificate = StoreCredentials {
            store_ca: Some("/ca".into()),
            ..StoreCredentials::default()
        };
        for (credentials, address, reason) in [
            (&credentials, "consul://a:1", "etcd://"),
            (&credentials, "redb:", "redb:FILE"),
            (&credentials, "etcds://a:1", "--store-ca"),
            (&certificate, "etcd://a:1", "etcds://"),
            (&user, "etcd://a:1", "--store-password-file"),
        ] {
            let error = credentials.place(address).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_password_comes_from_a_file_without_its_line_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        std::fs::write(&path, "secret\n").unwrap();
        let credentials = StoreCredentials {
            store_user: Some("me".into()),
            store_password_file: Some(path),
            ..StoreCredentials::default()
        };
        let StorePlace::Etcd(place) = credentials.place("etcd://a:1").unwrap() else {
            panic!("not etcd");
        };
        assert_eq!(place.user, Some(("me".into(), "secret".into())));
        assert!(!format!("{place:?}").contains("secret"));
    }
}
