//! Classes of questions that a policy cannot tell apart.
//!
//! Rules cut the space of questions at the edges of their ranges of ports and addresses. Within
//! a piece all questions have one answer, so asking one of them answers for all.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use contiv_datapath_abi::policy::{Direction, ICMP, ICMPV6, TCP, UDP};
use contiv_model::agent::AddressRange;

use crate::{PolicyRule, PortRange, TenantPolicy};

/// The rules that have a say between two groups.
pub(crate) struct Say<'a> {
    /// Outgoing rules of the sender's group.
    pub(crate) sending: Vec<&'a PolicyRule>,
    /// Incoming rules of the receiver's group.
    pub(crate) receiving: Vec<&'a PolicyRule>,
}

/// Those that have ports or messages, and those that rules name.
pub(crate) fn protocols(policies: &[&TenantPolicy]) -> BTreeSet<u8> {
    let rules = policies.iter().flat_map(|policy| &policy.rules);
    let named = rules.filter_map(|rule| rule.protocol);
    named.chain([TCP, UDP, ICMP, ICMPV6]).collect()
}

impl<'a> Say<'a> {
    pub(crate) fn between(policies: &[&'a TenantPolicy], from: u32, to: u32) -> Say<'a> {
        let of = |group: u32, direction, peer: u32| -> Vec<&'a PolicyRule> {
            let rules = policies.iter().flat_map(|policy| {
                let attached = policy.groups.get(&group).filter(|_| group != 0);
                policy.rules.iter().filter(move |rule| {
                    rule.direction == direction
                        && attached.is_some_and(|names| names.contains(&rule.policy))
                        && rule.peer_group.is_none_or(|group| group == peer)
                })
            });
            rules.map(|rule| &**rule).collect()
        };
        Say {
            sending: of(from, Direction::Out, to),
            receiving: of(to, Direction::In, from),
        }
    }

    fn rules(&self) -> impl Iterator<Item = &&'a PolicyRule> {
        self.sending.iter().chain(&self.receiving)
    }

    /// The classes of the sender's and of the receiver's addresses.
    pub(crate) fn addresses(
        &self,
        from_places: &[AddressRange],
        to_places: &[AddressRange],
    ) -> Vec<(IpAddrClass, IpAddrClass)> {
        fn own<'r>(rule: &&'r PolicyRule) -> impl Iterator<Item = &'r AddressRange> {
            rule.own_addresses.iter()
        }
        fn peer<'r>(rule: &&'r PolicyRule) -> impl Iterator<Item = &'r AddressRange> {
            rule.peer_addresses.iter().chain(&rule.peer_except)
        }
        let of_sender = self.sending.iter().flat_map(own);
        let of_sender = of_sender.chain(self.receiving.iter().flat_map(peer));
        let of_receiver = self.sending.iter().flat_map(peer);
        let of_receiver = of_receiver.chain(self.receiving.iter().flat_map(own));
        // Where no rule tells addresses apart, one family speaks for both.
        let cut =
            |rule: &&PolicyRule| rule.names_peer_addresses() || !rule.own_addresses.is_empty();
        if from_places.is_empty() && to_places.is_empty() && !self.rules().any(cut) {
            let any = IpAddrClass {
                v4: true,
                first: 0,
                last: u128::from(u32::MAX),
                any: true,
            };
            return vec![(any, any)];
        }
        let from = classes(of_sender, from_places);
        let to = classes(of_receiver, to_places);
        let mut pairs = Vec::new();
        for from in &from {
            let family = to.iter().filter(|to| to.v4 == from.v4);
            pairs.extend(family.map(|to| (*from, *to)));
        }
        pairs
    }

    /// The classes of packets: these protocols with their ports or ICMP messages, and the others.
    pub(crate) fn packets(&self, protocols: &BTreeSet<u8>) -> Vec<PacketClass> {
        let mut classes = Vec::new();
        for &protocol in protocols {
            let mut cuts = BTreeSet::from([0u32]);
            for rule in self.rules() {
                match protocol {
                    TCP | UDP => {
                        for range in &rule.ports {
                            cuts.extend([u32::from(range.first), u32::from(range.last) + 1]);
                        }
                    }
                    ICMP | ICMPV6 => {
                        for message in &rule.icmp {
                            let kind = u32::from(message.kind) << 8;
                            let code = message.code.map_or(0, u32::from);
                            let last = message.code.map_or(255, u32::from);
                            cuts.extend([kind + code, kind + last + 1]);
                        }
                    }
                    _ => {}
                }
            }
            let cuts: Vec<u32> = cuts.into_iter().filter(|cut| *cut <= 0xffff).collect();
            for (index, &first) in cuts.iter().enumerate() {
                let end = cuts.get(index + 1).copied().unwrap_or(0x1_0000);
                classes.push(PacketClass {
                    protocol: Some(protocol),
                    sample: protocol,
                    ports: PortRange {
                        first: first as u16,
                        last: (end - 1) as u16,
                    },
                });
            }
        }
        if let Some(other) = (0..=u8::MAX).rev().find(|p| !protocols.contains(p)) {
            classes.push(PacketClass {
                protocol: None,
                sample: other,
                ports: PortRange {
                    first: 0,
                    last: u16::MAX,
                },
            });
        }
        classes
    }
}

