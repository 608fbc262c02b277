//! The cluster's own certificate authority.

use std::fmt;
use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::error::Error;
use crate::fingerprint::Fingerprint;
use crate::host_key;
use crate::lifetime::{Lifetimes, span};
use crate::presented::{HOSTS, Presented};
use crate::secret::random;

/// Signs the certificates of servers and hosts. Whoever has its key is the cluster.
pub struct Authority {
    certificate: String,
    key: String,
    issuer: Issuer<'static, KeyPair>,
    fingerprint: Fingerprint,
    until: u64,
}

/// A certificate that was made, with the key when it was made along.
#[derive(Clone)]
pub struct Issued {
    /// PEM: the certificate, then the authority's.
    pub chain: String,
    /// PEM; empty when the owner has it.
    pub key: String,
    /// That of the certificate itself.
    pub fingerprint: Fingerprint,
    /// The last moment of its life.
    pub until: u64,
}

impl Authority {
    /// A new authority.
    pub fn new(now: u64, lifetimes: &Lifetimes) -> Result<Authority, Error> {
        let bad = |e: rcgen::Error| Error::unmakable("the authority", e);
        let key = KeyPair::generate().map_err(bad)?;
        let mut params = CertificateParams::default();
        (params.not_before, params.not_after) =
            span(now, lifetimes.skew, lifetimes.authority, None)?;
        params.distinguished_name = DistinguishedName::new();
        let name = format!(
            "Contiv authority {}",
            crate::fingerprint::hex(&random::<4>()?)
        );
        params.distinguished_name.push(DnType::CommonName, name);
        // Certificates that it signs sign nothing.
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.serial_number = Some(serial()?);
        let certificate = params.self_signed(&key).map_err(bad)?;
        Authority::from_pem(&certificate.pem(), &key.serialize_pem())
    }

    /// The one that was stored.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Authority, Error> {
        let unreadable = |e: rcgen::Error| Error::unreadable("the authority", e);
        let pair = KeyPair::from_pem(key).map_err(unreadable)?;
        let issuer = Issuer::from_ca_cert_pem(certificate, pair).map_err(unreadable)?;
        let der = CertificateDer::from_pem_slice(certificate.as_bytes())
            .map_err(|e| Error::unreadable("the authority's certificate", e))?;
        Ok(Authority {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            issuer,
            fingerprint: Fingerprint::of(&der),
            until: Presented::read(&der)?.until,
        })
    }

    /// Its certificate in PEM; no secret.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Its key in PEM.
    pub fn key(&self) -> &str {
        &self.key
    }

    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// A certificate for a server that is reached by these names and addresses, with a new key.
    pub fn sign_server(
        &self,
        now: u64,
        lifetimes: &Lifetimes,
        names: &[String],
    ) -> Result<Issued, Error> {
        let bad = |e: rcgen::Error| Error::unmakable("the server's certificate", e);
        let key = KeyPair::generate().map_err(bad)?;
        let mut params = CertificateParams::default();
        for name in names {
            let name = match name.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(name.as_str().try_into().map_err(bad)?),
            };
            params.subject_alt_names.push(name);
        }
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, "netmaster");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let span = span(now, lifetimes.skew, lifetimes.server, Some(self.until))?;
        let mut issued = self.sign(params, span, &key)?;
        issued.key = key.serialize_pem();
        Ok(issued)
    }

    /// A certificate for the host of this name and the key of its request. Nothing else of the
    /// request is taken over.
    pub fn sign_host(
        &self,
        now: u64,
        lifetimes: &Lifetimes,
        host: &str,
        request: &str,
    ) -> Result<Issued, Error> {
        let request = host_key::read(request)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, HOSTS);
        params.distinguished_name.push(DnType::CommonName, host);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let span = span(now, lifetimes.skew, lifetimes.host, Some(self.until))?;
        self.sign(params, span, &request.public_key)
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        (from, until): (time::OffsetDateTime, time::OffsetDateTime),
        key: &impl rcgen::PublicKeyData,
    ) -> Result<Issued, Error> {
        (params.not_before, params.not_after) = (from, until);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.serial_number = Some(serial()?);
        params.use_authority_key_identifier_extension = true;
        let signed = params.signed_by(key, &self.issuer);
        let signed = signed.map_err(|e| Error::unmakable("the certificate", e))?;
        Ok(Issued {
            chain: format!("{}{}", signed.pem(), self.certificate),
            key: String::new(),
            fingerprint: Fingerprint::of(signed.der()),
            until: u64::try_from(until.unix_timestamp() * 1000).unwrap_or_default(),
        })
    }
}

fn serial() -> Result<SerialNumber, Error> {
    let mut bytes = random::<16>()?;
    // It is a positive number without leading zeros.
    bytes[0] = bytes[0] & 0x3f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Authority");
        shown.field("fingerprint", &self.fingerprint);
        shown.finish_non_exhaustive()
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Issued");
        shown.field("fingerprint", &self.fingerprint);
        shown.field("until", &self.until);
        shown.finish_non_exhaustive()
    }
}
