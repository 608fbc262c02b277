//! The ways to the other hosts.

use std::collections::BTreeMap;
use std::net::IpAddr;

use contiv_datapath::{DropRule, Inspection, UnderlayFacts};
use contiv_model::doctor::{Finding, Severity};

/// What came of hailing the other hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ways {
    /// There was something to hail by.
    pub(super) hailed: bool,
    pub(super) peers: BTreeMap<String, Way>,
}

/// What came of hailing one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) address: IpAddr,
    /// A small packet was answered.
    pub(super) small: bool,
    /// One as large as the link takes was answered.
    pub(super) large: bool,
    /// It has hailed this host a moment ago.
    pub(super) heard: bool,
}

impl Ways {
    /// Nobody could be hailed.
    pub(super) fn unknown(peers: &BTreeMap<String, IpAddr>) -> Ways {
        let way = |(name, address): (&String, &IpAddr)| {
            let way = Way {
                address: *address,
                small: false,
                large: false,
                heard: false,
            };
            (name.clone(), way)
        };
        Ways {
            hailed: false,
            peers: peers.iter().map(way).collect(),
        }
    }
}

pub(super) fn judge(facts: &Inspection, ways: &Ways) -> Vec<Finding> {
    let Some(underlay) = &facts.underlay else {
        return vec![no_end(ways)];
    };
    let mut findings = vec![tunnel(underlay)];
    if ways.hailed {
        let peers = ways.peers.iter();
        findings.extend(peers.filter_map(|(name, way)| of_peer(underlay, name, way)));
    } else if !ways.peers.is_empty() {
        let what = "other hosts cannot be hailed: the sockets for it are not open";
        let remedy = "look at the log of netplugin";
        findings.push(Finding::warning("tunnel-port", what, remedy));
    }
    let lost = findings
        .iter()
        .any(|f| f.check == "tunnel-port" && f.is_open());
    findings.extend(
        facts
            .drops
            .iter()
            .map(|rule| dropping(underlay, rule, lost)),
    );
    if !lost {
        let (count, port) = (ways.peers.len(), underlay.port);
        let what = format!("{count} of {count} other hosts answer on UDP port {port}");
        findings.push(Finding::ok("tunnel-port", what));
    }
    if !findings.iter().any(|f| f.check == "path-mtu") {
        let what = format!("packets of {} bytes get to whoever answers", underlay.mtu);
        findings.push(Finding::ok("path-mtu", what));
    }
    findings
}

fn no_end(ways: &Ways) -> Finding {
    if ways.peers.is_empty() {
        return Finding::ok(
            "tunnel",
            "no other hosts are known, and no tunnel is needed",
        );
    }
    Finding::error(
        "tunnel",
        "this host has no end of the tunnel: nothing goes to other hosts, or comes from there",
        "start netplugin with --vtep-ip and an address of this host that the others reach",
    )
}

fn tunnel(underlay: &UnderlayFacts) -> Finding {
    let UnderlayFacts {
        address,
        port,
        link,
        mtu,
        tunnel,
        ..
    } = underlay;
    if *tunnel {
        let what = format!("its end is {address} on {link} (MTU {mtu}), UDP port {port}");
        return Finding::ok("tunnel", what);
    }
    Finding::error(
        "tunnel",
        format!("contivvx0 is not there or not up: UDP port {port} may be another program's"),
        format!(
            "see who has it with ss -ulpn 'sport = :{port}' and ip -d link show type vxlan, and end \
             that, or give all hosts another port: netctl global set --vxlan-port"
        ),
    )
}

fn of_peer(underlay: &UnderlayFacts, name: &str, way: &Way) -> Option<Finding> {
    let UnderlayFacts {
        address: own,
        port,
        link,
        mtu,
        ..
    } = underlay;
    let address = way.address;
    if !way.small {
        let what = match way.heard {
            true => format!(
                "what this host ({own}) sends to UDP port {port} of {name} ({address}) is not \
                 answered, while what {name} sends arrives here"
            ),
            false => format!(
                "no packet passes between this host ({own}) and {name} ({address}) on UDP port \
                 {port}"
            ),
        };
        let remedy = format!(
            "let UDP port {port} from {own} in at {name}, and from {address} in here: firewalls of \
             both hosts (netctl doctor {name} names their rules), of what is between, and security \
             groups; and see that netplugin runs there"
        );
        return Some(Finding::error("tunnel-port", what, remedy).about(name));
    }
    if way.large {
        return None;
    }
    let known = underlay.paths.get(name).and_then(|path| path.mtu);
    let known = known.filter(|known| known < mtu);
    let passes = known.map_or("smaller ones do".to_owned(), |known| {
        format!("ones of {known} do")
    });
    let what =
        format!("packets of {mtu} bytes, as {link} takes them, do not get to {name}; {passes}");
    let remedy = match known {
        Some(known) => format!(
            "raise the MTU of what is between to {mtu}, or lower the one of {link} on all hosts to \
             {known}: endpoints are told what passes, and connections that ignore it stall"
        ),
        None => format!(
            "raise the MTU of what is between to {mtu}, or lower the one of {link} on all hosts: \
             endpoints are told what passes, and connections that ignore it stall"
        ),
    };
    Some(Finding::warning("path-mtu", what, remedy).about(name))
}

fn dropping(underlay: &UnderlayFacts, rule: &DropRule, lost: bool) -> Finding {
    let port = underlay.port;
    let DropRule { table, chain, rule } = rule;
    let place = format!("{table} {chain}");
    let (what, remedy) = match rule.rsplit_once("# handle ") {
        Some((text, handle)) => (
            format!(
                "nft rule \"{}\" of {place} drops the tunnel's packets",
                text.trim()
            ),
            format!("nft delete rule {place} handle {}", handle.trim()),
        ),
        None => (
            format!("chain {place} drops what it does not name, and does not name UDP port {port}"),
            format!("nft insert rule {place} udp dport {port} accept"),
        ),
    };
    let mut finding = Finding::warning("tunnel-firewall", what, remedy).about(place);
    if lost {
        finding.severity = Severity::Error;
    }
    finding
}

/// Packets that came damaged, since the host's start and while it was examined.
pub(super) fn judge_checksums(
    underlay: Option<&UnderlayFacts>,
    before: u64,
    after: u64,
) -> Vec<Finding> {
    let Some(UnderlayFacts {
        link, checksums, ..
    }) = underlay
    else {
        return Vec::new();
    };
    if after > before {
        let count = after - before;
        let what = format!("{count} UDP packets with wrong checksums came while this was asked");
        let remedy = format!(
            "a device of a sender gets them wrong: try ethtool -K {link} tx-udp_tnl-csum-segmentation \
             off tx-udp_tnl-segmentation off on the other hosts, then tx off, and renew its driver"
        );
        return vec![Finding::error("checksum-offload", what, remedy).about(link)];
    }
    vec![match checksums {
        Some(false) => Finding::warning(
            "checksum-offload",
            format!("{link} leaves checksums to the processor, which costs throughput"),
            format!("ethtool -K {link} tx on, unless it was switched off for a reason"),
        )
        .about(link),
        _ => Finding::ok(
            "checksum-offload",
            format!("no packet came with a wrong checksum ({after} since the host's start)"),
        )
        .about(link),
    }]
}

#[cfg(test)]
mod tests;
