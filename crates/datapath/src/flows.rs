//! Flows that nobody uses any more leave the table, a few at a time.
//!
//! | connection | idle for | after |
//! | --- | --- | --- |
//! | denied | 60 s | |
//! | TCP, answered, not ended | 2 h 4 min | RFC 5382, REQ-5 |
//! | TCP otherwise: opening, ended by both, or reset | 4 min | RFC 5382, REQ-5 |
//! | UDP, answered | 5 min | RFC 4787, REQ-5 |
//! | UDP, not answered | 2 min | RFC 4787, REQ-5 |
//! | ICMP | 60 s | RFC 5508, REQ-2 |
//! | other protocols | 5 min | |
//!
//! A connection has two rows, one per direction, which live and go together.

use std::time::{Duration, Instant};

use contiv_datapath_abi::flow::{Flow, FlowKey, Fragment, FragmentKey, TICK_SHIFT};
use contiv_datapath_abi::maps;
use contiv_datapath_abi::policy::{ICMP, ICMPV6, TCP, UDP};

use crate::Error;
use crate::bpf::{Batch, Table, ticks};
use crate::pins::Pins;

/// Rows that one step looks at.
const STEP: usize = 4096;
/// From the begin of one walk to that of the next.
const ROUND: Duration = Duration::from_secs(15);

/// The tables of flows and of fragments, and how far the walk has come.
#[derive(Debug)]
pub(crate) struct Flows {
    table: Table<FlowKey, Flow>,
    fragments: Table<FragmentKey, Fragment>,
    at: Batch,
    begun: Option<Instant>,
}

impl Flows {
    pub(crate) fn open(pins: &Pins) -> Result<Flows, Error> {
        Ok(Flows {
            table: pins.table(maps::FLOWS)?,
            fragments: pins.table(maps::FRAGMENTS)?,
            at: None,
            begun: None,
        })
    }

    /// Takes the next step; `lives` says whether the endpoint of a serial exists.
    pub(crate) fn age(&mut self, lives: impl Fn(u32) -> bool) -> Result<usize, Error> {
        if self.at.is_none() {
            if self.begun.is_some_and(|at| at.elapsed() < ROUND) {
                return Ok(0);
            }
            self.begun = Some(Instant::now());
            self.age_fragments()?;
        }
        let (rows, next) = match self.table.step(self.at, STEP) {
            Ok(step) => step,
            Err(error) => {
                self.at = None;
                return Err(error);
            }
        };
        self.at = next;
        let now = ticks();
        let mut removed = 0;
        for (key, flow) in rows {
            let back = self.table.get(&key.reversed())?;
            let ends = [flow.sender, flow.target];
            let orphan = ends.iter().any(|serial| *serial != 0 && !lives(*serial));
            if orphan || is_over(key.protocol, &flow, back.as_ref(), now) {
                self.table.remove(&key)?;
                self.table.remove(&key.reversed())?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn age_fragments(&self) -> Result<(), Error> {
        let now = ticks();
        let (rows, _) = self.fragments.step(None, STEP)?;
        for (key, fragment) in rows {
            if now.saturating_sub(fragment.seen) > Fragment::LIFETIME {
                self.fragments.remove(&key)?;
            }
        }
        Ok(())
    }
}

/// Whether a connection has been idle for too long.
fn is_over(protocol: u32, flow: &Flow, back: Option<&Flow>, now: u32) -> bool {
    let seen = back.map_or(flow.seen, |back| back.seen.max(flow.seen));
    now.saturating_sub(seen) > limit(protocol, flow, back)
}

/// How many ticks a connection may be idle; see the table above.
fn limit(protocol: u32, flow: &Flow, back: Option<&Flow>) -> u32 {
    let both = |flag: u8| flow.tcp & flag != 0 && back.is_some_and(|back| back.tcp & flag != 0);
    let either = |flag: u8| flow.tcp & flag != 0 || back.is_some_and(|back| back.tcp & flag != 0);
    let reply = |flow: &Flow| flow.flags & Flow::REPLY != 0 && flow.seen != 0;
    let answered = reply(flow) || back.is_some_and(reply);
    let seconds = match u8::try_from(protocol) {
        _ if flow.delivery == Flow::DENIED => 60,
        Ok(TCP) if answered && !both(Flow::TCP_FIN) && !either(Flow::TCP_RST) => 7440,
        Ok(TCP) => 240,
        Ok(UDP) if answered => 300,
        Ok(UDP) => 120,
        Ok(ICMP | ICMPV6) => 60,
        _ => 300,
    };
    // A tick is a little longer than a second.
    (seconds * 1_000_000_000_u64).div_ceil(1 << TICK_SHIFT) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The opener's direction, and the accepter's.
    fn flow(seen: u32, tcp: u8) -> Flow {
        Flow {
            seen,
            tcp,
            delivery: Flow::LOCAL,
            ..Flow::default()
        }
    }

    fn reply(seen: u32, tcp: u8) -> Flow {
        Flow {
            flags: Flow::REPLY,
            ..flow(seen, tcp)
        }
    }

    #[test]
    fn a_connection_lives_as_long_as_its_livelier_direction() {
        let (old, young) = (flow(1, 0), reply(1000, 0));
        assert!(is_over(UDP.into(), &old, None, 1000));
        assert!(!is_over(UDP.into(), &old, Some(&young), 1000));
        assert!(!is_over(UDP.into(), &young, Some(&old), 1000));
    }

    #[test]
    fn tcp_lives_long_only_between_the_answer_and_the_end() {
        let over = |flow: &Flow, back: &Flow| is_over(TCP.into(), flow, Some(back), 3600);
        assert!(!over(&flow(1, 0), &reply(1, 0)));
        assert!(over(&flow(1, 0), &reply(0, 0)), "never answered");
        assert!(over(&flow(1, Flow::TCP_RST), &reply(1, 0)), "reset");
        let (fin, fin_back) = (flow(1, Flow::TCP_FIN), reply(1, Flow::TCP_FIN));
        assert!(!over(&fin, &reply(1, 0)), "half closed");
        assert!(over(&fin, &fin_back), "closed");
    }

    #[test]
    fn what_was_denied_is_soon_asked_again() {
        let denied = Flow {
            delivery: Flow::DENIED,
            ..flow(1, 0)
        };
        assert!(is_over(TCP.into(), &denied, None, 70));
        assert!(!is_over(TCP.into(), &denied, None, 30));
    }
}
