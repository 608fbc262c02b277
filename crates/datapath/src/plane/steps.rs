//! The steps of bringing the kernel to what is desired that concern the host itself.

use std::collections::{BTreeMap, BTreeSet};

use contiv_datapath_abi::config::{Config, DEFAULT_TENANT};
use ipnet::IpNet;

use super::{MTU, Plane};
use crate::door::{Door, Wanted};
use crate::endpoints::address_key;
use crate::error::Failures;
use crate::firewall::{GuestFoothold, Rules};
use crate::names::{DOOR_INSIDE, TUNNEL, is_ours, link_names};
use crate::netlink::Link;
use crate::overlay;
use crate::private::{self, Private};
use crate::shortfall::{Shortfalls, Subject};
use crate::spec::{Desired, EndpointSpec, NetworkSpec};
use crate::taken::{Look, overlap};
use crate::{Error, footholds};

impl Plane {
    /// The host's link with a private subnet that nothing else on the host has.
    pub(super) fn ensure_door(&mut self, look: &Look, desired: &Desired) -> Result<Door, Error> {
        let current = Door::current(look);
        let used = look.taken();
        let networks: Vec<IpNet> = of_default(desired)
            .map(|network| network.subnet.into())
            .collect();
        let in_use = !self.endpoints.is_empty();
        let wanted = desired.private_subnet;
        let chosen = private::choose(wanted, current, in_use, &used, &networks)
            .ok_or(Error::NoPrivateSubnet { wanted })?;
        if Some(chosen) != current && chosen != wanted.trunc() {
            tracing::warn!(%wanted, %chosen, "the private subnet is taken on this host");
        }
        let mtus = desired.networks.values().map(|network| network.mtu);
        let door = Door::ensure(
            &mut self.netlink,
            &self.attacher,
            Private::new(chosen),
            mtus.fold(MTU, u32::max),
        )?;
        let config = Config {
            private_base: chosen.network().octets(),
            private_mask: chosen.netmask().octets(),
            host_link: door.inside.index,
            host_mac: door.outside.mac,
            ..self.config.get(&0)?.unwrap_or_default()
        };
        if self.config.get(&0)? != Some(config) {
            self.config.put(&0, &config)?;
        }
        self.door = Some(door.clone());
        Ok(door)
    }

    /// Policies in force, flows still as they were judged. A tenant whose new policy is refused
    /// keeps the one that it has.
    pub(super) fn set_tenants(
        &mut self,
        desired: &Desired,
        failures: &mut Failures,
        lacks: &mut Shortfalls,
    ) {
        self.ready.clear();
        for (number, tenant) in &desired.tenants {
            let built = self.policies.build(*number, &tenant.policy);
            let set = match lacks.note(Subject::Tenant(*number), built) {
                Some(root) => self.tenants.set(*number, root, desired.routing),
                None => self.tenants.set_mode(*number, desired.routing),
            };
            let set = lacks.note(Subject::Tenant(*number), set);
            if set.is_none() {
                self.policies.abandon(*number);
            }
            if set.is_some() && self.policies.has(*number) {
                self.ready.insert(*number);
            }
        }
        let tenants: BTreeSet<u32> = desired.tenants.keys().copied().collect();
        failures.note(self.tenants.keep(&tenants));
        self.policies.keep(&tenants);
    }

    pub(super) fn set_networks(
        &mut self,
        desired: &Desired,
        failures: &mut Failures,
        lacks: &mut Shortfalls,
    ) {
        self.networks.clear();
        let carried = self.overlay.mtu(desired.underlay.as_ref());
        for (number, network) in &desired.networks {
            let mut network = network.clone();
            if network.vni != 0 {
                network.mtu = carried.map_or(network.mtu, |carried| network.mtu.min(carried));
            }
            let set = self.tenants.set_network(*number, &network);
            if lacks.note(Subject::Network(*number), set).is_some() {
                self.networks.insert(*number, network);
            }
        }
        failures.note(self.tenants.keep_networks(&desired.networks));
    }

    /// The tunnel, and whom it leads to.
    pub(super) fn set_overlay(
        &mut self,
        desired: &Desired,
        failures: &mut Failures,
        lacks: &mut Shortfalls,
    ) {
        let locals = desired.local.values();
        let locals = locals.map(|spec| address_key(spec.tenant, spec.ipv4));
        let mut hands = overlay::Hands {
            netlink: &mut self.netlink,
            attacher: &self.attacher,
        };
        let stale = self
            .overlay
            .apply(&mut hands, desired, &locals.collect(), failures, lacks);
        for tenant in stale {
            self.tenants.touch(tenant);
        }
    }

