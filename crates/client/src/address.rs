//! Where masters are: the addresses a user or a unit file gives.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;

use crate::error::Error;

/// The master that is asked when nobody says otherwise.
pub const DEFAULT_MASTER: &str = "http://127.0.0.1:9999";

/// The port of a master that is named by its host alone.
const DEFAULT_PORT: u16 = 9999;

/// One master, `http://host:port`; `host` and `host:port` are short for it.
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
        let rest = match s.split_once("://") {
            None | Some(("http", _)) => s.trim_start_matches("http://"),
            Some(("https", _)) => return Err(bad("https is not served yet; use http://")),
            Some(_) => return Err(bad("the scheme must be http")),
        };
        if rest.is_empty() {
            return Err(bad("it names no host"));
        }
        let uri: Uri = format!("http://{}", rest.trim_end_matches('/'))
            .parse()
            .map_err(|_| bad("not of the form http://host:port"))?;
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
        // The text after the host decides, since `host:` parses as a host without a port.
        match authority.port_u16() {
            Some(port) => Ok(MasterAddress(format!("http://{}:{port}", authority.host()))),
            None if authority.as_str() == authority.host() => Ok(MasterAddress(format!(
                "http://{}:{DEFAULT_PORT}",
                authority.host()
            ))),
            None => Err(bad("its port is not a number from 1 to 65535")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_mean_http_and_port_9999() {
        for (given, meant) in [
            ("http://127.0.0.1:9999", "http://127.0.0.1:9999"),
            ("http://netmaster:9999/", "http://netmaster:9999"),
            ("netmaster", "http://netmaster:9999"),
            ("http://netmaster", "http://netmaster:9999"),
            ("10.0.0.1:80", "http://10.0.0.1:80"),
            ("http://[::1]:9999", "http://[::1]:9999"),
        ] {
            assert_eq!(given.parse::<MasterAddress>().unwrap().to_string(), meant);
        }
    }

    #[test]
    fn what_cannot_be_a_master_is_refused_with_a_reason() {
        for (given, reason) in [
            ("https://m:9999", "https"),
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
            ["http://a:1", "http://b:2"]
        );
        assert!(masters("").unwrap().is_empty());
    }
}