/// Addresses of one family that no rule tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IpAddrClass {
    v4: bool,
    first: u128,
    last: u128,
    /// Stands for the other family too.
    any: bool,
}

impl IpAddrClass {
    /// One of them.
    pub(crate) fn sample(self) -> IpAddr {
        self.address(self.first)
    }

    /// All of them; `None` for every address.
    pub(crate) fn range(self) -> Option<AddressRange> {
        (!self.any).then(|| AddressRange {
            first: self.address(self.first),
            last: self.address(self.last),
        })
    }

    fn address(self, bits: u128) -> IpAddr {
        if self.v4 {
            Ipv4Addr::from_bits(bits as u32).into()
        } else {
            Ipv6Addr::from_bits(bits).into()
        }
    }
}

/// Packets that no rule tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PacketClass {
    /// `None` for the others.
    pub(crate) protocol: Option<u8>,
    pub(crate) sample: u8,
    pub(crate) ports: PortRange,
}

/// Cuts both families at the edges of ranges and places; only what lies in a place is kept.
fn classes<'a>(
    ranges: impl Iterator<Item = &'a AddressRange>,
    places: &'a [AddressRange],
) -> Vec<IpAddrClass> {
    const MAPPED: u128 = 0xffff_0000_0000;
    let mut v4 = BTreeSet::from([0u128]);
    // Mapped addresses are IPv4's.
    let mut v6 = BTreeSet::from([0, MAPPED, MAPPED + (1 << 32)]);
    for range in ranges.chain(places) {
        let (cuts, first, last) = match (range.first, range.last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => (
                &mut v4,
                u128::from(first.to_bits()),
                u128::from(last.to_bits()),
            ),
            (IpAddr::V6(first), IpAddr::V6(last)) => (&mut v6, first.to_bits(), last.to_bits()),
            _ => continue,
        };
        cuts.insert(first);
        cuts.extend(last.checked_add(1));
    }
    let mut classes = Vec::new();
    for (v4, cuts, end) in [(true, v4, u128::from(u32::MAX)), (false, v6, u128::MAX)] {
        let cuts: Vec<u128> = cuts.into_iter().filter(|cut| *cut <= end).collect();
        for (index, &first) in cuts.iter().enumerate() {
            let last = cuts.get(index + 1).map_or(end, |next| next - 1);
            let class = IpAddrClass {
                v4,
                first,
                last,
                any: false,
            };
            let mapped = !v4 && first == MAPPED;
            let sample = class.sample();
            let inside = |place: &AddressRange| {
                place.first.is_ipv4() == v4 && place.first <= sample && sample <= place.last
            };
            if !mapped && (places.is_empty() || places.iter().any(inside)) {
                classes.push(class);
            }
        }
    }
    classes
}
