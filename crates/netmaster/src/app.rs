//! Wires netmaster together; read it as the diagram.
//!
//! ```text
//!   netctl, REST clients ──▶ api ────▶ Ledger ──▶ store (one writer thread, one file)
//!   netplugin of each host ─▶ agent ──▶  ▲   │
//!                              │ ▲       │   └─▶ Follower: image, history ─▶ streams, watchers
//!                              ▼ │       │
//!                             Hosts ──▶ Sweeper, Collector
//! ```

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use contiv_fabric::Presets;
use contiv_model::agent::{ForwardMode, Revision};
use contiv_model::parsed::InfraType;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::back::Back;
use crate::clock::Clock;
use crate::config::{Config, FwdMode, Infra};
use crate::door::Door;
use crate::listen::Listen;
use crate::master::{Master, Settings};
use crate::notify;
use crate::storage;

/// Requests that still run at the end get this long.
const DRAIN: Duration = Duration::from_secs(10);

/// An option whose value cannot be used; the process ends with 22.
#[derive(Debug, thiserror::Error)]
#[error("{option}: {reason}")]
pub struct BadOption {
    pub option: &'static str,
    pub reason: String,
}

/// A running netmaster.
pub struct App {
    tracker: TaskTracker,
    stop: CancellationToken,
    back: Arc<Back>,
}

/// Why a netmaster has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was told to.
    Told,
    /// Its store is not what hosts were told: it must be opened anew, as one that was restored.
    WentBack(Revision),
}

impl App {
    /// Opens the store, binds the listener and starts every task.
    pub async fn start(config: Config) -> anyhow::Result<App> {
        App::start_on(config, false).await
    }

    /// The same, `again` on a store of which hosts have shown that it went back.
    async fn start_on(config: Config, again: bool) -> anyhow::Result<App> {
        let listeners = bind(&config).await?;
        let address = match listeners.first() {
            Some((_, first)) => first.local_addr()?,
            None => anyhow::bail!("--listen-url: name an address to listen at"),
        };
        let store = storage::open(&config).await?;
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let settings = Settings {
            presets: presets(&config),
            clock: Clock::default(),
            host_timeout: config.host_timeout.0,
            address,
            netmode: config.netmode,
        };
        let master = Master::start(store, settings, &tracker, &stop).await?;
        if again {
            master.back().be_deaf();
        }
        let ledger = master.ledger();
        let secure = config.listen_url.iter().any(|listen| listen.secure);
        let door = match secure {
            true => Some(Door::open(&config, ledger).await?),
            false => None,
        };
        for (listen, listener) in listeners {
            match &door {
                Some(door) if listen.secure => {
                    door.serve(listener, master.router().clone(), &tracker, &stop)?;
                }
                _ => {
                    let service = master.trusting();
                    let service = service.into_make_service_with_connect_info::<SocketAddr>();
                    let serving = axum::serve(listener, service)
                        .with_graceful_shutdown(stop.clone().cancelled_owned());
                    tracker.spawn(async move { serving.await });
                }
            }
        }
        if let Some(door) = &door {
            door.keep(&tracker, &stop);
        }

        tracker.close();
        let revision = ledger.read().revision();
        tracing::info!(%address, %revision, data = %config.data_dir.display(), "netmaster is ready");
        notify::ready();
        let back = Arc::clone(master.back());
        Ok(App {
            tracker,
            stop,
            back,
        })
    }

    /// Serves until it is told to end. When the store went back, it is opened once more, in a new
    /// epoch.
    pub async fn serve(config: Config) -> anyhow::Result<()> {
        let app = App::start(config.clone()).await?;
        let Ended::WentBack(seen) = app.run().await? else {
            return Ok(());
        };
        storage::set_seen(&config, seen)?;
        App::start_on(config, true).await?.run().await.map(drop)
    }

    /// Runs until SIGTERM or SIGINT: listeners stop, streams end, running calls are answered.
    pub async fn run(self) -> anyhow::Result<Ended> {
        let (mut term, mut int) = (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        );
        let (lost, ended) = tokio::select! {
            _ = term.recv() => (false, Ended::Told),
            _ = int.recv() => (false, Ended::Told),
            () = self.stop.cancelled() => (true, Ended::Told),
            seen = self.back.shown() => (false, Ended::WentBack(seen)),
        };
        if ended == Ended::Told {
            notify::stopping();
        }
        self.stop.cancel();
        if tokio::time::timeout(DRAIN, self.tracker.wait())
            .await
            .is_err()
        {
            tracing::warn!("some requests did not end in time");
        }
        anyhow::ensure!(!lost, "the store is lost");
        tracing::info!(?ended, "netmaster ends");
        Ok(ended)
    }
}

async fn bind(config: &Config) -> anyhow::Result<Vec<(Listen, TcpListener)>> {
    let mut listeners = Vec::new();
    for listen in &config.listen_url {
        let listener = TcpListener::bind(listen.address).await;
        let listener =
            listener.with_context(|| format!("--listen-url: cannot listen at {listen}"))?;
        listeners.push((*listen, listener));
    }
    Ok(listeners)
}

fn presets(config: &Config) -> Presets {
    Presets {
        forward_mode: config.fwdmode.map(|mode| match mode {
            FwdMode::Bridge => ForwardMode::Bridge,
            FwdMode::Routing => ForwardMode::Routing,
        }),
        infra: match config.infra {
            Infra::Default => Some(InfraType::Default),
        },
    }
}
