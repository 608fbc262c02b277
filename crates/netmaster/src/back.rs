//! Hosts that were told more than the store holds.
//!
//! An embedded store whose whole directory was put back from a copy looks as it was left. But hosts
//! say what they were told last, and nobody can have been told what was not committed. The first that
//! was told more shows that the store went back: the master serves nothing more, and is started again
//! as one that was restored, in a new epoch.
//!
//! Only what was told before this process began can be more than it holds. So it is believed once:
//! whoever claims so later is mistaken or lies, and is refused for itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use axum::http::StatusCode;
use contiv_model::agent::Revision;
use tokio::sync::watch;

use crate::api::{Problem, Shared};

/// Epochs are times in seconds. No history begins later than this after now.
const LATER: Duration = Duration::from_secs(24 * 60 * 60);

/// What hosts have shown.
#[derive(Debug, Default)]
pub struct Back {
    seen: watch::Sender<Option<Revision>>,
    deaf: AtomicBool,
}

impl Back {
    /// Believes nobody from now on: the master was started again for what one has said.
    pub fn be_deaf(&self) {
        self.deaf.store(true, Ordering::Relaxed);
    }

    /// Waits until the store is found to have gone back; answers what a host was told by it.
    pub async fn shown(&self) -> Revision {
        let mut seen = self.seen.subscribe();
        loop {
            if let Some(seen) = *seen.borrow_and_update() {
                return seen;
            }
            if seen.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Refuses everything once the store is found to have gone back.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        match *self.seen.borrow() {
            Some(seen) => Err(problem(seen)),
            None => Ok(()),
        }
    }
}

/// Takes what a host was told last. A store that several masters share may be known to another one
/// further than to this.
pub(crate) fn hear(shared: &Shared, host: &str, said: Revision) -> Result<(), Problem> {
    if shared.ledger.store().is_shared() {
        return Ok(());
    }
    let now = shared.ledger.read().revision();
    if said <= now {
        return Ok(());
    }
    let latest = SystemTime::now() + LATER;
    let latest = latest.duration_since(SystemTime::UNIX_EPOCH);
    let possible = latest.is_ok_and(|latest| said.epoch <= latest.as_secs().max(now.epoch));
    if !possible || shared.back.deaf.load(Ordering::Relaxed) {
        tracing::error!(host, %said, %now, "a host claims to have been told what never was");
        return Err(problem(said));
    }
    tracing::error!(
        host, %said, %now,
        "the store went back: a host was told more than it holds; an older copy was put in its place"
    );
    shared.back.seen.send_replace(Some(said));
    Err(problem(said))
}

fn problem(seen: Revision) -> Problem {
    let message = format!(
        "the store went back: hosts know of revision {seen}, which it does not hold; if this does not \
         end within seconds, stop netmaster and put a snapshot back by netmaster snapshot restore"
    );
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "", message)
}
