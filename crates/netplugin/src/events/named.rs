//! From an event of the kernel to one that people read.

use std::net::{IpAddr, Ipv6Addr};

use contiv_datapath_abi::Words;
use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::event::{Event, EventKind as Kind};
use contiv_datapath_abi::policy::{ICMP, ICMPV6, RULE_DEFAULT, TCP, UDP};
use contiv_model::agent::{EventEnd, EventKind, FabricEvent};
use nix::time::{ClockId, clock_gettime};

use super::names::Names;
use crate::counters::now;

/// The event in names.
pub(super) fn named(event: &Event, names: &Names) -> FabricEvent {
    let key = &event.key;
    let protocol = u8::try_from(key.protocol).unwrap_or(u8::MAX);
    let ruling = Ruling::of(event);
    let (from_port, to_port) = match protocol {
        TCP | UDP => (Some(key.source_port), Some(key.destination_port)),
        // A query's identifier is no place that it comes from.
        ICMP | ICMPV6 => (None, Some(key.destination_port)),
        _ => (None, None),
    };
    let end = |address: Words, port| EventEnd {
        port,
        ..match address == Words::default() {
            true => EventEnd::default(),
            false => names.end(key.tenant, ip(address)),
        }
    };
    FabricEvent {
        time: wall(event.time),
        kind: kind(event.kind),
        reason: Reason::from_number(event.reason.into())
            .map_or_else(String::new, |reason| reason.name().to_owned()),
        verdict: if ruling.denies { "deny" } else { "allow" }.into(),
        tenant: names.tenant(key.tenant),
        from: end(key.source, from_port),
        to: end(key.destination, to_port),
        protocol,
        rule: names.rule(ruling.rule),
        rule_number: ruling.rule,
        side: ruling.side.into(),
        length: event.length,
        reply: event.flags & Event::REPLY != 0,
        again: event.flags & Event::AGAIN != 0,
        suppressed: event.suppressed.into(),
        ..FabricEvent::default()
    }
}

/// The rule that an event is about.
#[derive(Debug, PartialEq, Eq)]
struct Ruling {
    rule: u32,
    denies: bool,
    side: &'static str,
}

const SENDER: &str = "sender";
const RECEIVER: &str = "receiver";

impl Ruling {
    /// 1. Of staged rules, one that would deny before one that would allow, the sender's first.
    /// 2. The rule of the side that denied.
    /// 3. Of two that allow, the one that a user wrote, the receiver's first.
    /// 4. What was dropped for another reason has no rule.
    fn of(event: &Event) -> Ruling {
        let denies = event.flags & Event::DENIED != 0;
        if kind(event.kind) == EventKind::Staged {
            return Ruling::of_staged(event);
        }
        let reason = Reason::from_number(event.reason.into());
        let (rule, side) = match reason {
            Some(Reason::PolicyOut) => (event.opener_rule, SENDER),
            Some(Reason::PolicyIn) => (event.accepter_rule, RECEIVER),
            Some(_) => (0, ""),
            None if event.accepter_rule > RULE_DEFAULT || event.opener_rule == 0 => {
                (event.accepter_rule, RECEIVER)
            }
            None => (event.opener_rule, SENDER),
        };
        Ruling { rule, denies, side }
    }

    fn of_staged(event: &Event) -> Ruling {
        let opener = event.flags & Event::STAGED_OPENER_DENIES != 0;
        let accepter = event.flags & Event::STAGED_ACCEPTER_DENIES != 0;
        let (sending, receiving) = (event.staged_opener_rule, event.staged_accepter_rule);
        let by_sender = opener || (sending != 0 && !accepter);
        if by_sender {
            Ruling {
                rule: sending,
                denies: opener,
                side: SENDER,
            }
        } else {
            Ruling {
                rule: receiving,
                denies: accepter,
                side: RECEIVER,
            }
        }
    }
}

fn kind(number: u8) -> EventKind {
    match Kind::from_number(number) {
        Some(Kind::Log) => EventKind::Log,
        Some(Kind::Staged) => EventKind::Staged,
        Some(Kind::Drop) | None => EventKind::Drop,
    }
}

fn ip(address: Words) -> IpAddr {
    Ipv6Addr::from(address.address()).to_canonical()
}

/// Milliseconds since 1970 of what the kernel's clock says.
fn wall(nanoseconds: u64) -> u64 {
    let clock = clock_gettime(ClockId::CLOCK_MONOTONIC).map(std::time::Duration::from);
    let clock = clock.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
    now().saturating_sub(clock.saturating_sub(nanoseconds / 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ruling(change: impl FnOnce(&mut Event)) -> (u32, bool, &'static str) {
        let mut event = Event {
            opener_rule: 20,
            accepter_rule: 30,
            ..Event::NONE
        };
        change(&mut event);
        let Ruling { rule, denies, side } = Ruling::of(&event);
        (rule, denies, side)
    }

    #[test]
    fn the_rule_is_that_of_the_side_that_decided() {
        let drop = |reason: Reason| {
            ruling(move |event| {
                event.reason = reason as u8;
                event.flags = Event::DENIED;
            })
        };
        assert_eq!(drop(Reason::PolicyOut), (20, true, SENDER));
        assert_eq!(drop(Reason::PolicyIn), (30, true, RECEIVER));
        assert_eq!(drop(Reason::SpoofedMac), (0, true, ""));
        let log = |opener, accepter| {
            ruling(move |event| {
                event.kind = Kind::Log as u8;
                event.opener_rule = opener;
                event.accepter_rule = accepter;
            })
        };
        assert_eq!(log(20, 30), (30, false, RECEIVER));
        assert_eq!(log(20, 1), (20, false, SENDER));
        assert_eq!(log(0, 1), (1, false, RECEIVER));
        assert_eq!(log(1, 0), (1, false, SENDER));
    }

    #[test]
    fn of_staged_rules_the_one_is_named_that_would_deny() {
        let staged = |flags, opener, accepter| {
            ruling(move |event| {
                event.kind = Kind::Staged as u8;
                event.flags = flags;
                event.staged_opener_rule = opener;
                event.staged_accepter_rule = accepter;
            })
        };
        let denies = Event::STAGED_ACCEPTER_DENIES;
        assert_eq!(staged(denies, 0, 40), (40, true, RECEIVER));
        assert_eq!(staged(denies, 41, 40), (40, true, RECEIVER));
        assert_eq!(
            staged(Event::STAGED_OPENER_DENIES, 41, 40),
            (41, true, SENDER)
        );
        assert_eq!(staged(Event::DENIED, 0, 40), (40, false, RECEIVER));
        assert_eq!(staged(Event::DENIED, 41, 0), (41, false, SENDER));
    }

    #[test]
    fn a_connection_is_told_with_addresses_ports_and_time() {
        let mut event = Event {
            time: u64::MAX,
            suppressed: 37,
            kind: Kind::Log as u8,
            ..Event::NONE
        };
        event.key.source = Words::new(contiv_datapath_abi::mapped([10, 0, 0, 1]));
        event.key.source_port = 40_000;
        event.key.destination_port = 443;
        event.key.protocol = TCP.into();
        let told = named(&event, &Names::default());
        assert_eq!(told.from.address, Some("10.0.0.1".parse().unwrap()));
        assert_eq!((told.from.port, told.to.port), (Some(40_000), Some(443)));
        assert_eq!((told.to.address, told.suppressed), (None, 37));
        assert!(now().abs_diff(told.time) < 10_000, "{}", told.time);
    }
}
