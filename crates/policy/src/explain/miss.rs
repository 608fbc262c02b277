//! Why a rule does not match.

use std::net::{IpAddr, Ipv6Addr};

use contiv_datapath_abi::policy::{ICMP, ICMPV6, Query, TCP, UDP};
use contiv_model::agent::AddressRange;

use crate::PolicyRule;

/// The first condition of a rule that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// It is about the other direction.
    Direction,
    /// Another protocol.
    Protocol,
    /// Another port.
    Port,
    /// The rule has ports, and the protocol has none.
    NoPorts,
    /// Another ICMP type or code.
    IcmpMessage,
    /// The peer is in another group, or in none.
    PeerGroup,
    /// The rule's peer group does not exist.
    UnknownGroup,
    /// The peer has another address.
    PeerAddress,
    /// The peer's address is an exception.
    Excepted,
    /// The rule's addresses are of the other family.
    Family,
    /// The rule is for other addresses of the subject's own.
    OwnAddress,
}

/// Which condition of a rule does not hold; `None` when it matches.
pub(super) fn why_not(rule: &PolicyRule, query: &Query) -> Option<Miss> {
    let [kind, code] = query.port.to_be_bytes();
    let protocol_holds = match rule.protocol {
        None => true,
        Some(ICMP) if rule.icmp.is_empty() => matches!(query.protocol, ICMP | ICMPV6),
        Some(protocol) => protocol == query.protocol,
    };
    if rule.direction != query.direction {
        return Some(Miss::Direction);
    }
    if !protocol_holds {
        return Some(Miss::Protocol);
    }
    if !rule.ports.is_empty() {
        if !matches!(query.protocol, TCP | UDP) {
            return Some(Miss::NoPorts);
        }
        let ports = &mut rule.ports.iter();
        if !ports.any(|range| (range.first..=range.last).contains(&query.port)) {
            return Some(Miss::Port);
        }
    }
    if !rule.icmp.is_empty() {
        let messages = &mut rule.icmp.iter();
        let known = matches!(rule.protocol, Some(ICMP | ICMPV6));
        if !known || !messages.any(|m| m.kind == kind && m.code.unwrap_or(code) == code) {
            return Some(Miss::IcmpMessage);
        }
    }
    match rule.peer_group {
        Some(0) => return Some(Miss::UnknownGroup),
        Some(group) if group != query.peer_group => return Some(Miss::PeerGroup),
        _ => {}
    }
    if let Some(miss) = outside(&rule.peer_addresses, query.peer_address, Miss::PeerAddress) {
        return Some(miss);
    }
    if rule
        .peer_except
        .iter()
        .any(|r| holds(r, query.peer_address))
    {
        return Some(Miss::Excepted);
    }
    outside(&rule.own_addresses, query.own_address, Miss::OwnAddress)
}

/// No miss when the ranges are empty or one holds the address.
fn outside(ranges: &[AddressRange], address: [u8; 16], miss: Miss) -> Option<Miss> {
    if ranges.is_empty() || ranges.iter().any(|range| holds(range, address)) {
        return None;
    }
    let v4 = canonical(address).is_ipv4();
    let same_family = ranges.iter().any(|range| range.first.is_ipv4() == v4);
    Some(if same_family { miss } else { Miss::Family })
}

fn holds(range: &AddressRange, address: [u8; 16]) -> bool {
    let address = canonical(address);
    let one_family =
        range.first.is_ipv4() == address.is_ipv4() && range.last.is_ipv4() == address.is_ipv4();
    one_family && range.first <= address && address <= range.last
}

fn canonical(address: [u8; 16]) -> IpAddr {
    Ipv6Addr::from(address).to_canonical()
}
