//! A host's key, and its request for a certificate.

use rcgen::{
    CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType, KeyPair,
    PublicKeyData,
};
use rustls::pki_types::CertificateSigningRequestDer;
use rustls::pki_types::pem::PemObject;

use crate::error::Error;
use crate::fingerprint::Fingerprint;

/// A private key that never leaves its host.
#[derive(Debug)]
pub struct HostKey(KeyPair);

impl HostKey {
    /// A new one, on curve P-256.
    pub fn new() -> Result<HostKey, Error> {
        let pair = KeyPair::generate().map_err(|e| Error::unmakable("a key", e))?;
        Ok(HostKey(pair))
    }

    /// The one that was stored.
    pub fn from_pem(pem: &str) -> Result<HostKey, Error> {
        let pair = KeyPair::from_pem(pem).map_err(|e| Error::unreadable("the key", e))?;
        Ok(HostKey(pair))
    }

    /// To be stored where nobody else reads.
    pub fn to_pem(&self) -> String {
        self.0.serialize_pem()
    }

    /// The request for a certificate of this name, in PEM; signed, which proves that the
    /// requester has the key.
    pub fn request(&self, host: &str) -> Result<String, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, host);
        let request = params
            .serialize_request(&self.0)
            .and_then(|request| request.pem());
        request.map_err(|e| Error::unmakable("the request for a certificate", e))
    }

    /// The fingerprint of its public half.
    pub fn public(&self) -> Fingerprint {
        Fingerprint::of(&self.0.subject_public_key_info())
    }
}

/// The fingerprint of the public key that a request is signed with.
pub fn public_key_of_request(pem: &str) -> Result<Fingerprint, Error> {
    let request = read(pem)?;
    Ok(Fingerprint::of(
        &request.public_key.subject_public_key_info(),
    ))
}

/// A request whose signature is right.
pub(crate) fn read(pem: &str) -> Result<CertificateSigningRequestParams, Error> {
    let bad = |reason: String| Error::unreadable("the request for a certificate", reason);
    let der = CertificateSigningRequestDer::from_pem_slice(pem.as_bytes())
        .map_err(|e| bad(e.to_string()))?;
    CertificateSigningRequestParams::from_der(&der).map_err(|e| bad(e.to_string()))
}
