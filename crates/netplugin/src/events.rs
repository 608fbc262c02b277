//! What happens to packets on this host, in names: read from the kernel as it comes, and kept for
//! a while for every master to take.

mod log;
mod named;
mod names;

pub use log::EventLog;
pub(crate) use log::repair;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contiv_datapath::EventReader;
use contiv_datapath_abi::event::Event;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::docker::Observed;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::replica::Replica;
use names::Names;

/// The engine tells a container's name a moment after its first packets.
const NAMELESS: Duration = Duration::from_secs(2);
/// Between looks at events that wait for a name, and at changes of names.
const LOOK: Duration = Duration::from_millis(250);
/// Events that are read before others get a turn.
const TURN: usize = 256;
/// Events that may wait for a name.
const WAITING: usize = 4_096;

/// Reads the events of this host's kernel.
pub(crate) struct Announcer {
    pub host_name: String,
    pub replica: Arc<Replica>,
    pub observed: watch::Receiver<Observed>,
    pub metrics: Arc<Metrics>,
    pub log: Arc<EventLog>,
}

impl Announcer {
    /// Reads until the agent ends.
    ///
    /// Names are taken in as they change, and remembered for a while after things have gone, so
    /// that what is told has the names of its time. An event about a container whose name is not
    /// known yet waits for it, and what comes behind waits with it.
    pub(crate) async fn run(
        self,
        reader: EventReader,
        stop: CancellationToken,
    ) -> Result<(), Error> {
        #[expect(
            deprecated,
            reason = "the other call is for descriptors that somebody else may close"
        )]
        let ring = AsyncFd::with_interest(reader, Interest::READABLE);
        let mut ring = ring.map_err(Error::io("wait for events"))?;
        let mut names = Names::new(&self.host_name);
        let mut waiting: VecDeque<(Instant, Event)> = VecDeque::new();
        let mut changes = self.replica.changes();
        let mut observed = self.observed.clone();
        let (mut stale, mut looked) = (true, None::<Instant>);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                ready = ring.readable_mut() => {
                    let mut ready = ready.map_err(Error::io("wait for events"))?;
                    let reader = ready.get_inner_mut();
                    let limit = Instant::now() + NAMELESS;
                    let mut read = 0;
                    while read < TURN && let Some(event) = reader.next_event() {
                        waiting.push_back((limit, event));
                        read += 1;
                    }
                    if read < TURN {
                        ready.clear_ready();
                    }
                }
                () = sleep(LOOK) => {}
            }
            stale |= changes.has_changed().unwrap_or(false);
            stale |= observed.has_changed().unwrap_or(false);
            if stale && looked.is_none_or(|at| at.elapsed() >= LOOK) {
                changes.mark_unchanged();
                let observed = observed.borrow_and_update();
                names.refresh(&self.replica.read(), &observed, Instant::now());
                (stale, looked) = (false, Some(Instant::now()));
            }
            self.tell(&names, &mut waiting);
        }
    }

    /// Tells the events whose time has come.
    fn tell(&self, names: &Names, waiting: &mut VecDeque<(Instant, Event)>) {
        let now = Instant::now();
        while let Some((limit, event)) = waiting.front() {
            let named = named::named(event, names);
            let patient = now < *limit && waiting.len() <= WAITING;
            if patient && names.lacks_container(&named) {
                return;
            }
            self.metrics.count_event(named.kind, named.suppressed);
            self.log.push(named);
            waiting.pop_front();
        }
    }
}
