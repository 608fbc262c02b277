//! Hails other hosts through the tunnel, and answers theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use contiv_datapath::{Hail, HailKind, Hailer};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::ways::{Way, Ways};
use crate::replica::Replica;
use crate::underlay::Underlay;

/// Between looks at where this host's end is.
const LOOK: Duration = Duration::from_secs(1);
/// How often another host is asked that does not answer, and how long each answer may take.
const TRIES: u32 = 4;
const PATIENCE: Duration = Duration::from_millis(400);
/// Hosts that are examined together ask each other within this time.
const TOGETHER: Duration = Duration::from_secs(15);
/// Answers in a second, at most: who asks more often is not examined but flooded.
const ANSWERS: u32 = 200;

/// This host's hails.
#[derive(Debug, Default)]
pub(crate) struct Hails {
    state: Mutex<State>,
    answered: Notify,
}

#[derive(Debug, Default)]
struct State {
    hailer: Option<Arc<Hailer>>,
    /// Numbers of hails that are waited for, and those of them that were answered.
    waiting: BTreeSet<u64>,
    answers: BTreeSet<u64>,
    /// Who has hailed this host, and when last.
    callers: BTreeMap<IpAddr, Instant>,
    /// Answers since this time.
    given: Option<(Instant, u32)>,
}

impl Hails {
    /// Answers others until the agent ends.
    pub(crate) async fn run(
        &self,
        replica: Arc<Replica>,
        underlay: Arc<Underlay>,
        stop: CancellationToken,
    ) {
        let mut failing = false;
        while !stop.is_cancelled() {
            let end = end(&replica, &underlay);
            let opened = end.map(|(address, port)| Hailer::open(address, port));
            let heard = async {
                match opened {
                    Some(Ok(hailer)) => {
                        failing = false;
                        self.listen(Arc::new(hailer), &replica, &underlay).await;
                    }
                    Some(Err(error)) if !failing => {
                        failing = true;
                        tracing::warn!(%error, "other hosts cannot be hailed");
                    }
                    Some(Err(_)) | None => {}
                }
                sleep(LOOK).await;
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = heard => {}
            }
            self.state().hailer = None;
        }
    }

    /// Hears what comes until this host's end is another one.
    async fn listen(&self, hailer: Arc<Hailer>, replica: &Replica, underlay: &Underlay) {
        #[expect(
            deprecated,
            reason = "the other call is for descriptors that somebody else may close"
        )]
        let frames = AsyncFd::with_interest(Arc::clone(&hailer), Interest::READABLE);
        let mut frames = match frames {
            Ok(frames) => frames,
            Err(error) => return tracing::warn!(%error, "hails cannot be awaited"),
        };
        self.state().hailer = Some(Arc::clone(&hailer));
        while end(replica, underlay) == Some(hailer.end()) {
            tokio::select! {
                ready = frames.readable_mut() => {
                    let Ok(mut ready) = ready else { return };
                    ready.clear_ready();
                    while let Some(hail) = hailer.hear() {
                        self.take(&hailer, &hail);
                    }
                }
                () = sleep(LOOK) => {}
            }
        }
    }

    fn take(&self, hailer: &Hailer, hail: &Hail) {
        let mut state = self.state();
        match hail.kind {
            HailKind::Answer => {
                if state.waiting.contains(&hail.nonce) {
                    state.answers.insert(hail.nonce);
                    self.answered.notify_waiters();
                }
            }
            HailKind::Ask if hail.from != hailer.end().0 => {
                if !state.may_answer(Instant::now()) {
                    return;
                }
                state.callers.insert(hail.from, Instant::now());
                if let Err(error) = hailer.answer(hail) {
                    tracing::debug!(to = %hail.from, %error, "a hail is not answered");
                }
            }
            HailKind::Ask => {}
        }
    }

    /// Hails each of these hosts, by the smallest packet and by one of `size`.
    pub(super) async fn around(&self, peers: &BTreeMap<String, IpAddr>, size: u32) -> Ways {
        let Some(hailer) = self.state().hailer.clone() else {
            return Ways::unknown(peers);
        };
        // Not to be guessed, so that nobody answers for another.
        let nonce = || RandomState::new().hash_one(0_u8);
        let asked: Vec<(&String, IpAddr, u64, u64)> = peers
            .iter()
            .map(|(name, address)| (name, *address, nonce(), nonce()))
            .collect();
        let numbers = asked
            .iter()
            .flat_map(|(_, _, small, large)| [*small, *large]);
        let numbers: BTreeSet<u64> = numbers.collect();
        self.state().waiting.extend(&numbers);
        for _ in 0..TRIES {
            for (_, address, small, large) in &asked {
                for (nonce, size) in [(*small, 0), (*large, size)] {
                    if !self.state().answers.contains(&nonce) {
                        // What cannot be sent is not answered.
                        drop(hailer.ask(*address, nonce, size));
                    }
                }
            }
            if self.all_answered(&numbers).await {
                break;
            }
        }
        let mut state = self.state();
        let now = Instant::now();
        let recent = |at: &Instant| now.duration_since(*at) < TOGETHER;
        state.callers.retain(|_, at| recent(at));
        let way = |&(name, address, small, large): &(&String, IpAddr, u64, u64)| {
            let way = Way {
                address,
                small: state.answers.contains(&small),
                large: state.answers.contains(&large),
                heard: state.callers.contains_key(&address),
            };
            (name.clone(), way)
        };
        let peers = asked.iter().map(way).collect();
        state.waiting.retain(|nonce| !numbers.contains(nonce));
        state.answers.retain(|nonce| !numbers.contains(nonce));
        Ways {
            hailed: true,
            peers,
        }
    }

    /// Waits for the answers, not for long.
    async fn all_answered(&self, numbers: &BTreeSet<u64>) -> bool {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let next = self.answered.notified();
            tokio::pin!(next);
            next.as_mut().enable();
            if numbers.is_subset(&self.state().answers) {
                return true;
            }
            if timeout_at(until, next).await.is_err() {
                return false;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn may_answer(&mut self, now: Instant) -> bool {
        let (since, given) = self.given.get_or_insert((now, 0));
        if now.duration_since(*since) >= Duration::from_secs(1) {
            (*since, *given) = (now, 0);
        }
        *given += 1;
        *given <= ANSWERS
    }
}

/// Where this host's end is, as the data plane makes it.
fn end(replica: &Replica, underlay: &Underlay) -> Option<(IpAddr, u16)> {
    let port = replica.read().global()?.vxlan_port;
    Some((underlay.known()?, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_too_often_is_not_answered_for_a_while() {
        let (mut state, now) = (State::default(), Instant::now());
        let allowed = (0..ANSWERS + 50).filter(|_| state.may_answer(now)).count();
        assert_eq!(u32::try_from(allowed).unwrap(), ANSWERS);
        assert!(state.may_answer(now + Duration::from_secs(1)));
    }
}
