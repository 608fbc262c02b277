//! What the maps of hosts should hold about one tenant, to be asked like them.
//!
//! Hosts number their endpoints themselves, and know those of others by where they are: here all
//! endpoints of the tenant are on one host, since neither changes the way of a connection.

use std::collections::BTreeMap;
use std::net::IpAddr;

use contiv_datapath_abi::Address;
use contiv_datapath_abi::config::Config;
use contiv_datapath_abi::endpoint::{AddressKey, Endpoint, FIRST_SLOT, Target};
use contiv_datapath_abi::opening::Fabric;
use contiv_datapath_abi::policy::{Query, Verdict};
use contiv_datapath_abi::tenant::{Network, PrefixKey, Tenant};
use contiv_model::agent::{ForwardMode, WAY_OF_HOSTS};
use contiv_model::parsed::{NetworkType, ParsedNetwork};
use contiv_policy::{TenantPolicy, explain_side};
use ipnet::IpNet;

use crate::image::{DEFAULT_TENANT, Image, KnownNetwork};

/// One tenant's maps.
pub(super) struct Picture<'a> {
    policy: &'a TenantPolicy,
    number: u32,
    config: Option<Config>,
    tenant: Tenant,
    networks: Vec<(IpNet, Network)>,
    targets: BTreeMap<Address, Target>,
    endpoints: Vec<Endpoint>,
    hosts: Vec<Address>,
}

impl<'a> Picture<'a> {
    pub(super) fn of(image: &Image, tenant: &str, policy: &'a TenantPolicy) -> Picture<'a> {
        let global = image.global().map(|known| &known.parsed);
        let routing = global.is_some_and(|global| global.forward_mode == ForwardMode::Routing);
        let networks = image.networks_of(tenant);
        let mut picture = Picture {
            policy,
            number: image.tenant(tenant).map_or(0, |tenant| tenant.number),
            config: global.map(|global| Config {
                private_base: global.pvt_subnet.network().octets(),
                private_mask: global.pvt_subnet.netmask().octets(),
                ..Config::default()
            }),
            tenant: Tenant {
                flags: if routing { Tenant::ROUTING } else { 0 },
                ..Tenant::default()
            },
            networks: networks.flat_map(|(_, known)| rows_of(known)).collect(),
            targets: BTreeMap::new(),
            endpoints: Vec::new(),
            hosts: Vec::new(),
        };
        for endpoint in image.endpoints_of_tenant(tenant) {
            let key = |name: &str| format!("{tenant}:{name}");
            let group = endpoint.group.as_deref().and_then(|g| image.group(&key(g)));
            let network = image.network(&key(&endpoint.network));
            let (group, network) = (
                group.map_or(0, |known| known.record.number),
                network.map_or(0, |known| known.record.number),
            );
            picture.place(endpoint.addresses(), network, group);
        }
        picture
    }

    /// Puts an endpoint there, in place of one that has an address of it.
    pub(super) fn place(
        &mut self,
        addresses: impl IntoIterator<Item = IpAddr>,
        network: u32,
        group: u32,
    ) {
        let index = u32::try_from(self.endpoints.len()).unwrap_or(u32::MAX - FIRST_SLOT);
        let slot = FIRST_SLOT + index;
        self.endpoints.push(Endpoint {
            serial: slot,
            state: Endpoint::OPEN,
            tenant: self.number,
            network,
            group,
            ..Endpoint::default()
        });
        for address in addresses {
            let target = Target {
                slot,
                serial: slot,
                network,
                group,
                ..Target::default()
            };
            self.targets.insert(mapped(address), target);
        }
    }

    /// Says that a host has this address.
    pub(super) fn place_host(&mut self, address: IpAddr) {
        self.hosts.push(mapped(address));
    }

    /// The tenant's number.
    pub(super) fn number(&self) -> u32 {
        self.number
    }
}

/// One row per subnet, as hosts have them.
fn rows_of(known: &KnownNetwork) -> impl Iterator<Item = (IpNet, Network)> + use<> {
    let number = known.record.number;
    let flags = match is_way_of_hosts(&known.parsed) {
        true => Network::OF_HOSTS,
        false => 0,
    };
    let row = move |net: IpNet, gateway: Option<IpAddr>| {
        let host_bits = match net {
            IpNet::V4(net) => 32 - u32::from(net.prefix_len()),
            IpNet::V6(_) => 0,
        };
        let network = Network {
            number,
            flags,
            host_bits,
            gateway: gateway.map(mapped).unwrap_or_default(),
            ..Network::default()
        };
        (net, network)
    };
    let parsed = &known.parsed;
    let v4 = row(parsed.subnet.net.into(), parsed.gateway.map(IpAddr::from));
    let gateway = parsed.ipv6_gateway.map(IpAddr::from);
    let v6 = parsed.ipv6_subnet.map(|net| row(net.into(), gateway));
    [Some(v4), v6].into_iter().flatten()
}

/// Whether hosts reach all networks of the tenant by this one.
fn is_way_of_hosts(network: &ParsedNetwork) -> bool {
    let is_named = network.tenant == DEFAULT_TENANT && network.name == WAY_OF_HOSTS;
    is_named && network.nw_type == NetworkType::Infra
}

/// An address as the kernel has it.
pub(super) fn mapped(address: IpAddr) -> Address {
    match address {
        IpAddr::V4(address) => contiv_datapath_abi::mapped(address.octets()),
        IpAddr::V6(address) => address.octets(),
    }
}

/// An address as people have it.
pub(super) fn unmapped(address: Address) -> IpAddr {
    std::net::Ipv6Addr::from(address).to_canonical()
}

impl Fabric for Picture<'_> {
    fn config(&self) -> Option<&Config> {
        self.config.as_ref()
    }

    fn tenant(&self, number: u32) -> Option<Tenant> {
        (number == self.number).then_some(self.tenant)
    }

    fn network(&self, key: &PrefixKey) -> Option<&Network> {
        let address = unmapped(key.address);
        let holds = |(net, _): &&(IpNet, Network)| net.contains(&address);
        let networks = self.networks.iter().filter(holds);
        let longest = networks.max_by_key(|(net, _)| net.prefix_len());
        longest.map(|(_, network)| network)
    }

    fn target(&self, key: &AddressKey) -> Option<&Target> {
        self.targets.get(&key.address)
    }

    fn endpoint(&self, slot: u32) -> Option<&Endpoint> {
        let index = slot.checked_sub(FIRST_SLOT)?;
        self.endpoints.get(index as usize)
    }

    fn is_host(&self, address: &Address) -> bool {
        self.hosts.contains(address)
    }

    fn verdict(&self, query: &Query) -> Verdict {
        explain_side(self.policy, *query).verdict
    }
}
