//! Objects as hosts see them: parsed, numbered, with references resolved.

use std::net::IpAddr;

use contiv_model::agent::{
    AddressRange, GlobalView, GroupView, HostObject, HostView, NetworkView, PolicyView, RuleView,
    TenantView,
};
use contiv_model::parsed::{ArpMode, NetworkType, ParsedNetwork};

use crate::image::{Image, KnownGlobal, KnownGroup, KnownNetwork, KnownPolicy, KnownRule};
use crate::record::{HostRecord, TenantRecord};

/// The number of no group: a rule whose peer is in it matches nothing.
const NO_GROUP: u32 = 0;

pub(super) fn global(known: &KnownGlobal) -> HostObject {
    HostObject::Global(GlobalView {
        forward_mode: known.parsed.forward_mode,
        pvt_subnet: known.parsed.pvt_subnet,
        vxlan_port: known.parsed.vxlan_port,
        flood: known.parsed.arp_mode == ArpMode::Flood,
    })
}

/// None for a host that others cannot reach.
pub(super) fn host_view(record: &HostRecord) -> Option<HostView> {
    Some(HostView {
        name: record.name.clone(),
        tunnel: record.tunnel?,
        mtu: record.mtu,
    })
}

pub(super) fn tenant(record: &TenantRecord) -> HostObject {
    HostObject::Tenant(TenantView {
        uid: record.meta.uid.clone(),
        name: record.object.tenant_name.clone(),
        number: record.number,
    })
}

pub(super) fn network(known: &KnownNetwork) -> HostObject {
    let parsed = &known.parsed;
    HostObject::Network(NetworkView {
        uid: known.record.meta.uid.clone(),
        tenant: parsed.tenant.to_string(),
        name: parsed.name.to_string(),
        number: known.record.number,
        infra: parsed.nw_type == NetworkType::Infra,
        encap: parsed.encap,
        tag: known.record.tag,
        subnet: parsed.subnet.net,
        gateway: parsed.gateway,
        ipv6_subnet: parsed.ipv6_subnet,
        ipv6_gateway: parsed.ipv6_gateway,
        network_tag: parsed.network_tag(),
    })
}

pub(super) fn group(known: &KnownGroup) -> HostObject {
    let parsed = &known.parsed;
    HostObject::Group(GroupView {
        uid: known.record.meta.uid.clone(),
        tenant: parsed.tenant.to_string(),
        name: parsed.name.to_string(),
        number: known.record.number,
        network: parsed.network.to_string(),
        group_tag: parsed.group_tag(),
        policies: parsed.policies.iter().map(ToString::to_string).collect(),
        default_action_in: parsed.default_action_in,
        default_action_out: parsed.default_action_out,
    })
}

pub(super) fn policy(known: &KnownPolicy) -> HostObject {
    let parsed = &known.parsed;
    HostObject::Policy(PolicyView {
        uid: known.record.meta.uid.clone(),
        tenant: parsed.tenant.to_string(),
        name: parsed.name.to_string(),
        tier: parsed.tier,
        order: parsed.order,
        staged: parsed.staged,
    })
}

/// A peer that is gone, group or network, is met by nothing.
pub(super) fn rule(image: &Image, known: &KnownRule) -> HostObject {
    let parsed = &known.parsed;
    let key = |name: &str| format!("{}:{name}", parsed.tenant);
    let mut peer_group = parsed.peer_group.as_ref().map(|name| {
        let group = image.group(&key(name));
        group.map_or(NO_GROUP, |group| group.record.number)
    });
    let mut peer_addresses = parsed.peer_addresses.clone();
    if let Some(name) = &parsed.peer_network {
        match image.network(&key(name)) {
            Some(network) => peer_addresses.extend(ranges(&network.parsed)),
            None => peer_group = Some(NO_GROUP),
        }
    }
    let (port, ports) = match parsed.ports.ranges() {
        [only] if only.first == only.last => (Some(only.first), Vec::new()),
        ranges => (None, ranges.to_vec()),
    };
    HostObject::Rule(RuleView {
        uid: known.record.meta.uid.clone(),
        tenant: parsed.tenant.to_string(),
        policy: parsed.policy.to_string(),
        id: parsed.id.to_string(),
        number: known.record.number,
        direction: parsed.direction,
        priority: parsed.priority,
        action: parsed.action,
        peer_group,
        peer_addresses,
        own_addresses: parsed.own_addresses.clone(),
        protocol: parsed.protocol,
        port,
        ports,
        icmp_type: parsed.icmp_type,
        icmp_code: parsed.icmp_code,
        log: parsed.log,
        keep_established: parsed.keep_established,
    })
}

/// The addresses that stand for a network as a peer.
fn ranges(network: &ParsedNetwork) -> Vec<AddressRange> {
    let mut ranges = vec![AddressRange::from(network.subnet.claimed())];
    ranges.extend(network.ipv6_subnet.map(|net| AddressRange {
        first: IpAddr::V6(net.network()),
        last: IpAddr::V6(net.broadcast()),
    }));
    ranges
}
