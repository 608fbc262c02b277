//! What a host joins with, and what people show.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;
use crate::fingerprint::{Fingerprint, hex};
use crate::secret::{Secret, random};

const JOIN: &str = "contiv-join";
const ADMIN: &str = "contiv-admin";

/// Lets one host join: `contiv-join.ID.SECRET.FINGERPRINT`. The fingerprint is the authority's,
/// so that the host knows its masters before it says anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinToken {
    /// Names the token; no secret.
    pub id: String,
    pub secret: Secret,
    pub authority: Fingerprint,
}

/// What an administrator shows: `contiv-admin.SECRET`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminToken {
    pub secret: Secret,
}

impl JoinToken {
    /// A new one for the cluster of this authority.
    pub fn new(authority: Fingerprint) -> Result<JoinToken, Error> {
        Ok(JoinToken {
            id: hex(&random::<8>()?),
            secret: Secret::new()?,
            authority,
        })
    }
}

impl AdminToken {
    /// A new one.
    pub fn new() -> Result<AdminToken, Error> {
        Ok(AdminToken {
            secret: Secret::new()?,
        })
    }
}

impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{JOIN}.{}.{}.{}",
            self.id,
            self.secret.text(),
            self.authority
        )
    }
}

impl fmt::Display for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ADMIN}.{}", self.secret.text())
    }
}

impl FromStr for JoinToken {
    type Err = Error;

    /// What is wrong is told without a word of the text: it is a secret.
    fn from_str(text: &str) -> Result<JoinToken, Error> {
        let bad = |reason| Error::JoinToken { reason };
        let mut parts = text.trim().split('.');
        let mut part = || parts.next();
        if part() != Some(JOIN) {
            return Err(bad("does not begin with contiv-join."));
        }
        let (Some(id), Some(secret), Some(authority), None) = (part(), part(), part(), part())
        else {
            return Err(bad("has not four parts"));
        };
        if id.len() != 16 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(bad("has an ID that is none"));
        }
        Ok(JoinToken {
            id: id.to_ascii_lowercase(),
            secret: Secret::parse(secret).ok_or(bad("has a secret that is cut off"))?,
            authority: authority
                .parse()
                .map_err(|_| bad("has a fingerprint that is cut off"))?,
        })
    }
}

impl FromStr for AdminToken {
    type Err = Error;

    fn from_str(text: &str) -> Result<AdminToken, Error> {
        let secret = text.trim().strip_prefix(ADMIN);
        let secret = secret.and_then(|rest| rest.strip_prefix('.'));
        let secret = secret.and_then(Secret::parse).ok_or(Error::AdminToken)?;
        Ok(AdminToken { secret })
    }
}
