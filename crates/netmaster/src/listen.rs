//! Where the API is served, and how: plain on the loopback, by TLS everywhere else.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// One address of `--listen-url`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    pub address: SocketAddr,
    /// By TLS, and only to those who prove who they are.
    pub secure: bool,
}

impl FromStr for Listen {
    type Err = String;

    /// The loopback is plain unless it is asked for as `https://`; nothing else ever is.
    fn from_str(text: &str) -> Result<Listen, String> {
        let (scheme, plain) = match text.split_once("://") {
            None => (None, text),
            Some((scheme @ ("http" | "https"), rest)) => (Some(scheme), rest),
            Some((scheme, _)) => {
                return Err(format!(
                    "{scheme}:// is not served; leave it out, or say https://"
                ));
            }
        };
        let plain = plain.trim_end_matches('/');
        let plain = plain.replacen("localhost:", "127.0.0.1:", 1);
        let address: SocketAddr = plain
            .parse()
            .map_err(|_| "give an address and a port, such as 127.0.0.1:9999".to_owned())?;
        let loopback = address.ip().is_loopback();
        if scheme == Some("http") && !loopback {
            return Err(format!(
                "http:// is neither encrypted nor authenticated, so that whoever reaches {} would \
                 rule the fabric; leave it out, or say https://, and it is both",
                address.ip()
            ));
        }
        let secure = scheme == Some("https") || !loopback;
        Ok(Listen { address, secure })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.address)
    }
}
