//! Chance, hashes, and comparing without telling how much was right.

use std::fmt;

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq;

use crate::error::Error;
use crate::fingerprint::{hex, unhex};

/// 256 bits that nobody guesses. It is too long to be searched for, so that a plain hash of
/// it may be stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new one.
    pub fn new() -> Result<Secret, Error> {
        Ok(Secret(hex(&random::<32>()?)))
    }

    /// The one that a text is.
    pub(crate) fn parse(text: &str) -> Option<Secret> {
        (unhex(text)?.len() == 32).then(|| Secret(text.to_ascii_lowercase()))
    }

    /// What is stored in its place.
    pub fn hash(&self) -> String {
        hash(&self.0)
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// The SHA-256 of a text, in hexadecimal digits.
pub fn hash(text: &str) -> String {
    hex(digest(&SHA256, text.as_bytes()).as_ref())
}

/// Whether a secret is the one of this hash; takes as long for one that is nearly right.
pub fn hash_matches(secret: &Secret, stored: &str) -> bool {
    secret.hash().as_bytes().ct_eq(stored.as_bytes()).into()
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::NoChance)?;
    Ok(bytes)
}
