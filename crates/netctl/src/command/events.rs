//! `netctl events`.

mod line;

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use contiv_client::{Client, EventFilter};
use contiv_model::agent::{EventKind, FabricEvent};
use tokio::time::sleep;

use crate::command::wait::duration;
use crate::failure::Failure;
use crate::output::json;
use crate::session::Session;
use line::line;

/// Events that are asked for while none tells how many.
const NEWEST: usize = 100;
/// Between tries while no master tells of events.
const AGAIN: Duration = Duration::from_secs(1);
/// Events that are known again when another master tells them once more.
const KNOWN: usize = 20_000;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    netctl events --follow -t blue\n  \
    netctl events --kind staged --since 10m\n  \
    netctl events --endpoint web1 --json")]
pub(crate) struct Events {
    /// Go on with events as they come.
    #[arg(short, long)]
    follow: bool,
    /// Only events of this tenant [default: of all].
    #[arg(short, long)]
    tenant: Option<String>,
    /// Only events of this kind.
    #[arg(short, long, value_enum)]
    kind: Option<Kind>,
    /// Only events of this endpoint: its container's name, or a part of its id.
    #[arg(short, long, value_name = "NAME")]
    endpoint: Option<String>,
    /// Only events that happened on this host.
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Only events that are no older: 30s, 10m, 2h; a bare number counts seconds.
    #[arg(short, long, value_parser = duration)]
    since: Option<Duration>,
    /// At most so many of the newest events that there are [default: 100].
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Print a JSON document per line.
    #[arg(short, long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Packets that were dropped.
    Drop,
    /// Connections that a rule with `log` decided about.
    Log,
    /// Connections that staged policies would decide otherwise about.
    Staged,
    /// What somebody took away on a host, and what was put back.
    Repair,
}

impl Events {
    pub(crate) async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        let mut filter = self.filter(now());
        let mut known = Known::default();
        if !self.follow {
            let limit = self.limit();
            for event in client.events(&filter, limit).await? {
                self.print(session, &event)?;
            }
            return Ok(());
        }
        // The stream first, so that nothing happens unnoticed between the list and it.
        let mut stream = client.follow_events(&self.anew(&filter)).await?;
        for event in client.events(&filter, self.limit()).await? {
            known.add(&event);
            self.print(session, &event)?;
        }
        loop {
            match stream.next().await {
                Ok(event) => {
                    filter.since = Some(event.time);
                    if known.add(&event) {
                        self.print(session, &event)?;
                    }
                }
                Err(error) => {
                    eprintln!("netctl: {error}; trying again");
                    stream = self.again(client, &mut filter).await;
                }
            }
        }
    }

    /// The stream goes on where it ended: what is told twice is known by its id.
    async fn again(&self, client: &Client, filter: &mut EventFilter) -> contiv_client::EventStream {
        filter.since.get_or_insert_with(now);
        loop {
            sleep(AGAIN).await;
            if let Ok(stream) = client.follow_events(filter).await {
                return stream;
            }
        }
    }

    fn anew(&self, filter: &EventFilter) -> EventFilter {
        EventFilter {
            since: None,
            ..filter.clone()
        }
    }

    fn limit(&self) -> Option<usize> {
        match (self.limit, self.since) {
            (Some(limit), _) => usize::try_from(limit).ok(),
            (None, Some(_)) => None,
            (None, None) => Some(NEWEST),
        }
    }

    fn filter(&self, now: u64) -> EventFilter {
        let age = |age: Duration| u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        EventFilter {
            tenant: self.tenant.clone(),
            kind: self.kind.map(|kind| match kind {
                Kind::Drop => EventKind::Drop,
                Kind::Log => EventKind::Log,
                Kind::Staged => EventKind::Staged,
                Kind::Repair => EventKind::Repair,
            }),
            host: self.host.clone(),
            endpoint: self.endpoint.clone(),
            since: self.since.map(|since| now.saturating_sub(age(since))),
        }
    }

    fn print(&self, session: &mut Session, event: &FabricEvent) -> Result<(), Failure> {
        match self.json {
            false => session.say(&line(event)),
            true => {
                let pretty = json(event)?;
                let compact: Vec<&str> = pretty.lines().map(str::trim_start).collect();
                session.say(&compact.join(""))
            }
        }
    }
}

/// The ids of events that were printed.
#[derive(Debug, Default)]
struct Known {
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl Known {
    /// Takes note of an event; false when it is known.
    fn add(&mut self, event: &FabricEvent) -> bool {
        if !self.ids.insert(event.id.clone()) {
            return false;
        }
        self.order.push_back(event.id.clone());
        if self.order.len() > KNOWN
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_printed_once() {
        let mut known = Known::default();
        let event = |id: usize| FabricEvent {
            id: id.to_string(),
            ..FabricEvent::default()
        };
        assert!(known.add(&event(0)));
        assert!(!known.add(&event(0)));
        for id in 1..=KNOWN {
            assert!(known.add(&event(id)));
        }
        assert_eq!(known.ids.len(), KNOWN);
        assert!(known.add(&event(0)), "long ago");
    }
}
