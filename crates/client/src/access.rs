//! Whom a client believes, and what it shows.

use contiv_identity::{Certificate, Fingerprint, client_config};
use hyper::header::HeaderValue;
use rustls::ClientConfig;

use crate::address::MasterAddress;
use crate::error::Error;

/// What a client brings to masters beyond the loopback; nothing of it is sent to any other.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The authority whose masters are believed.
    pub authority: Option<Fingerprint>,
    /// Sent along as `Authorization: Bearer …`, to masters of that authority only.
    pub token: Option<Token>,
    /// A host's certificate and key.
    pub certificate: Option<Certificate>,
}

/// A token that is shown to masters.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(pub String);

impl Access {
    /// Access by an authority's fingerprint and a token.
    pub fn with_token(authority: Fingerprint, token: impl Into<String>) -> Access {
        Access {
            authority: Some(authority),
            token: Some(Token(token.into())),
            certificate: None,
        }
    }

    /// Access of a host that has joined.
    pub fn with_certificate(authority: Fingerprint, certificate: Certificate) -> Access {
        Access {
            authority: Some(authority),
            token: None,
            certificate: Some(certificate),
        }
    }

    /// Refuses masters that cannot be spoken to safely.
    ///
    /// 1. Beyond the loopback everything is encrypted.
    /// 2. Whoever is spoken to so must be known.
    pub(crate) fn check(&self, masters: &[MasterAddress]) -> Result<(), Error> {
        let bad = |master: &MasterAddress, reason: &str| Error::BadAddress {
            address: master.to_string(),
            reason: reason.to_owned(),
        };
        for master in masters {
            if !master.is_secure() && !master.is_loopback() {
                let reason = "http:// is for the loopback alone, since it is neither encrypted nor \
                              authenticated; use https://";
                return Err(bad(master, reason));
            }
            if master.is_secure() && self.authority.is_none() {
                let reason = "which authority's masters are to be believed is not known; people \
                              say it by `netctl login`, hosts by --join-token";
                return Err(bad(master, reason));
            }
        }
        Ok(())
    }

    pub(crate) fn authorization(&self) -> Result<Option<HeaderValue>, Error> {
        let Some(Token(token)) = &self.token else {
            return Ok(None);
        };
        let value = HeaderValue::try_from(format!("Bearer {}", token.trim()));
        let mut value = value.map_err(|_| Error::BadToken)?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    pub(crate) fn config(&self) -> Result<ClientConfig, Error> {
        Ok(client_config(self.authority, self.certificate.as_ref())?)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}