    pub(super) fn refresh_host_addresses(&mut self) -> Result<(), Error> {
        let addresses = self
            .netlink
            .addresses()
            .map_err(Error::netlink("list addresses"))?;
        self.host_addresses.set(&addresses)
    }

    /// Routes to networks of the default tenant, but for those that the host cannot reach.
    pub(super) fn ensure_routes(
        &mut self,
        door: &Door,
        look: &Look,
        desired: &Desired,
    ) -> Result<(), Error> {
        let used = look.taken();
        let reached = footholds::reached(look);
        let mut wanted = Wanted::new();
        for network in of_default(desired).filter(|network| !network.unreachable_from_host) {
            let v4 = IpNet::from(network.subnet.trunc());
            let v6 = network
                .ipv6_subnet
                .map(|subnet| IpNet::from(subnet.trunc()));
            for prefix in [Some(v4), v6].into_iter().flatten() {
                // Whoever asks may have looked before the prefix was taken.
                let taken = used.iter().any(|taken| overlap(taken.prefix, prefix));
                if !taken && !reached.contains(&prefix) {
                    wanted.insert(prefix, network.mtu);
                }
            }
        }
        door.ensure_routes(&mut self.netlink, &look.routes, &wanted)
    }

    pub(super) fn ensure_firewall(
        &mut self,
        door: &Door,
        look: &Look,
        desired: &Desired,
    ) -> Result<(), Error> {
        let Look { links, routes, .. } = look;
        // A bridge by which the host reaches other machines is a way to the world.
        let ways: BTreeSet<u32> = routes
            .iter()
            .filter(|r| r.gateway)
            .map(|r| r.link)
            .collect();
        let bridges = links.iter().filter(|link| {
            link.kind == "bridge" && !is_ours(&link.name) && !ways.contains(&link.index)
        });
        let (guests, guests_ipv6) = door.private.guests();
        let rules = Rules {
            private: door.private.subnet(),
            private_ipv6: door.private.subnet_ipv6(),
            guests,
            guests_ipv6,
            tunnel_port: desired.underlay.map(|underlay| underlay.udp_port),
            bridges: bridges.map(|link| link.name.clone()).collect(),
            footholds: desired.footholds.values().cloned().collect(),
            guest_footholds: guest_footholds(desired),
        };
        self.firewall.ensure(&rules)
    }

    /// An endpoint may be made before its network is known; both ends learn it while they
    /// are here.
    pub(super) fn ensure_mtu(
        &mut self,
        id: &str,
        spec: &EndpointSpec,
        links: &BTreeMap<&str, &Link>,
    ) -> Result<(), Error> {
        let Some(network) = self.networks.get(&spec.network) else {
            return Ok(());
        };
        let (host, container) = link_names(id);
        // What a container sends beyond the host's end would be lost without a word, so that end
        // takes no less than the container's was told.
        let detached = links.contains_key(container.as_str());
        for name in [host, container] {
            let Some(link) = links.get(name.as_str()) else {
                continue;
            };
            if link.mtu < network.mtu || detached && link.mtu != network.mtu {
                self.netlink
                    .set_mtu(link.index, network.mtu)
                    .map_err(Error::netlink(format!("set the MTU of {name}")))?;
            }
        }
        Ok(())
    }

    /// Forgets pins of links that are not there any more.
    pub(super) fn forget_pins(&mut self) -> Result<(), Error> {
        let known = self.endpoints.interfaces();
        let mut failures = Failures::default();
        for name in self.pins.linked()? {
            if name != DOOR_INSIDE && name != TUNNEL && !known.contains(&name) {
                failures.note(self.attacher.forget(&name));
            }
        }
        failures.result()
    }
}

/// The host's interfaces in networks of tenants other than the default one.
fn guest_footholds(desired: &Desired) -> Vec<GuestFoothold> {
    let of_guest = |(id, name): (&String, &String)| {
        let network = desired.networks.get(&desired.local.get(id)?.network)?;
        (network.tenant != DEFAULT_TENANT).then(|| GuestFoothold {
            link: name.clone(),
            hosts: network.subnet.trunc(),
            hosts_ipv6: network.ipv6_subnet.map(|subnet| subnet.trunc()),
        })
    };
    desired.footholds.iter().filter_map(of_guest).collect()
}

fn of_default(desired: &Desired) -> impl Iterator<Item = &NetworkSpec> {
    let of_default = |network: &&NetworkSpec| network.tenant == DEFAULT_TENANT;
    desired.networks.values().filter(of_default)
}
