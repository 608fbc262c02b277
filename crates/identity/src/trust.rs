//! Whom a client believes to be a master.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::fingerprint::Fingerprint;

/// Believes the servers of one authority, which is known by its fingerprint.
///
/// 1. The server sends its authority's certificate along. Only one that has the fingerprint is
///    taken, whatever else is sent.
/// 2. With it as the one root, the server's certificate must be in force, be signed by it, be
///    for a server, and be for the name that the client called.
///
/// Nothing of the request is sent before.
#[derive(Debug)]
pub(crate) struct OneAuthority {
    authority: Fingerprint,
    provider: Arc<CryptoProvider>,
}

impl OneAuthority {
    pub(crate) fn new(authority: Fingerprint, provider: Arc<CryptoProvider>) -> OneAuthority {
        OneAuthority {
            authority,
            provider,
        }
    }
}

impl ServerCertVerifier for OneAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let known = |der: &&CertificateDer<'_>| Fingerprint::of(der) == self.authority;
        let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let root = intermediates.iter().find(known).ok_or(unknown)?;
        let mut roots = RootCertStore::empty();
        roots.add(root.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::clone(&self.provider),
        );
        let verifier = verifier
            .build()
            .map_err(|e| Error::General(e.to_string()))?;
        verifier.verify_server_cert(end_entity, &[], server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("only TLS 1.3 is spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
