//! What a certificate says of its owner.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::error::Error;
use crate::fingerprint::Fingerprint;

/// The organisation in certificates of hosts.
pub(crate) const HOSTS: &str = "contiv:hosts";

/// A certificate, read. Whether it is to be believed is what the handshake has found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// The host that it is for; none when it is no host's.
    pub host: Option<String>,
    pub fingerprint: Fingerprint,
    /// That of the public key.
    pub public_key: Fingerprint,
    /// The last moment of its life.
    pub until: u64,
}

impl Presented {
    /// Reads a certificate in DER.
    pub fn read(der: &[u8]) -> Result<Presented, Error> {
        let (_, parsed) =
            X509Certificate::from_der(der).map_err(|e| Error::unreadable("the certificate", e))?;
        let subject = parsed.subject();
        let organisations = subject.iter_organization();
        let is_host = organisations.filter_map(|o| o.as_str().ok()).eq([HOSTS]);
        let mut names = subject.iter_common_name().filter_map(|n| n.as_str().ok());
        let host = match (names.next(), names.next()) {
            (Some(name), None) if is_host => Some(name.to_owned()),
            _ => None,
        };
        let until = parsed.validity().not_after.timestamp();
        Ok(Presented {
            host,
            fingerprint: Fingerprint::of(der),
            public_key: Fingerprint::of(parsed.public_key().raw),
            until: u64::try_from(until).unwrap_or_default() * 1000,
        })
    }

    /// Reads the first certificate of a PEM file.
    pub fn read_pem(pem: &str) -> Result<Presented, Error> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|e| Error::unreadable("the certificate", e))?;
        Presented::read(&der)
    }
}
