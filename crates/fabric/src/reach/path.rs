//! The way of a connection in sentences.

use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::flow::Flow;
use contiv_model::agent::ForwardMode;
use contiv_model::reach::{Packets, Party};
use contiv_policy::{Beginning, Course};

use super::party::{Found, Kind};
use crate::image::Image;

/// Who opens what to whom, within a tenant.
pub(super) struct Trip<'a> {
    pub(super) image: &'a Image,
    pub(super) tenant: &'a str,
    pub(super) from: &'a Found,
    pub(super) to: &'a Found,
    pub(super) beginning: &'a Beginning,
    pub(super) packets: Packets,
}

/// No reason of the kernel's programs: packets from elsewhere do not come as far.
pub(super) const FIREWALL: &str = "firewall";

impl Trip<'_> {
    /// Why packets do not arrive, whatever policies say; empty when they do.
    pub(super) fn obstacle(&self, course: &Course) -> &'static str {
        match course.way {
            _ if self.from.kind == Kind::World => FIREWALL,
            Err(Reason::Gateway) if self.packets.is_echo() => "",
            Err(reason) => reason.name(),
            Ok(_) => "",
        }
    }

    /// A sentence a step.
    pub(super) fn steps(&self, course: &Course) -> Vec<String> {
        let mut steps = vec![format!(
            "both ends are asked about in tenant {}",
            self.tenant
        )];
        steps.extend(self.ends());
        steps.extend(self.networks());
        steps.push(match course.way {
            _ if self.from.kind == Kind::World => {
                "no way: a host's firewall lets nobody but the host itself open connections to \
                 endpoints"
                    .to_owned()
            }
            Err(Reason::Gateway) if self.packets.is_echo() => {
                "the gateway's answer comes from the fabric itself (rule 2)".to_owned()
            }
            Err(reason) => format!("no way ({}): {}", reason.name(), self.why_not(reason)),
            Ok(way) => match (way.delivery, self.from.kind, self.to.kind) {
                (_, Kind::Host, _) => "the host reaches it through contiv0".to_owned(),
                (Flow::HOST, _, Kind::Host) => {
                    "outside of the tenant's networks: to the host, through contiv0".to_owned()
                }
                (Flow::HOST, ..) => "outside of the tenant's networks: to the world, by the \
                                     endpoint's private address and then the host's"
                    .to_owned(),
                _ if way.routed => "routed between the tenant's networks".to_owned(),
                _ => "delivered within the network".to_owned(),
            },
        });
        steps
    }

    fn ends(&self) -> Vec<String> {
        let on = |party: &Party| format!("{} is on host {}", party.name, party.host);
        let (from, to) = (&self.from.told, &self.to.told);
        match (self.from.kind, self.to.kind) {
            (Kind::Endpoint, Kind::Endpoint) if from.host == to.host => {
                vec![format!("both endpoints are on host {}", from.host)]
            }
            (Kind::Endpoint, Kind::Endpoint) => {
                vec![format!("{}, {}: between hosts", on(from), on(to))]
            }
            (Kind::Endpoint, _) => vec![on(from)],
            (_, Kind::Endpoint) => vec![on(to)],
            _ => Vec::new(),
        }
    }

    fn networks(&self) -> Option<String> {
        let (from, to) = (&self.from.told.network_name, &self.to.told.network_name);
        if from.is_empty() || to.is_empty() {
            return None;
        }
        if self.from.network == self.to.network {
            return Some(format!("both are in network {from}"));
        }
        Some(match self.is_routing() {
            true => format!("networks {from} and {to}, which forwarding mode routing joins"),
            false => format!("networks {from} and {to}, which forwarding mode bridge keeps apart"),
        })
    }

    fn is_routing(&self) -> bool {
        let global = self.image.global();
        global.is_some_and(|known| known.parsed.forward_mode == ForwardMode::Routing)
    }

    fn why_not(&self, reason: Reason) -> String {
        let to = self.beginning.to;
        match reason {
            Reason::Gateway => format!("{to} is a gateway, which answers nothing but pings"),
            Reason::OtherNetwork => "networks of one tenant are apart; netctl global set \
                                     --fwd-mode routing joins them"
                .to_owned(),
            Reason::UnknownAddress => format!("no endpoint has {to}"),
            Reason::HostClosed => {
                "the host is open to containers of tenant default alone".to_owned()
            }
            Reason::PrivateAddress => {
                format!("{to} is a private address: the host's way to an endpoint, nobody else's")
            }
            Reason::BadDestination => format!("{to} leads nowhere"),
            Reason::Broadcast => format!("{to} is for all of the network, no one's own"),
            other => format!("packets are dropped: {}", other.name()),
        }
    }
}
