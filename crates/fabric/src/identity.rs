//! Who may speak to masters, as it is stored: the cluster's authority, the administrator's token,
//! tokens of hosts that are to join, and certificates of those that have.
//!
//! Whoever reads the authority's record can make certificates, and so owns the cluster.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::image::{json, read};

/// A place below `/identity`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `/identity/authority`
    Authority,
    /// `/identity/admin`
    Admin,
    /// `/identity/tokens/ID`
    Token(String),
    /// `/identity/certificates/HOST`
    Certificate(String),
}

/// The authority that signs servers and hosts, in PEM. Every master of the store has this one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorityRecord {
    pub certificate: String,
    pub key: String,
}

/// The administrator's token, hashed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdminRecord {
    pub hash: String,
}

/// A token that lets one host join. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenRecord {
    pub hash: String,
    /// The host that it is for; any when there is none.
    pub host: Option<String>,
    pub until: u64,
    /// Who has used it up.
    pub used: Option<Used>,
}

/// The host that a token let join, and the fingerprint of its public key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Used {
    pub host: String,
    pub public_key: String,
}

/// The one certificate with which a host may speak.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateRecord {
    /// PEM: the certificate, then the authority's.
    pub chain: String,
    pub fingerprint: String,
    pub public_key: String,
    /// The last moment of its life.
    pub until: u64,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Identity {
    pub(crate) authority: Option<AuthorityRecord>,
    pub(crate) admin: Option<AdminRecord>,
    pub(crate) tokens: BTreeMap<String, TokenRecord>,
    pub(crate) certificates: BTreeMap<String, CertificateRecord>,
}

impl Identity {
    /// The authority; none before a master of the store listens beyond its loopback.
    pub fn authority(&self) -> Option<&AuthorityRecord> {
        self.authority.as_ref()
    }

    /// What the administrator's token is known by.
    pub fn admin(&self) -> Option<&AdminRecord> {
        self.admin.as_ref()
    }

    /// The certificate of a host that has joined.
    pub fn certificate(&self, host: &str) -> Option<&CertificateRecord> {
        self.certificates.get(host)
    }

    pub(crate) fn put(&mut self, place: Place, key: &str, value: &[u8]) -> Result<(), Error> {
        match place {
            Place::Authority => self.authority = Some(read(key, value)?),
            Place::Admin => self.admin = Some(read(key, value)?),
            Place::Token(id) => {
                self.tokens.insert(id, read(key, value)?);
            }
            Place::Certificate(host) => {
                self.certificates.insert(host, read(key, value)?);
            }
        }
        Ok(())
    }

    pub(crate) fn value(&self, place: &Place) -> Option<Bytes> {
        match place {
            Place::Authority => json(self.authority.as_ref()?),
            Place::Admin => json(self.admin.as_ref()?),
            Place::Token(id) => json(self.tokens.get(id)?),
            Place::Certificate(host) => json(self.certificates.get(host)?),
        }
    }

    pub(crate) fn delete(&mut self, place: &Place) {
        match place {
            Place::Authority => self.authority = None,
            Place::Admin => self.admin = None,
            Place::Token(id) => {
                self.tokens.remove(id);
            }
            Place::Certificate(host) => {
                self.certificates.remove(host);
            }
        }
    }
}

impl Place {
    /// The place that is named by what follows `/identity/`.
    pub(crate) fn parse(first: &str, rest: Option<&str>) -> Option<Place> {
        match (first, rest) {
            ("authority", None) => Some(Place::Authority),
            ("admin", None) => Some(Place::Admin),
            ("tokens", Some(id)) => Some(Place::Token(id.to_owned())),
            ("certificates", Some(host)) => Some(Place::Certificate(host.to_owned())),
            _ => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Authority => f.write_str("/identity/authority"),
            Place::Admin => f.write_str("/identity/admin"),
            Place::Token(id) => write!(f, "/identity/tokens/{id}"),
            Place::Certificate(host) => write!(f, "/identity/certificates/{host}"),
        }
    }
}

impl fmt::Debug for AuthorityRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthorityRecord(…)")
    }
}
