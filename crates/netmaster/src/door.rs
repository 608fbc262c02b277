//! The door to the network: TLS, and nobody in without saying who they are.
//!
//! ```text
//!   accept ─▶ handshake (certificate of a host, or none) ─▶ request ─▶ guard ─▶ routes
//!                 ▲                                                      │
//!            ServerCertificate ◀── Authority ◀── store ──▶ tokens, certificates
//! ```
//!
//! | file | noun |
//! | --- | --- |
//! | `certificate` | this master's own certificate, made anew in time |
//! | `names` | the names and addresses that it is for |
//! | `serve` | connections |
//! | `guard` | who asks, and whether they may |
//! | `local` | whose process speaks at the loopback, where keys are asked for |
//! | `admin` | the administrator's first token, and the files for people |

mod admin;
mod certificate;
mod guard;
mod local;
mod names;
mod serve;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use contiv_fabric::found_authority;
use contiv_fabric::identity::AuthorityRecord;
use contiv_identity::{Authority, Lifetimes, server_config};
use rustls::server::ResolvesServerCert;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use guard::{Caller, Peer, admit, own_endpoints};

use crate::clock::now;
use crate::config::Config;
use crate::ledger::Ledger;
use certificate::ServerCertificate;
use names::Names;

/// The cluster's authority as this master uses it, and what it shows at its listeners.
pub(crate) struct Door {
    authority: Arc<Authority>,
    shown: Arc<ServerCertificate>,
    acceptor: TlsAcceptor,
}

impl Door {
    /// Takes the authority of the store, or makes it; then a certificate of this master's own.
    pub(crate) async fn open(config: &Config, ledger: &Ledger) -> anyhow::Result<Door> {
        let lifetimes = Lifetimes::default();
        let authority = Arc::new(authority(ledger, &lifetimes).await?);
        admin::found(config, ledger, &authority).await?;
        let names = Names::new(&config.listen_url, &config.advertise_url);
        let shown = ServerCertificate::new(Arc::clone(&authority), lifetimes, names)?;
        let shown = Arc::new(shown);
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<ServerCertificate>::clone(&shown);
        let tls = server_config(authority.certificate(), resolver)?;
        Ok(Door {
            authority,
            shown,
            acceptor: TlsAcceptor::from(Arc::new(tls)),
        })
    }

    /// Serves those who come to `listener`, until the end.
    pub(crate) fn serve(
        &self,
        listener: TcpListener,
        router: Router,
        tracker: &TaskTracker,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let address = listener.local_addr()?;
        let authority = self.authority.fingerprint();
        let names = self.shown.names().join(",");
        tracing::info!(%address, %authority, names, "serving https");
        let connections = serve::Connections {
            acceptor: self.acceptor.clone(),
            router,
            tracker: tracker.clone(),
            stop: stop.clone(),
        };
        tracker.spawn(connections.run(listener));
        Ok(())
    }

    /// Keeps this master's certificate in force, until the end.
    pub(crate) fn keep(&self, tracker: &TaskTracker, stop: &CancellationToken) {
        let (shown, stop) = (Arc::clone(&self.shown), stop.clone());
        tracker.spawn(async move { shown.keep(stop).await });
    }
}

/// The one authority of all masters of this store.
async fn authority(ledger: &Ledger, lifetimes: &Lifetimes) -> anyhow::Result<Authority> {
    let known = ledger.read().image().identity().authority().cloned();
    let record = match known {
        Some(known) => known,
        None => {
            let made = Authority::new(now(), lifetimes)?;
            let made = AuthorityRecord {
                certificate: made.certificate().to_owned(),
                key: made.key().to_owned(),
            };
            let founded = ledger.decide(|image| found_authority(image, &made)).await;
            founded.context("the authority cannot be stored")?.answer
        }
    };
    Ok(Authority::from_pem(&record.certificate, &record.key)?)
}
