//! The ledger's ear: what is committed, in order.

use std::sync::{Arc, PoisonError, RwLockWriteGuard};
use std::time::Duration;

use contiv_store::Following;

use super::{Committed, Ledger};
use crate::error::Error;

/// Between attempts to follow a store that cannot be read.
const AGAIN: Duration = Duration::from_millis(500);

/// Brings what is committed into the ledger, whoever committed it.
#[derive(Debug)]
pub struct Follower {
    ledger: Arc<Ledger>,
    following: Following,
}

impl Follower {
    pub(super) fn new(ledger: Arc<Ledger>, following: Following) -> Follower {
        Follower { ledger, following }
    }

    /// Follows until the store is closed. It fails only on records that nobody can read.
    pub async fn run(mut self) -> Result<(), Error> {
        loop {
            while let Some(commit) = self.following.changes.next().await {
                self.take(&commit)?;
            }
            // Lost: what happened meanwhile is in the contents.
            self.following = loop {
                match self.ledger.store.follow().await {
                    Ok(following) => break following,
                    Err(contiv_store::Error::Closed) => return Ok(()),
                    Err(error) => tracing::warn!(%error, "the store cannot be followed"),
                }
                tokio::time::sleep(AGAIN).await;
            };
            let anew = Committed::load(&self.following)?;
            tracing::info!(revision = %anew.revision(), "following the store anew");
            *self.write() = anew;
            self.ledger.head().reset();
            self.ledger.tell();
        }
    }

    fn take(&self, commit: &Arc<contiv_store::Commit>) -> Result<(), Error> {
        self.write().take(commit)?;
        {
            let mut head = self.ledger.head();
            let committed = self.ledger.read();
            if let Err(error) = head.take(commit, committed.image()) {
                tracing::debug!(%error, "the head is forgotten");
                head.reset();
            }
        }
        self.ledger.tell();
        Ok(())
    }

    fn write(&self) -> RwLockWriteGuard<'_, Committed> {
        let committed = &self.ledger.committed;
        committed.write().unwrap_or_else(PoisonError::into_inner)
    }
}
