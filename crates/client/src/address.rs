//! Where masters are: the addresses a user or a unit file gives.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use hyper::Uri;

use crate::error::Error;

/// The master that is asked when nobody says otherwise.
pub const DEFAULT_MASTER: &str = "http://127.0.0.1:9999";

/// The port of a master that is named by its host alone.
const DEFAULT_PORT: u16 = 9999;

/// One master, `https://host:port`, or `http://host:port` on the loopback. `host` and `host:port`
/// are short for whichever of the two it then is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterAddress(String);

/// Parses a comma-separated list of masters.
pub fn masters(list: &str) -> Result<Vec<MasterAddress>, Error> {
    list.split(',')
        .map(str::trim)
        .filter(|s| !s.is_empty())
        .map(str::parse)
        .collect()
}

impl MasterAddress {
    /// The address of `path` (which starts with a slash) on this master.
    pub(crate) fn uri(&self, path: &str) -> Result<Uri, Error> {
        format!("{}{path}", self.0)
            .parse()
            .map_err(|e| self.bad(&format!("{path}: {e}")))
    }

    /// Whether it is spoken to by TLS.
    pub fn is_secure(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Whether it is on this machine, by its address or as `localhost`.
    pub fn is_loopback(&self) -> bool {
        let authority = self.0.split_once("://").map_or("", |(_, rest)| rest);
        let host = authority
            .rsplit_once(':')
            .map_or(authority, |(host, _)| host);
        is_loopback(host)
    }

    fn bad(&self, reason: &str) -> Error {
        Error::BadAddress {
            address: self.0.clone(),
            reason: reason.to_owned(),
        }
    }
}

impl fmt::Display for MasterAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for MasterAddress {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self, Error> {
        let bad = |reason: &str| Error::BadAddress {
            address: s.to_owned(),
            reason: reason.into(),
        };
        let (scheme, rest) = match s.split_once("://") {
            None => (None, s),
            Some((scheme @ ("http" | "https"), rest)) => (Some(scheme), rest),
            Some(_) => return Err(bad("the scheme must be https, or http on the loopback")),
        };
        if rest.is_empty() {
            return Err(bad("it names no host"));
        }
        let uri: Uri = format!("http://{}", rest.trim_end_matches('/'))
            .parse()
            .map_err(|_| bad("not of the form https://host:port"))?;
        let Some(authority) = uri.authority() else {
            return Err(bad("it names no host"));
        };
        if authority.host().is_empty() {
            return Err(bad("it names no host"));
        }
        if authority.as_str().contains('@') {
            return Err(bad("user names and passwords do not belong into it"));
        }
        if uri.path() != "/" || uri.query().is_some() {
            return Err(bad("it must end after the port"));
        }
        let host = authority.host();
        let scheme = scheme.unwrap_or(match is_loopback(host) {
            true => "http",
            false => "https",
        });
        // The text after the host decides, since `host:` parses as a host without a port.
        let port = match authority.port_u16() {
            Some(port) => port,
            None if authority.as_str() == host => DEFAULT_PORT,
            None => return Err(bad("its port is not a number from 1 to 65535")),
        };
        Ok(MasterAddress(format!("{scheme}://{host}:{port}")))
    }
}

fn is_loopback(host: &str) -> bool {
    let plain = host.trim_matches(['[', ']']);
    let address = plain.parse::<IpAddr>();
    address.map_or(plain == "localhost", |address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_mean_port_9999_and_http_only_on_the_loopback() {
        for (given, meant) in [
            ("http://127.0.0.1:9999", "http://127.0.0.1:9999"),
            ("http://netmaster:9999/", "http://netmaster:9999"),
            ("netmaster", "https://netmaster:9999"),
            ("localhost", "http://localhost:9999"),
            ("127.0.0.2:1", "http://127.0.0.2:1"),
            ("[::1]", "http://[::1]:9999"),
            ("https://[fd00::1]:7", "https://[fd00::1]:7"),
            ("https://127.0.0.1:7", "https://127.0.0.1:7"),
            ("http://netmaster", "http://netmaster:9999"),
            ("10.0.0.1:80", "https://10.0.0.1:80"),
            ("http://[::1]:9999", "http://[::1]:9999"),
        ] {
            assert_eq!(given.parse::<MasterAddress>().unwrap().to_string(), meant);
        }
    }

    #[test]
    fn what_cannot_be_a_master_is_refused_with_a_reason() {
        for (given, reason) in [
            ("ftp://m", "scheme"),
            ("", "host"),
            ("http://", "host"),
            ("http://m:99999", "port"),
            ("http://u:p@m:1", "passwords"),
            ("http://m:9999/api", "end after the port"),
            ("a b", "host"),
        ] {
            let error = given.parse::<MasterAddress>().unwrap_err().to_string();
            assert!(error.contains(reason), "{given:?}: {error}");
        }
    }

    #[test]
    fn a_list_is_separated_by_commas() {
        let list = masters("http://a:1, b:2,").unwrap();
        assert_eq!(
            list.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["http://a:1", "https://b:2"]
        );
        assert!(masters("").unwrap().is_empty());
    }
}
