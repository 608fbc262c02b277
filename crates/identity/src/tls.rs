//! Both ends of a conversation. Only TLS 1.3 is spoken, and only by ring.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, Error as TlsError, RootCertStore,
    ServerConfig,
};

use crate::error::Error;
use crate::fingerprint::Fingerprint;
use crate::trust::OneAuthority;

/// A certificate with the authority's after it, and its key; both PEM.
#[derive(Clone)]
pub struct Certificate {
    pub chain: String,
    pub key: String,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certificate(…)")
    }
}

impl Certificate {
    fn read(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
        let chain: Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(self.chain.as_bytes()).collect();
        let chain = chain.map_err(|e| Error::unreadable("the certificate", e))?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes());
        Ok((chain, key.map_err(|e| Error::unreadable("the key", e))?))
    }

    /// As a server shows it.
    pub fn certified(&self) -> Result<CertifiedKey, Error> {
        let (chain, key) = self.read()?;
        CertifiedKey::from_der(chain, key, &default_provider())
            .map_err(|e| Error::unreadable("the key", e))
    }
}

/// A server of the cluster whose authority this is; `shown` gives its certificate for each
/// conversation. Clients may show one of the same authority, and no other.
pub fn server_config(
    authority: &str,
    shown: Arc<dyn ResolvesServerCert>,
) -> Result<ServerConfig, Error> {
    let bad = |reason: String| Error::unreadable("the authority's certificate", reason);
    let der =
        CertificateDer::from_pem_slice(authority.as_bytes()).map_err(|e| bad(e.to_string()))?;
    let mut roots = RootCertStore::empty();
    roots.add(der).map_err(|e| bad(e.to_string()))?;
    let provider = provider();
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()
            .map_err(|e| bad(e.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .expect("ring speaks TLS 1.3")
        .with_client_cert_verifier(clients)
        .with_cert_resolver(shown);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// A client that believes the servers of this authority alone, and shows `own` when it has one.
/// Without an authority it believes nobody.
pub fn client_config(
    authority: Option<Fingerprint>,
    own: Option<&Certificate>,
) -> Result<ClientConfig, Error> {
    let provider = provider();
    // No certificate has the hash of nothing but zeros.
    let authority = authority.unwrap_or(Fingerprint::NOBODY);
    let verifier: Arc<dyn ServerCertVerifier> =
        Arc::new(OneAuthority::new(authority, Arc::clone(&provider)));
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .expect("ring speaks TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    match own {
        None => Ok(config.with_no_client_auth()),
        Some(own) => {
            let (chain, key) = own.read()?;
            config
                .with_client_auth_cert(chain, key)
                .map_err(|e| Error::unreadable("the key", e))
        }
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(default_provider())
}

/// What went wrong with TLS, and what to do, as a client tells it.
pub fn human(error: &TlsError) -> String {
    match error {
        TlsError::InvalidCertificate(why) => certificate(why),
        TlsError::AlertReceived(alert) => refused(*alert),
        TlsError::InvalidMessage(_) => {
            "what answers there does not speak TLS; http:// is for the loopback alone".into()
        }
        other => format!("TLS: {other}"),
    }
}

fn certificate(why: &CertificateError) -> String {
    match why {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its certificate is not of the authority that is trusted: another cluster, or somebody \
             in between; if the cluster was made anew, log in or join anew with its fingerprint"
                .into()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired; compare the clocks, then restart that netmaster".into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not in force yet; this machine's clock is behind, set it".into()
        }
        CertificateError::NotValidForName => {
            "its certificate is for other names; name it by --advertise-url of that netmaster"
                .into()
        }
        CertificateError::NotValidForNameContext { presented, .. } => format!(
            "its certificate is for other names ({}); use one of those, or add this one by \
             --advertise-url of that netmaster",
            presented.join(", ")
        ),
        other => format!("its certificate cannot be believed: {other}"),
    }
}

fn refused(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateExpired => {
            "it says that this host's certificate has expired; compare the clocks, then join anew \
             with a token of `netctl host token`"
                .into()
        }
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::DecryptError
        | AlertDescription::CertificateUnknown => {
            "it says that this host's certificate is of another cluster; join anew with a token of \
             `netctl host token`"
                .into()
        }
        AlertDescription::ProtocolVersion => "it does not speak TLS 1.3".into(),
        other => format!("it refuses the conversation: {other:?}"),
    }
}
