//! A master: the real one, on its way to the store, behind its end of the network.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use netmaster::{Clock, Ledger, Master, Settings};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::etcd::{Etcd, Handle};
use crate::fault::Fault;
use crate::network::Network;
use crate::skew::{self, Skew};
use crate::tally::Tally;
use crate::time::WallClock;
use crate::usurp;

/// A host that is silent for longer is collected.
pub(crate) const HOST_TIMEOUT: Duration = Duration::from_secs(12);

/// Between attempts to start.
const AGAIN: Duration = Duration::from_millis(700);

/// A machine with a netmaster on it, that runs or not.
pub(crate) struct MasterNode {
    pub(crate) name: String,
    pub(crate) clock: WallClock,
    etcd: Etcd,
    network: Network,
    fault: Option<Fault>,
    tally: Tally,
    running: Arc<Mutex<Option<Running>>>,
    task: Option<JoinHandle<()>>,
}

/// A master's life.
#[derive(Clone)]
struct Running {
    handle: Arc<Handle>,
    stop: CancellationToken,
    /// None while it starts.
    ledger: Option<Arc<Ledger>>,
}

impl MasterNode {
    pub(crate) fn new(
        name: &str,
        clock: WallClock,
        etcd: &Etcd,
        network: &Network,
        fault: Option<Fault>,
        tally: &Tally,
    ) -> MasterNode {
        MasterNode {
            name: name.to_owned(),
            clock,
            etcd: etcd.clone(),
            network: network.clone(),
            fault,
            tally: tally.clone(),
            running: Arc::default(),
            task: None,
        }
    }

    /// Starts it, and again whenever it ends by itself; nothing happens if it runs.
    pub(crate) fn start(&mut self, skew: Skew) {
        if self.task.is_some() {
            return;
        }
        let life = Life {
            name: self.name.clone(),
            clock: self.clock.clone(),
            etcd: self.etcd.clone(),
            network: self.network.clone(),
            running: Arc::clone(&self.running),
            skew,
            fault: self.fault,
            tally: self.tally.clone(),
        };
        self.task = Some(tokio::spawn(life.live()));
    }

    /// Ends it in the middle of whatever it does; it comes back by `start` alone.
    pub(crate) fn crash(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
        self.end();
    }

    /// Ends its life, after which it starts anew if it was not crashed.
    pub(crate) fn end(&self) {
        if let Some(running) = self.running().take() {
            running.handle.close();
            running.stop.cancel();
        }
        self.network.crash(&self.name);
    }

    /// It stands still: nothing goes in or out.
    pub(crate) fn set_frozen(&self, frozen: bool) {
        self.network.set_frozen(&self.name, frozen);
        self.set_store_cut(frozen);
    }

    pub(crate) fn set_store_cut(&self, cut: bool) {
        if let Some(running) = &*self.running() {
            running.handle.set_cut(cut);
        }
    }

    pub(crate) fn set_lag(&self, lag: Duration) {
        if let Some(running) = &*self.running() {
            running.handle.set_lag(lag);
        }
    }

    /// Whether it runs, and nothing is between it and the store.
    pub(crate) fn is_calm(&self) -> bool {
        let running = self.running();
        let calm = |running: &Running| running.ledger.is_some() && running.handle.is_calm();
        running.as_ref().is_some_and(calm)
    }

    /// Its ledger, if it runs.
    pub(crate) fn ledger(&self) -> Option<Arc<Ledger>> {
        self.running().as_ref()?.ledger.clone()
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What starts a master, and starts it again, as systemd does.
struct Life {
    name: String,
    clock: WallClock,
    etcd: Etcd,
    network: Network,
    running: Arc<Mutex<Option<Running>>>,
    skew: Skew,
    fault: Option<Fault>,
    tally: Tally,
}

impl Life {
    async fn live(self) {
        loop {
            let (handle, stop) = (self.etcd.handle(&self.name), CancellationToken::new());
            self.set(Running {
                handle: Arc::clone(&handle),
                stop: stop.clone(),
                ledger: None,
            });
            let clock = self.clock.clone();
            let settings = Settings {
                presets: Default::default(),
                clock: Clock::new(move || clock.now()),
                host_timeout: Some(HOST_TIMEOUT),
                address: ([127, 0, 0, 1], 9999).into(),
                netmode: None,
            };
            let tracker = TaskTracker::new();
            let store = Arc::<Handle>::clone(&handle);
            match Master::start(store, settings, &tracker, &stop).await {
                Ok(master) => {
                    self.set(Running {
                        handle: Arc::clone(&handle),
                        stop: stop.clone(),
                        ledger: Some(Arc::clone(master.ledger())),
                    });
                    let router = usurp::layer(master.trusting(), self.fault, master.ledger());
                    let router = skew::layer(router, self.skew, &self.tally);
                    self.serve(router, &stop).await;
                }
                Err(error) => tracing::debug!(master = self.name, %error, "no start"),
            }
            stop.cancel();
            handle.close();
            self.network.crash(&self.name);
            sleep(AGAIN).await;
        }
    }

    fn set(&self, running: Running) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
    }

    async fn serve(&self, router: Router, stop: &CancellationToken) {
        let mut arrivals = self.network.listen(&self.name);
        loop {
            let arrived = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                arrived = arrivals.recv() => arrived,
            };
            let Some((_, stream)) = arrived else { return };
            let (router, stop) = (router.clone(), stop.clone());
            tokio::spawn(async move {
                let service = service_fn(move |request: hyper::Request<Incoming>| {
                    let answer = router.clone().oneshot(request.map(Body::new));
                    async move { answer.await.map_err(|never: Infallible| never) }
                });
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::select! {
                    biased;
                    () = stop.cancelled() => {}
                    _ = connection => {}
                }
            });
        }
    }
}
