//! A sign of life through etcd and back.
//!
//! A watch that says nothing may be quiet or cut off. So each process writes a key of its
//! own every second. While the writing fails, commits would fail; while it is not heard,
//! what followers know is as old as the last one that was.

use std::sync::Arc;
use std::time::{Duration, Instant};

use etcd_client::PutOptions;
use tokio::time::{MissedTickBehavior, interval};

use super::Shared;
use crate::error::Error;

const BEAT: Duration = Duration::from_secs(1);

/// A watch that has not heard the pulse for this long is cut off.
pub(super) const SILENCE: Duration = Duration::from_secs(4);

/// The key of a process that ended goes after so many seconds.
const LIFE: i64 = 10;

/// Beats until the store is closed.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut tick = interval(BEAT);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let said = beat(&shared).await;
        let mut state = shared.state();
        match (&said, &state.hindrance) {
            (Err(error), None) => tracing::warn!(%error, "etcd cannot be written"),
            (Ok(()), Some(_)) => tracing::info!("etcd can be written again"),
            _ => {}
        }
        state.hindrance = said.err();
    }
}

/// The value is the time, so that who hears it knows how old what it heard is.
async fn beat(shared: &Shared) -> Result<(), Error> {
    let member = shared.members.member().await?;
    let key = shared.keys.pulse(&shared.id);
    let mut client = member.client.clone();
    let beat = async {
        let lease = client.lease_grant(LIFE, None).await?.id();
        let options = PutOptions::new().with_lease(lease);
        client.put(key, stamp(), Some(options)).await
    };
    match tokio::time::timeout(BEAT * 2, beat).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => {
            shared.members.failed(&member);
            Err(Error::etcd(&member.name, &error))
        }
        Err(_) => {
            shared.members.failed(&member);
            Err(Error::silent(&member.name, BEAT * 2))
        }
    }
}

/// Since when this process counts.
static BEGIN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);

/// Now, for this process's own ears.
fn stamp() -> String {
    BEGIN.elapsed().as_millis().to_string()
}

/// When a pulse of this process was sent.
pub(super) fn sent(value: &[u8]) -> Option<Instant> {
    let millis: u64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    BEGIN.checked_add(Duration::from_millis(millis))
}
