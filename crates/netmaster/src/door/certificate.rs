//! This master's own certificate. Its key is in memory alone: a new start is a new one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use contiv_identity::{Authority, Certificate, Error, Lifetimes, renew_at};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_util::sync::CancellationToken;

use super::names::Names;
use crate::clock::now;

/// How often it is looked whether the certificate still fits.
const LOOK: Duration = Duration::from_secs(30);

/// What is shown in handshakes, made anew in time; conversations go on meanwhile.
pub(super) struct ServerCertificate {
    authority: Arc<Authority>,
    lifetimes: Lifetimes,
    names: Names,
    shown: ArcSwap<Shown>,
}

struct Shown {
    names: Vec<String>,
    renew_at: u64,
    certified: Arc<CertifiedKey>,
}

impl ServerCertificate {
    pub(super) fn new(
        authority: Arc<Authority>,
        lifetimes: Lifetimes,
        names: Names,
    ) -> Result<ServerCertificate, Error> {
        let first = make(&authority, &lifetimes, names.now(), now())?;
        Ok(ServerCertificate {
            authority,
            lifetimes,
            names,
            shown: ArcSwap::from_pointee(first),
        })
    }

    /// What it is for.
    pub(super) fn names(&self) -> Vec<String> {
        self.shown.load().names.clone()
    }

    /// What is shown now.
    pub(super) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.shown.load().certified)
    }

    /// Looks now and then, until the end.
    pub(super) async fn keep(&self, stop: CancellationToken) {
        let look = LOOK.min(self.lifetimes.server / 10);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(look) => {}
            }
            if let Err(error) = self.look(now()) {
                tracing::error!(%error, "the certificate cannot be made anew");
            }
        }
    }

    /// Makes another certificate when names have changed or the time has come; true when it did.
    pub(super) fn look(&self, now: u64) -> Result<bool, Error> {
        let (shown, names) = (self.shown.load(), self.names.now());
        if shown.names == names && now < shown.renew_at {
            return Ok(false);
        }
        tracing::info!(names = names.join(","), "the certificate is made anew");
        let next = make(&self.authority, &self.lifetimes, names, now)?;
        self.shown.store(Arc::new(next));
        Ok(true)
    }
}

fn make(
    authority: &Authority,
    lifetimes: &Lifetimes,
    names: Vec<String>,
    now: u64,
) -> Result<Shown, Error> {
    let issued = authority.sign_server(now, lifetimes, &names)?;
    let certificate = Certificate {
        chain: issued.chain,
        key: issued.key,
    };
    Ok(Shown {
        names,
        renew_at: renew_at(now, issued.until),
        certified: Arc::new(certificate.certified()?),
    })
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.certified())
    }
}

impl fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServerCertificate")
            .field(&self.names)
            .finish()
    }
}
