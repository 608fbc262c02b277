//! Masters that have fallen silent.
//!
//! A master that loses its power closes no connection. What listens to it hears nothing, as it
//! does when there is nothing to tell; calls notice first.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::error::Error;
use crate::transport::Client;

/// Counts, by master, the calls that it gave no answer to.
#[derive(Clone, Debug)]
pub(crate) struct Missed(Arc<watch::Sender<BTreeMap<String, u64>>>);

impl Default for Missed {
    fn default() -> Missed {
        Missed(Arc::new(watch::Sender::new(BTreeMap::new())))
    }
}

impl Missed {
    pub(crate) fn note(&self, master: &str) {
        self.0
            .send_modify(|missed| *missed.entry(master.to_owned()).or_default() += 1);
    }
}

impl Client {
    /// Waits until a call was in vain at this master, and so is one more.
    pub(crate) async fn until_silent(&self, master: &str) {
        let mut missed = self.missed().0.subscribe();
        let count = |missed: &BTreeMap<String, u64>| missed.get(master).copied();
        loop {
            let seen = count(&missed.borrow_and_update());
            // The sender lives as long as self: the wait cannot fail.
            let _ = missed.wait_for(|now| count(now) != seen).await;
            if self.is_silent(master).await {
                return;
            }
        }
    }

    /// Whether a master does not even say who it is. One whose store is slow misses calls as
    /// well, and its stream is as good as any.
    async fn is_silent(&self, master: &str) -> bool {
        let clients = self.each().into_iter();
        let mut only = clients.filter(|client| client.masters()[0].to_string() == master);
        let Some(only) = only.next() else {
            return false;
        };
        let asked = timeout(self.timeouts().connect, only.version()).await;
        matches!(asked, Err(_) | Ok(Err(Error::Unreachable { .. })))
    }
}
