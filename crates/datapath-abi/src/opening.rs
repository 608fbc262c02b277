//! How a connection begins: where its packets go, and whether policy allows it.
//!
//! An endpoint opens a connection, of this host or of another, where the same was asked before; the
//! first of these that applies decides:
//!
//! 1. The target lies in a network of the tenant: its gateway takes no connections; another
//!    network than the sender's is separate unless the tenant is routed, or one of the two is that
//!    of the hosts; an address that nobody has leads nowhere. Else the sender's outgoing and the target's incoming policy must allow.
//! 2. The target cannot be reached by anyone: loopback, link-local, multicast, reserved.
//! 3. The target is the host: open to the default tenant alone, by the endpoint's own address, or
//!    by its private one where the host has no route back. Other tenants stay out.
//! 4. The target is in the private subnet: private addresses are the host's way to endpoints, not
//!    a way among endpoints.
//! 5. It is the world's, met by the endpoint's private address. For it and the host, the sender's
//!    outgoing policy must allow, which sees a peer without a group.
//!
//! An endpoint of another host reaches endpoints of this one, and nothing else by this host. None
//! reaches the port of the tunnel between hosts, but as an address of its tenant's networks.
//!
//! The host opens a connection: the accepter's incoming policy must allow, which sees a peer
//! without a group. Replies of both kinds go back the way they came.

mod kept;
mod remarks;

pub use kept::Kept;
pub use remarks::Remarks;

use crate::config::{Config, DEFAULT_TENANT};
use crate::counter::Reason;
use crate::endpoint::{AddressKey, Endpoint, Target};
use crate::flow::{Flow, FlowKey, Way};
use crate::policy::{Action, Direction, Query, UDP, Verdict};
use crate::tenant::{Network, PrefixKey, Tenant};
use crate::tunnel::is_remote;
use crate::{Address, unmapped};

/// What a host's maps say.
pub trait Fabric {
    fn config(&self) -> Option<&Config>;
    fn tenant(&self, number: u32) -> Option<Tenant>;
    /// The network of the longest prefix.
    fn network(&self, key: &PrefixKey) -> Option<&Network>;
    fn target(&self, key: &AddressKey) -> Option<&Target>;
    fn endpoint(&self, slot: u32) -> Option<&Endpoint>;
    fn is_host(&self, address: &Address) -> bool;
    /// The policy's answer, `policy::evaluate` over the tables.
    fn verdict(&self, query: &Query) -> Verdict;
}

/// A connection that begins, or begins to be judged again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// As the first packet says, with the endpoint's own address.
    pub key: FlowKey,
    /// The opener's slot, of this host or of another, or the accepter's when the host opens.
    pub slot: u32,
    /// [`BY_HOST`](Self::BY_HOST), [`TRANSLATED`](Self::TRANSLATED), added up.
    pub by: u32,
    /// Which sides' policies are not asked again.
    pub kept: Kept,
}

impl Opening {
    pub const BY_HOST: u32 = 1;
    /// The host used the private address.
    pub const TRANSLATED: u32 = 2;

    /// A connection that begins.
    pub const fn new(key: FlowKey, slot: u32, by: u32) -> Opening {
        Opening {
            key,
            slot,
            by,
            kept: Kept::NONE,
        }
    }
}

/// The network that an address of the tenant belongs to.
#[inline(always)]
pub fn network_of<'a, F: Fabric>(
    fabric: &'a F,
    tenant: u32,
    address: &Address,
) -> Option<&'a Network> {
    fabric.network(&PrefixKey {
        tenant,
        address: *address,
    })
}

/// Who has an address of the tenant.
#[inline(always)]
fn target_of<'a, F: Fabric>(fabric: &'a F, tenant: u32, address: &Address) -> Option<&'a Target> {
    fabric.target(&AddressKey {
        tenant,
        address: *address,
    })
}

/// What the judgement of a beginning writes to; the kernel's stack has no room for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    pub flow: Flow,
    pub query: Query,
    pub remarks: Remarks,
}

impl Judgement {
    /// Nothing judged yet.
    pub const NONE: Judgement = Judgement {
        flow: Flow::NONE,
        query: Query {
            root: 0,
            subject_group: 0,
            own_address: [0; 16],
            direction: Direction::Out,
            peer_group: 0,
            peer_address: [0; 16],
            protocol: 0,
            port: 0,
        },
        remarks: Remarks::NONE,
    };
}

