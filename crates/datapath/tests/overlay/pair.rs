//! Two hosts on one underlay, each of which knows the other's endpoints.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use contiv_datapath::Attach;
use contiv_datapath::spec::{EndpointSpec, HostSpec, RemoteSpec, UnderlaySpec};
use contiv_testbed::World;

use crate::site::{Container, Site};

/// Which host is meant.
pub(crate) const A: usize = 0;
pub(crate) const B: usize = 1;
pub(crate) const NAMES: [&str; 2] = ["a", "b"];
/// The tunnel's port.
pub(crate) const PORT: u16 = 4789;

/// The family of the tunnel's ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Underlay {
    V4,
    V6,
}

pub(crate) struct Pair {
    pub(crate) world: Arc<World>,
    pub(crate) sites: [Site; 2],
    pub(crate) ends: [IpAddr; 2],
}

impl Pair {
    pub(crate) fn new(attach: Attach) -> Pair {
        Pair::over(Underlay::V4, attach)
    }

    pub(crate) fn over(underlay: Underlay, attach: Attach) -> Pair {
        let world = Arc::new(World::new().unwrap());
        let mut sites = [Site::beside(&world, attach), Site::beside(&world, attach)];
        let ends = sites.each_ref().map(|site| {
            let last = u16::from(site.address.octets()[3]);
            let v6 = Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, last);
            site.netns
                .ip(&format!("addr add {v6}/64 dev eth0 nodad"))
                .unwrap();
            match underlay {
                Underlay::V4 => IpAddr::from(site.address),
                Underlay::V6 => IpAddr::from(v6),
            }
        });
        for (site, end) in sites.iter_mut().zip(ends) {
            site.desired.underlay = Some(UnderlaySpec {
                address: end,
                udp_port: PORT,
                mtu: None,
            });
        }
        Pair { world, sites, ends }
    }

    /// A network of both hosts, see [`Site::network`]; its number is its number on the wire, too.
    pub(crate) fn network(&mut self, number: u32, tenant: u32, third: u8) {
        for site in &mut self.sites {
            site.network(number, tenant, third);
            let network = site.desired.networks.get_mut(&number).unwrap();
            network.vni = 10_000 + number;
        }
    }

    /// A container on a host, which the other one hears of.
    pub(crate) fn container(
        &mut self,
        host: usize,
        network: u32,
        last: u8,
        group: u32,
    ) -> Container {
        let container = self.sites[host].container(network, last, group);
        self.sync();
        container
    }

    /// Tells each host of the other and its endpoints.
    pub(crate) fn tell(&mut self) {
        for (here, there) in [(A, B), (B, A)] {
            let remote = self.sites[there].desired.local.iter();
            let remote = remote.map(|(id, spec)| (id.clone(), of_host(spec, NAMES[there])));
            let remote: BTreeMap<_, _> = remote.collect();
            let desired = &mut self.sites[here].desired;
            desired.remote = Arc::new(remote);
            let address = self.ends[there];
            desired.hosts = BTreeMap::from([(NAMES[there].to_owned(), HostSpec { address })]);
        }
    }

    /// Tells each host of the other, and has both apply.
    pub(crate) fn sync(&mut self) {
        self.tell();
        for site in &mut self.sites {
            site.apply();
        }
    }
}

/// An endpoint as hosts other than its own know it.
pub(crate) fn of_host(spec: &EndpointSpec, host: &str) -> RemoteSpec {
    RemoteSpec {
        tenant: spec.tenant,
        network: spec.network,
        group: spec.group,
        ipv4: spec.ipv4,
        ipv6: spec.ipv6,
        mac: spec.mac,
        host: host.to_owned(),
    }
}
