//! Which etcd, where in it, and as whom.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};

use crate::error::Error;

const PLAIN: &str = "etcd://";
const ENCRYPTED: &str = "etcds://";

/// Where in etcd a fabric lives, unless the address says otherwise.
const PREFIX: &str = "/contiv";

/// A member that does not take a connection within this time is passed over.
const CONNECT: Duration = Duration::from_secs(2);

/// Between signs of life on a silent connection.
const KEEP_ALIVE: Duration = Duration::from_secs(2);

/// The members of an etcd cluster, and the place in it that is one fabric's.
#[derive(Clone, PartialEq, Eq)]
pub struct EtcdPlace {
    /// `host:port` of each member that may be asked.
    pub endpoints: Vec<String>,
    /// What every key begins with; without a slash at its end.
    pub prefix: String,
    pub encrypted: bool,
    /// Certificate of the authority that signed the members' certificates.
    pub ca: Option<PathBuf>,
    /// This program's own certificate and key, where members ask for one.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Name and password, where etcd has users.
    pub user: Option<(String, String)>,
}

impl EtcdPlace {
    /// Whether a store's address is one of etcd.
    pub fn is_one(address: &str) -> bool {
        address.starts_with(PLAIN) || address.starts_with(ENCRYPTED)
    }

    /// The place of `etcd://HOST:PORT[,HOST:PORT…][/PREFIX]`, or `etcds://…` with TLS.
    pub fn parse(address: &str) -> Result<EtcdPlace, Error> {
        let wrong = |reason: &str| Error::Address {
            address: address.to_owned(),
            reason: reason.to_owned(),
        };
        let (encrypted, rest) = match address.strip_prefix(ENCRYPTED) {
            Some(rest) => (true, rest),
            None => (false, address.strip_prefix(PLAIN).unwrap_or(address)),
        };
        let (members, prefix) = match rest.split_once('/') {
            Some((members, prefix)) => (members, prefix.trim_matches('/')),
            None => (rest, ""),
        };
        if members.contains('@') {
            return Err(wrong(
                "credentials in an address are seen by everybody; use the options for them",
            ));
        }
        let endpoints: Vec<String> = members.split(',').map(str::to_owned).collect();
        for endpoint in &endpoints {
            let port = endpoint
                .rsplit_once(':')
                .map(|(host, port)| (host, port.parse::<u16>()));
            if !matches!(port, Some((host, Ok(1..))) if !host.is_empty()) {
                return Err(wrong(
                    "give each member as HOST:PORT, such as etcd://10.0.0.1:2379",
                ));
            }
        }
        Ok(EtcdPlace {
            endpoints,
            prefix: match prefix {
                "" => PREFIX.to_owned(),
                prefix => format!("/{prefix}"),
            },
            encrypted,
            ca: None,
            identity: None,
            user: None,
        })
    }

    /// A client of one member.
    pub(super) async fn connect(&self, endpoint: &str) -> Result<Client, Error> {
        let mut options = ConnectOptions::new()
            .with_connect_timeout(CONNECT)
            .with_keep_alive(KEEP_ALIVE, KEEP_ALIVE)
            .with_keep_alive_while_idle(true)
            .with_require_leader(true)
            .with_auto_token_refresh(true);
        if let Some((name, password)) = &self.user {
            options = options.with_user(name, password);
        }
        let scheme = match self.encrypted {
            false => "http",
            true => {
                options = options.with_tls(self.tls()?);
                "https"
            }
        };
        let url = format!("{scheme}://{endpoint}");
        let client = Client::connect([url], Some(options));
        match tokio::time::timeout(CONNECT, client).await {
            Ok(Ok(client)) => Ok(client),
            Ok(Err(error)) => Err(Error::etcd(endpoint, &error)),
            Err(_) => Err(Error::silent(endpoint, CONNECT)),
        }
    }

    fn tls(&self) -> Result<TlsOptions, Error> {
        let mut tls = TlsOptions::new();
        if let Some(ca) = &self.ca {
            tls = tls.ca_certificate(Certificate::from_pem(read(ca)?));
        }
        if let Some((certificate, key)) = &self.identity {
            tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
        }
        Ok(tls)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::Credentials {
        path: path.to_owned(),
        source: Arc::new(source),
    })
}

impl fmt::Display for EtcdPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.encrypted { ENCRYPTED } else { PLAIN };
        write!(f, "{scheme}{}{}", self.endpoints.join(","), self.prefix)
    }
}

impl fmt::Debug for EtcdPlace {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EtcdPlace({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_members_and_a_place_in_them() {
        let place = EtcdPlace::parse("etcd://10.0.0.1:2379,[fd00::1]:2379").unwrap();
        assert_eq!(place.endpoints, ["10.0.0.1:2379", "[fd00::1]:2379"]);
        assert_eq!((place.prefix.as_str(), place.encrypted), ("/contiv", false));
        let place = EtcdPlace::parse("etcds://a:1/blue/green/").unwrap();
        assert_eq!(
            (place.prefix.as_str(), place.encrypted),
            ("/blue/green", true)
        );
        assert_eq!(place.to_string(), "etcds://a:1/blue/green");
        assert!(EtcdPlace::is_one("etcds://a:1") && !EtcdPlace::is_one("redb:/x"));
    }

    #[test]
    fn what_is_no_address_is_told_how_to_be_one() {
        for (address, reason) in [
            ("etcd://", "HOST:PORT"),
            ("etcd://a", "HOST:PORT"),
            ("etcd://a:1,", "HOST:PORT"),
            ("etcd://a:x", "HOST:PORT"),
            ("etcd://me:secret@a:1", "options"),
        ] {
            let error = EtcdPlace::parse(address).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
