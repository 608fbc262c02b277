//! An authority in 64 digits.

use std::fmt;
use std::str::FromStr;

use ring::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::error::Error;

/// The SHA-256 of a certificate, as other programs print it as well.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// That of no certificate.
    pub(crate) const NOBODY: Fingerprint = Fingerprint([0; 32]);

    /// That of a certificate in DER.
    pub fn of(der: &[u8]) -> Fingerprint {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, der).as_ref());
        Fingerprint(bytes)
    }

    /// That of the first certificate of a PEM file.
    pub fn of_pem(pem: &str) -> Result<Fingerprint, Error> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|e| Error::unreadable("the certificate", e))?;
        Ok(Fingerprint::of(&der))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = Error;

    /// Colons between the digits, upper case and a leading `sha256:` are what other programs
    /// print; they are taken.
    fn from_str(text: &str) -> Result<Fingerprint, Error> {
        let bad = || Error::Fingerprint {
            text: text.to_owned(),
        };
        let plain = text.trim().to_ascii_lowercase();
        let plain = plain.strip_prefix("sha256:").unwrap_or(&plain);
        let plain: String = plain.chars().filter(|c| *c != ':').collect();
        let bytes = unhex(&plain).ok_or_else(bad)?;
        Ok(Fingerprint(bytes.try_into().map_err(|_| bad())?))
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.bytes().all(|b| b.is_ascii_hexdigit()) || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}
