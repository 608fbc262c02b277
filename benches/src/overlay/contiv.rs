//! Two hosts with Contiv's data plane, each of which knows the other's endpoint.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use contiv_datapath::spec::{EndpointSpec, HostSpec, RemoteSpec, UnderlaySpec};
use contiv_datapath_abi::programs::TUNNEL_LINK;
use contiv_testbed::World;

use crate::load::Ends;
use crate::rules::Size;
use crate::site::Site;

const TENANT: u32 = 2;

const VNI: u32 = 10_002;

/// The tunnel's port.
const PORT: u16 = 4789;

const NAMES: [&str; 2] = ["a", "b"];

pub(super) struct Pair {
    pub(super) ends: Ends,
    sites: [Site; 2],
}

impl Pair {
    /// Both ends are in the group of a policy of so many rules.
    pub(super) fn new(rules: usize) -> Result<Pair> {
        let world = Arc::new(World::new()?);
        let mut sites = [Site::beside(&world)?, Site::beside(&world)?];
        let mut containers = Vec::new();
        for (site, last) in sites.iter_mut().zip(1..) {
            site.desired.underlay = Some(UnderlaySpec {
                address: site.address.into(),
                udp_port: PORT,
                mtu: None,
            });
            site.tenant(TENANT, Size::Rules(rules).policy())?;
            if let Some(network) = site.desired.networks.get_mut(&TENANT) {
                network.vni = VNI;
            }
            site.apply()?;
            containers.push(site.container(TENANT, last)?);
        }
        tell(&mut sites)?;
        let [client, server] = [containers.remove(0), containers.remove(0)];
        let ends = Ends {
            client,
            server,
            target: [10, 1, 1, 2].into(),
        };
        Ok(Pair { ends, sites })
    }

    /// Packets that have left by the first host's tunnel.
    pub(super) fn tunnelled(&self) -> Result<u64> {
        super::sent(&self.sites[0].netns, TUNNEL_LINK)
    }
}

/// Tells each host of the other and its endpoint.
fn tell(sites: &mut [Site; 2]) -> Result<()> {
    for (here, there) in [(0, 1), (1, 0)] {
        let address = sites[there].address.into();
        let remote = sites[there].desired.local.iter();
        let remote: BTreeMap<_, _> = remote
            .map(|(id, spec)| (id.clone(), of_host(spec, NAMES[there])))
            .collect();
        let desired = &mut sites[here].desired;
        desired.remote = Arc::new(remote);
        desired.hosts = BTreeMap::from([(NAMES[there].to_owned(), HostSpec { address })]);
        sites[here].apply()?;
    }
    Ok(())
}

/// An endpoint as hosts other than its own know it.
fn of_host(spec: &EndpointSpec, host: &str) -> RemoteSpec {
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
