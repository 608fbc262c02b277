//! From what masters say to what the kernel should hold.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use contiv_datapath::spec::{
    Desired, EndpointSpec, HostSpec, NetworkSpec, RemoteSpec, TenantSpec, UnderlaySpec,
};
use contiv_datapath::{Cause, Shortfall, Subject};
use contiv_model::agent::{
    Encap, EndpointView, Foothold, ForwardMode, NetworkView, ObjectKind, ObjectRef, Problem,
    TakenPrefix, WAY_OF_HOSTS,
};
use contiv_policy::TenantPolicy;
use ipnet::IpNet;

use super::{DEFAULT_TENANT, Mirror};

/// What VXLAN's headers take of each packet (RFC 7348, IPv4 underlay).
const VXLAN_OVERHEAD: u32 = 50;

/// What the host itself adds to the picture.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// This host's name, as masters know it.
    pub host: String,
    /// Largest packet, in bytes, of the link that leads out of the host.
    pub mtu: u32,
    /// Prefixes that the host uses for itself.
    pub taken: Vec<TakenPrefix>,
    /// Endpoints that are being removed: the engine is done with them.
    pub gone: BTreeSet<String>,
    /// Where the other hosts send to; none for a host on its own.
    pub tunnel: Option<IpAddr>,
    /// Endpoints of the other hosts.
    pub remote: Arc<BTreeMap<String, RemoteSpec>>,
    /// Endpoints of this host that masters do not know, or not yet.
    pub orphans: Vec<EndpointView>,
}

/// What the kernel should hold, and what stands in the way of some object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub desired: Desired,
    pub problems: Vec<Problem>,
}

/// Everything that the tenants of this host need in its kernel.
///
/// 1. Tenants with their groups and rules; the default one holds the host itself.
/// 2. Networks; one that overlaps a prefix of the host's own gets no route here,
///    and the overlap is reported as a problem of the network.
/// 3. The endpoints of this host whose tenant and network are known, but for
///    those that are being removed; and those that masters are still to hear of.
/// 4. The host's own interfaces, which `infra` networks have, with the name of the network; one
///    whose network overlaps a prefix of the host's own, or another network that the host reaches,
///    is not made, and reported as such an overlap.
/// 5. The other hosts that this one shares tenants with, and their endpoints.
pub(crate) fn desired(mirror: &Mirror, around: &Surroundings) -> Wanted {
    let mut wanted = Wanted::default();
    if let Some(global) = mirror.global() {
        wanted.desired.routing = global.forward_mode == ForwardMode::Routing;
        wanted.desired.private_subnet = global.pvt_subnet;
        wanted.desired.flood = global.flood;
        wanted.desired.underlay = around.tunnel.map(|address| UnderlaySpec {
            address,
            udp_port: global.vxlan_port,
            mtu: mirror.hosts().filter_map(|host| host.mtu).min(),
        });
    }
    let others = mirror.hosts().filter(|host| host.name != around.host);
    let others = others.map(|host| {
        (
            host.name.clone(),
            HostSpec {
                address: host.tunnel,
            },
        )
    });
    wanted.desired.hosts = others.collect();
    wanted.desired.remote = Arc::clone(&around.remote);
    wanted.desired.tenants = tenants(mirror);
    let mut unreachable = BTreeSet::new();
    for network in mirror.networks() {
        let Some(tenant) = mirror.tenant(&network.tenant) else {
            continue;
        };
        let overlap = is_routed_to(network)
            .then(|| around.taken.iter().find(|t| overlaps(network, t.prefix)))
            .flatten();
        let others = in_the_way(mirror, network);
        if let Some(taken) = overlap.or(others.as_ref()) {
            wanted.problems.push(subnet_taken(network, taken));
            unreachable.insert(network.number);
        }
        let spec = NetworkSpec {
            tenant: tenant.number,
            subnet: network.subnet,
            gateway: network.gateway,
            ipv6_subnet: network.ipv6_subnet,
            ipv6_gateway: network.ipv6_gateway,
            mtu: mtu(network, around.mtu),
            vni: vni(network),
            unreachable_from_host: unreachable.contains(&network.number),
            refuses: in_swarm(mirror, network),
            of_hosts: is_way_of_hosts(network),
        };
        wanted.desired.networks.insert(network.number, spec);
    }
    for endpoint in mirror.endpoints().chain(&around.orphans) {
        if endpoint.host != around.host || around.gone.contains(&endpoint.id) {
            continue;
        }
        let Some(spec) = endpoint_spec(mirror, endpoint) else {
            continue;
        };
        if Foothold::is_id(&endpoint.id) {
            if unreachable.contains(&spec.network) {
                continue;
            }
            let (id, name) = (endpoint.id.clone(), endpoint.network.clone());
            wanted.desired.footholds.insert(id, name);
        }
        wanted.desired.local.insert(endpoint.id.clone(), spec);
    }
    wanted
}

/// Whether hosts have a route to the network.
fn is_routed_to(network: &NetworkView) -> bool {
    network.tenant == DEFAULT_TENANT || network.infra
}

/// Whether hosts reach all networks of the tenant by this one.
fn is_way_of_hosts(network: &NetworkView) -> bool {
    network.infra && network.tenant == DEFAULT_TENANT && network.name == WAY_OF_HOSTS
}

