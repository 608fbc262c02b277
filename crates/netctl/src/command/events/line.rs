//! An event in one line.

use contiv_model::agent::{EventEnd, EventKind, FabricEvent};

use crate::output::moment;

/// `TIME HOST KIND REASON: WHO → WHOM PROTOCOL, RULE (+N suppressed)`.
pub(super) fn line(event: &FabricEvent) -> String {
    let (time, host) = (moment(event.time), &event.host);
    if event.kind == EventKind::Lost {
        let lost = event.suppressed;
        return clean(&format!(
            "{time} {host} lost: {lost} events did not get here"
        ));
    }
    if event.kind == EventKind::Repair {
        return clean(&format!("{time} {host} repair: {}", event.message));
    }
    let mut text = format!("{time} {host} {}: ", what(event));
    text.push_str(&format!(
        "{} -> {} {}",
        end(&event.from, event.protocol),
        end(&event.to, event.protocol),
        protocol(event)
    ));
    if event.reply {
        text.push_str(", a reply");
    }
    if event.again {
        text.push_str(", judged again");
    }
    if !event.rule.is_empty() {
        text.push_str(&format!(", by {}", event.rule));
    }
    if !event.tenant.is_empty() && !event.rule.starts_with(&format!("{}:", event.tenant)) {
        text.push_str(&format!(", tenant {}", event.tenant));
    }
    if event.suppressed > 0 {
        text.push_str(&format!(" (+{} suppressed)", event.suppressed));
    }
    clean(&text)
}

fn what(event: &FabricEvent) -> String {
    match event.kind {
        EventKind::Drop => format!("drop {}", event.reason),
        EventKind::Log => format!("log {}", event.verdict),
        EventKind::Staged => format!("staged would-{}", event.verdict),
        EventKind::Repair | EventKind::Lost => event.kind.name().into(),
    }
}

/// `container (group, address:port)`; whatever is known of it.
fn end(end: &EventEnd, protocol: u8) -> String {
    let port = end.port.filter(|_| has_ports(protocol));
    let place = match (end.address, port) {
        (None, _) => "?".into(),
        (Some(address), None) => address.to_string(),
        (Some(address), Some(port)) => std::net::SocketAddr::new(address, port).to_string(),
    };
    let name = match end.container.as_str() {
        "" => end.endpoint.get(..12).unwrap_or(&end.endpoint),
        container => container,
    };
    let of = match end.group.as_str() {
        "" => end.network.as_str(),
        group => group,
    };
    match (name, of) {
        ("", _) => place,
        (name, "") => format!("{name} ({place})"),
        (name, of) => format!("{name} ({of}, {place})"),
    }
}

fn protocol(event: &FabricEvent) -> String {
    let icmp = |name: &str| match event.to.port {
        Some(port) => format!("{name} type {} code {}", port >> 8, port & 0xff),
        None => name.into(),
    };
    match event.protocol {
        0 => "no IP".into(),
        1 => icmp("icmp"),
        6 => "tcp".into(),
        17 => "udp".into(),
        58 => icmp("icmpv6"),
        132 => "sctp".into(),
        number => format!("protocol {number}"),
    }
}

fn has_ports(protocol: u8) -> bool {
    matches!(protocol, 6 | 17)
}

/// A name may hold anything; a line break would forge an event.
fn clean(text: &str) -> String {
    text.replace(char::is_control, "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web(address: &str) -> EventEnd {
        EventEnd {
            address: Some(address.parse().unwrap()),
            port: Some(40_000),
            endpoint: "0123456789abcdef".into(),
            container: "web1".into(),
            network: "net".into(),
            group: "web".into(),
            host: "h1".into(),
        }
    }

    fn event(kind: EventKind) -> FabricEvent {
        FabricEvent {
            time: 1_700_000_000_123,
            host: "h1".into(),
            kind,
            verdict: "deny".into(),
            tenant: "blue".into(),
            from: web("10.1.1.2"),
            to: EventEnd {
                address: Some("10.1.1.3".parse().unwrap()),
                port: Some(5432),
                ..EventEnd::default()
            },
            protocol: 6,
            rule: "blue:db:1".into(),
            ..FabricEvent::default()
        }
    }

    #[test]
    fn a_line_says_who_did_what_to_whom_and_why() {
        let mut drop = event(EventKind::Drop);
        drop.reason = "policy-in".into();
        drop.suppressed = 37;
        assert_eq!(
            line(&drop),
            "2023-11-14T22:13:20.123Z h1 drop policy-in: web1 (web, 10.1.1.2:40000) -> \
             10.1.1.3:5432 tcp, by blue:db:1 (+37 suppressed)"
        );
        let staged = line(&event(EventKind::Staged));
        assert!(staged.contains("h1 staged would-deny: web1"), "{staged}");
        let mut spoof = event(EventKind::Drop);
        spoof.rule = String::new();
        spoof.from.container = "bad\nname".into();
        spoof.protocol = 1;
        spoof.to.port = Some(0x0800);
        let text = line(&spoof);
        assert!(
            text.contains("bad?name (web, 10.1.1.2) -> 10.1.1.3 icmp type 8 code 0"),
            "{text}"
        );
        assert!(text.ends_with(", tenant blue"), "{text}");
    }

    #[test]
    fn lost_events_are_told_by_their_number() {
        let lost = FabricEvent {
            suppressed: 5,
            ..event(EventKind::Lost)
        };
        assert!(line(&lost).ends_with("h1 lost: 5 events did not get here"));
    }

    #[test]
    fn a_repair_says_what_was_taken_away() {
        let repair = FabricEvent {
            message: "contiv0 was deleted".into(),
            ..event(EventKind::Repair)
        };
        assert!(line(&repair).ends_with("h1 repair: contiv0 was deleted"));
    }

    #[test]
    fn an_endpoint_without_a_name_is_shown_by_its_id() {
        let mut nameless = web("fd00::1");
        nameless.container = String::new();
        nameless.group = String::new();
        assert_eq!(end(&nameless, 17), "0123456789ab (net, [fd00::1]:40000)");
        assert_eq!(end(&EventEnd::default(), 6), "?");
    }
}
