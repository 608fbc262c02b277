//! The network between those who ask and masters: connections that are slow, cut, or broken.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contiv_client::Dial;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::chance::Chance;
use crate::tally::Tally;

/// What a connection holds on its way.
const WINDOW: usize = 1 << 20;

/// A connection that has come to a master, with the name of who made it.
pub(crate) type Arrived = (String, DuplexStream);

/// The network; clones are the same one.
#[derive(Clone)]
pub(crate) struct Network(Arc<Inner>);

struct Inner {
    chance: Chance,
    tally: Tally,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// Masters that listen, by name.
    listeners: BTreeMap<String, mpsc::UnboundedSender<Arrived>>,
    /// Pairs of a caller and a master between which nothing passes.
    cut: BTreeSet<(String, String)>,
    /// Masters, or callers, that stand still.
    frozen: BTreeSet<String>,
    /// Living connections.
    connections: Vec<(String, String, CancellationToken)>,
    /// One chunk in so many breaks its connection.
    fragility: u64,
}

impl Network {
    pub(crate) fn new(chance: Chance, tally: Tally) -> Network {
        Network(Arc::new(Inner {
            chance,
            tally,
            state: Mutex::default(),
            changes: watch::Sender::new(0),
        }))
    }

    /// Connections of `from` to whatever master the address names.
    pub(crate) fn dial(&self, from: &str) -> Dial {
        let (network, from) = (self.clone(), from.to_owned());
        Dial::new(move |uri| {
            let (network, from) = (network.clone(), from.clone());
            let to = uri.host().unwrap_or_default().to_owned();
            Box::pin(async move { network.connect(from, to).await })
        })
    }

    async fn connect(self, from: String, to: String) -> io::Result<DuplexStream> {
        self.delay().await;
        self.passable(&from, &to).await;
        let listener = self.state().listeners.get(&to).cloned();
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let listener = listener.ok_or_else(refused)?;
        let (near, left) = duplex(WINDOW);
        let (right, far) = duplex(WINDOW);
        let broken = CancellationToken::new();
        {
            let mut state = self.state();
            state
                .connections
                .retain(|(_, _, broken)| !broken.is_cancelled());
            let connection = (from.clone(), to.clone(), broken.clone());
            state.connections.push(connection);
        }
        let (left_read, left_write) = split(left);
        let (right_read, right_write) = split(right);
        let (there, back) = (self.clone(), self);
        let pair = (from.clone(), to);
        let (pair_back, broken_back) = (pair.clone(), broken.clone());
        tokio::spawn(async move { there.carry(pair, left_read, right_write, broken).await });
        tokio::spawn(async move {
            back.carry(pair_back, right_read, left_write, broken_back)
                .await;
        });
        listener.send((from, far)).map_err(|_| refused())?;
        Ok(near)
    }

    /// Carries what comes at one end to the other.
    async fn carry(
        self,
        (from, to): (String, String),
        mut read: ReadHalf<DuplexStream>,
        mut write: WriteHalf<DuplexStream>,
        broken: CancellationToken,
    ) {
        let carry = async {
            let mut chunk = vec![0; 64 << 10];
            loop {
                let count = match read.read(&mut chunk).await {
                    Ok(0) | Err(_) => return,
                    Ok(count) => count,
                };
                self.delay().await;
                self.passable(&from, &to).await;
                if self.breaks() || write.write_all(&chunk[..count]).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            biased;
            () = broken.cancelled() => {}
            () = carry => broken.cancel(),
        }
    }

    fn breaks(&self) -> bool {
        let fragility = self.state().fragility;
        let breaks = fragility > 0 && self.0.chance.of(0..fragility) == 0;
        if breaks {
            self.0.tally.lose("connections broken");
        }
        breaks
    }

    async fn delay(&self) {
        let micros = match self.0.chance.happens(3) {
            true => self.0.chance.of(1_000..300_000),
            false => self.0.chance.of(50..2_000),
        };
        sleep(Duration::from_micros(micros)).await;
    }

    /// Waits until something can pass between the two.
    async fn passable(&self, from: &str, to: &str) {
        let mut changes = self.0.changes.subscribe();
        let passes = |state: &State| {
            let pair = (from.to_owned(), to.to_owned());
            !state.cut.contains(&pair) && !state.frozen.contains(from) && !state.frozen.contains(to)
        };
        while !passes(&self.state()) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// A master listens from now on; connections of its earlier life are broken.
    pub(crate) fn listen(&self, name: &str) -> mpsc::UnboundedReceiver<Arrived> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.state().listeners.insert(name.to_owned(), sender);
        receiver
    }

    /// A master, or a caller, is no more: nobody can connect to it, and its connections break.
    pub(crate) fn crash(&self, name: &str) {
        self.state().listeners.remove(name);
        self.break_all(|from, to| from == name || to == name);
    }

    /// Breaks the connections of a caller.
    pub(crate) fn break_of(&self, caller: &str) {
        self.break_all(|from, _| from == caller);
    }

    fn break_all(&self, these: impl Fn(&str, &str) -> bool) {
        let state = self.state();
        let connections = state.connections.iter();
        for (_, _, broken) in connections.filter(|(from, to, _)| these(from, to)) {
            broken.cancel();
        }
        self.0.tally.lose("ends of masters and agents");
    }

    /// Lets nothing pass between a caller and a master, or everything again.
    pub(crate) fn set_cut(&self, from: &str, to: &str, cut: bool) {
        let pair = (from.to_owned(), to.to_owned());
        match cut {
            true => self.state().cut.insert(pair),
            false => self.state().cut.remove(&pair),
        };
        self.0.changes.send_modify(|n| *n += 1);
    }

    /// Has somebody stand still, or go on.
    pub(crate) fn set_frozen(&self, name: &str, frozen: bool) {
        match frozen {
            true => self.state().frozen.insert(name.to_owned()),
            false => self.state().frozen.remove(name),
        };
        self.0.changes.send_modify(|n| *n += 1);
    }

    /// One chunk in `fragility` breaks its connection from now on; 0 for none.
    pub(crate) fn set_fragility(&self, fragility: u64) {
        self.state().fragility = fragility;
    }

    /// Whether nothing is between a caller and any master.
    pub(crate) fn is_calm(&self, caller: &str) -> bool {
        let state = self.state();
        let cut = state.cut.iter().any(|(from, _)| from == caller);
        state.fragility == 0 && state.frozen.is_empty() && !cut
    }

    /// Heals everything.
    pub(crate) fn heal(&self) {
        {
            let mut state = self.state();
            state.cut.clear();
            state.frozen.clear();
            state.fragility = 0;
        }
        self.0.changes.send_modify(|n| *n += 1);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