/// A network that the host reaches and that comes before an `infra` network with addresses of its.
/// Masters refuse such, but for those that were made before they did.
fn in_the_way(mirror: &Mirror, network: &NetworkView) -> Option<TakenPrefix> {
    if !network.infra || network.tenant == DEFAULT_TENANT {
        return None;
    }
    let before = |other: &&NetworkView| {
        let earlier = other.tenant == DEFAULT_TENANT || other.number < network.number;
        is_routed_to(other) && other.tenant != network.tenant && earlier
    };
    let hit = |other: &&NetworkView| {
        let v6 = other.ipv6_subnet.map(IpNet::from);
        overlaps(network, other.subnet.into()) || v6.is_some_and(|v6| overlaps(network, v6))
    };
    let other = mirror.networks().filter(before).find(hit)?;
    Some(TakenPrefix {
        prefix: other.subnet.into(),
        by: format!("network {} of tenant {}", other.name, other.tenant),
    })
}

/// Whether a network of some Swarm stands for the network or a group of it.
fn in_swarm(mirror: &Mirror, network: &NetworkView) -> bool {
    let swarms = mirror.docker_networks().filter(|d| d.swarm.is_some());
    let mut of = swarms.map(|d| (d.tenant.as_str(), d.network.as_str()));
    of.any(|of| of == (network.tenant.as_str(), network.name.as_str()))
}

/// What an object lacks in the kernel, as a problem of the object.
///
/// Tenants and networks are known here by number; one that has gone meanwhile has no problem.
pub(crate) fn problem(mirror: &Mirror, shortfall: &Shortfall) -> Option<Problem> {
    let (kind, key) = match &shortfall.subject {
        Subject::Tenant(number) => {
            let tenant = mirror.tenants().find(|t| t.number == *number)?;
            (ObjectKind::Tenant, tenant.name.clone())
        }
        Subject::Network(number) => {
            let network = mirror.networks().find(|n| n.number == *number)?;
            let key = format!("{}:{}", network.tenant, network.name);
            (ObjectKind::Network, key)
        }
        Subject::Endpoint(id) => match Foothold::parse(id) {
            Some(foothold) => (ObjectKind::Network, foothold.network_key()),
            None => (ObjectKind::Endpoint, id.clone()),
        },
        // Hosts are no objects that masters keep problems of.
        Subject::Underlay | Subject::Host(_) => return None,
    };
    let reason = match shortfall.cause {
        Cause::Policy => "PolicyRefused",
        Cause::Room => "TablesFull",
        Cause::Name => "NameTaken",
        Cause::Kernel => "DataPlane",
    };
    Some(Problem {
        object: ObjectRef { kind, key },
        reason: reason.into(),
        message: shortfall.message.clone(),
    })
}

/// An endpoint in numbers; none while its tenant, network or group is not known here.
pub(crate) fn endpoint_spec(mirror: &Mirror, endpoint: &EndpointView) -> Option<EndpointSpec> {
    let group = match &endpoint.group {
        Some(name) => mirror.group(&endpoint.tenant, name)?.number,
        None => 0,
    };
    Some(EndpointSpec {
        tenant: mirror.tenant(&endpoint.tenant)?.number,
        network: mirror.network(&endpoint.tenant, &endpoint.network)?.number,
        group,
        ipv4: endpoint.ipv4,
        ipv6: endpoint.ipv6,
        mac: endpoint.mac.0,
    })
}

fn tenants(mirror: &Mirror) -> BTreeMap<u32, TenantSpec> {
    let specs = mirror.tenants().map(|tenant| {
        let groups = mirror.groups().filter(|g| g.tenant == tenant.name);
        let policies = mirror.policies().filter(|p| p.tenant == tenant.name);
        let rules = mirror.rules().filter(|r| r.tenant == tenant.name);
        let spec = TenantSpec {
            is_default: tenant.name == DEFAULT_TENANT,
            policy: TenantPolicy::from_views(groups, policies, rules),
        };
        (tenant.number, spec)
    });
    specs.collect()
}

/// What carries no VXLAN between hosts has no number there.
fn vni(network: &NetworkView) -> u32 {
    match network.encap {
        Encap::Vxlan => network.tag,
        Encap::Vlan => 0,
    }
}

fn mtu(network: &NetworkView, link: u32) -> u32 {
    match network.encap {
        Encap::Vxlan => link.saturating_sub(VXLAN_OVERHEAD),
        Encap::Vlan => link,
    }
}

/// A default route covers every subnet and takes none.
fn overlaps(network: &NetworkView, taken: IpNet) -> bool {
    if taken.prefix_len() == 0 {
        return false;
    }
    let meets = |ours: IpNet| ours.contains(&taken.network()) || taken.contains(&ours.network());
    meets(network.subnet.into()) || network.ipv6_subnet.is_some_and(|s| meets(s.into()))
}

fn subnet_taken(network: &NetworkView, taken: &TakenPrefix) -> Problem {
    Problem {
        object: ObjectRef {
            kind: ObjectKind::Network,
            key: format!("{}:{}", network.tenant, network.name),
        },
        reason: "SubnetTaken".into(),
        message: format!(
            "{} overlaps {} ({}): the host itself does not reach this network; \
             give the network another subnet, or free the prefix",
            network.subnet, taken.prefix, taken.by
        ),
    }
}

#[cfg(test)]
mod tests;