/// Judges a beginning. A denied connection is a [`Flow`] too; an error is one that is not worth
/// remembering.
#[inline(always)]
pub fn judge<F: Fabric>(
    fabric: &F,
    opening: &Opening,
    judgement: &mut Judgement,
) -> Result<(), Reason> {
    *judgement = Judgement::NONE;
    let key = &opening.key;
    let tenant = fabric.tenant(key.tenant).ok_or(Reason::UnknownInterface)?;
    let (source, destination) = (key.source.address(), key.destination.address());
    let flow = &mut judgement.flow;
    let (forward, reply) = (&mut flow.forward, &mut flow.reply);
    flow.generation = tenant.generation;
    if key.is_turned() {
        flow.flags = Flow::TURNED;
    }
    if opening.by & Opening::BY_HOST != 0 {
        let endpoint = fabric.endpoint(opening.slot).ok_or(Reason::TargetClosed)?;
        if endpoint.state != Endpoint::OPEN {
            return Err(Reason::TargetClosed);
        }
        to_endpoint(forward, endpoint.serial, opening.slot);
        reply.sender = endpoint.serial;
        reply.delivery = Flow::HOST;
        if opening.by & Opening::TRANSLATED != 0 {
            flow.flags |= Flow::TRANSLATED;
        }
        flow.accepter_group = endpoint.group;
        receive(fabric, judgement, tenant.root, opening);
        return Ok(());
    }
    let opener = opener(fabric, opening)?;
    flow.opener_group = opener.group;
    forward.sender = opener.serial;
    to_endpoint(reply, opener.serial, opening.slot);
    let target = match target_of(fabric, key.tenant, &destination) {
        // An address that somebody of the sender's own network has: that network says no more.
        Some(target) if target.network == opener.network => target,
        target => {
            let Some(network) = network_of(fabric, key.tenant, &destination) else {
                if is_remote(opening.slot) {
                    return Err(Reason::UnknownAddress);
                }
                let flags = outside(fabric, key)?;
                forward.delivery = Flow::HOST;
                flow.flags |= flags;
                send(fabric, judgement, tenant.root, opening);
                return Ok(());
            };
            if destination == network.gateway {
                return Err(Reason::Gateway);
            }
            if is_broadcast(network, &destination) {
                return Err(Reason::Broadcast);
            }
            if network.number != opener.network {
                let own = network_of(fabric, key.tenant, &source);
                let of_hosts = network.flags | own.map_or(0, |own| own.flags);
                if tenant.flags & Tenant::ROUTING == 0 && of_hosts & Network::OF_HOSTS == 0 {
                    return Err(Reason::OtherNetwork);
                }
                forward.mtu = network.mtu;
                reply.mtu = own.map_or(network.mtu, |own| own.mtu);
                flow.flags |= Flow::ROUTED;
            }
            target.ok_or(Reason::UnknownAddress)?
        }
    };
    if is_remote(target.slot) && is_remote(opening.slot) {
        return Err(Reason::UnknownAddress);
    }
    to_endpoint(forward, target.serial, target.slot);
    reply.sender = target.serial;
    flow.accepter_group = target.group;
    if send(fabric, judgement, tenant.root, opening) {
        receive(fabric, judgement, tenant.root, opening);
    }
    Ok(())
}

/// An endpoint that opens a connection.
struct Opener {
    serial: u32,
    network: u32,
    group: u32,
}

#[inline(always)]
fn opener<F: Fabric>(fabric: &F, opening: &Opening) -> Result<Opener, Reason> {
    if is_remote(opening.slot) {
        let source = opening.key.source.address();
        let target = target_of(fabric, opening.key.tenant, &source).ok_or(Reason::TunnelSource)?;
        if target.slot != opening.slot {
            return Err(Reason::TunnelSource);
        }
        return Ok(Opener {
            serial: target.serial,
            network: target.network,
            group: target.group,
        });
    }
    let endpoint = fabric.endpoint(opening.slot).ok_or(Reason::TargetClosed)?;
    Ok(Opener {
        serial: endpoint.serial,
        network: endpoint.network,
        group: endpoint.group,
    })
}

#[inline(always)]
fn to_endpoint(way: &mut Way, serial: u32, slot: u32) {
    way.delivery = if is_remote(slot) {
        Flow::OVERLAY
    } else {
        Flow::LOCAL
    };
    way.target = serial;
    way.slot = slot;
}

/// Whether an address outside of the tenant's networks may be tried, and how.
#[inline(always)]
fn outside<F: Fabric>(fabric: &F, key: &FlowKey) -> Result<u8, Reason> {
    let destination = key.destination.address();
    if leads_nowhere(&destination) {
        return Err(Reason::BadDestination);
    }
    let config = fabric.config().ok_or(Reason::BadDestination)?;
    // Whoever it is for: this host does not know all addresses of all hosts.
    if key.protocol == UDP as u32
        && key.destination_port == config.tunnel_port
        && config.tunnel_port != 0
    {
        return Err(Reason::TunnelPort);
    }
    if fabric.is_host(&destination) {
        if key.tenant != DEFAULT_TENANT {
            return Err(Reason::HostClosed);
        }
        let own = network_of(fabric, key.tenant, &key.source.address());
        let routed_back = own.is_some_and(|own| own.flags & Network::NOT_FROM_HOST == 0);
        return Ok(if routed_back { 0 } else { Flow::TRANSLATED });
    }
    if config.slot_of(&destination).is_some() {
        return Err(Reason::PrivateAddress);
    }
    Ok(Flow::TRANSLATED)
}

/// Whether no router takes the address: unspecified, loopback, link-local, multicast, reserved.
#[inline(always)]
pub fn leads_nowhere(address: &Address) -> bool {
    let [a, b, ..] = unmapped(address);
    if *address == crate::mapped(unmapped(address)) {
        a == 0 || a == 127 || a >= 224 || a == 169 && b == 254
    } else {
        // Also ::/96, which holds the unspecified, the loopback and old mapped forms.
        let zeros = address[..12] == [0; 12];
        zeros || address[0] == 0xff || address[0] == 0xfe && address[1] & 0xc0 == 0x80
    }
}

/// Whether this is the network's own address or its broadcast address.
#[inline(always)]
pub fn is_broadcast(network: &Network, address: &Address) -> bool {
    if network.host_bits < 2 || network.host_bits > 32 {
        return false;
    }
    let hosts = ((1u64 << network.host_bits) - 1) as u32;
    let bits = u32::from_be_bytes(unmapped(address)) & hosts;
    bits == 0 || bits == hosts
}

/// Asks the opener's outgoing policy.
#[inline(always)]
fn send<F: Fabric>(fabric: &F, judgement: &mut Judgement, root: u32, opening: &Opening) -> bool {
    let (flow, query, key) = (&mut judgement.flow, &mut judgement.query, &opening.key);
    let kept = opening.kept.verdict(flow, Flow::KEPT_BY_OPENER);
    let verdict = match kept {
        Some(verdict) => verdict,
        None => {
            query.root = root;
            query.subject_group = flow.opener_group;
            query.peer_group = flow.accepter_group;
            query.own_address = key.source.address();
            query.direction = Direction::Out;
            query.peer_address = key.destination.address();
            query.protocol = key.protocol as u8;
            query.port = key.destination_port;
            fabric.verdict(query)
        }
    };
    flow.opener_rule = verdict.rule;
    // Each side's host tells what its rules say; the opener's of both where it does not let it go.
    if !is_remote(opening.slot) {
        judgement.remarks.note(&verdict, Direction::Out);
    }
    flow.staged_opener_rule = judgement.remarks.staged_opener_rule;
    enforce(flow, verdict, Reason::PolicyOut, Flow::KEPT_BY_OPENER)
}

/// Asks the accepter's incoming policy.
#[inline(always)]
fn receive<F: Fabric>(fabric: &F, judgement: &mut Judgement, root: u32, opening: &Opening) -> bool {
    let (flow, query, key) = (&mut judgement.flow, &mut judgement.query, &opening.key);
    let kept = opening.kept.verdict(flow, Flow::KEPT_BY_ACCEPTER);
    let verdict = match kept {
        Some(verdict) => verdict,
        None => {
            query.root = root;
            query.subject_group = flow.accepter_group;
            query.peer_group = flow.opener_group;
            query.own_address = key.destination.address();
            query.direction = Direction::In;
            query.peer_address = key.source.address();
            query.protocol = key.protocol as u8;
            query.port = key.destination_port;
            fabric.verdict(query)
        }
    };
    flow.accepter_rule = verdict.rule;
    if !is_remote(flow.forward.slot) || matches!(verdict.action, Action::Deny) {
        judgement.remarks.note(&verdict, Direction::In);
    }
    flow.staged_accepter_rule = judgement.remarks.staged_accepter_rule;
    enforce(flow, verdict, Reason::PolicyIn, Flow::KEPT_BY_ACCEPTER)
}

#[inline(always)]
fn enforce(flow: &mut Flow, verdict: Verdict, reason: Reason, side: u8) -> bool {
    if matches!(verdict.action, Action::Allow) {
        if verdict.keep {
            flow.flags |= side;
        }
        return true;
    }
    flow.forward.delivery = Flow::DENIED;
    flow.reply.delivery = Flow::DENIED;
    flow.reason = reason as u8;
    // Only a connection that is allowed is kept.
    flow.flags &= !(Flow::KEPT_BY_OPENER | Flow::KEPT_BY_ACCEPTER);
    false
}

#[cfg(test)]
mod tests;
