//! How a connection begins: where its packets go, and whether policy allows it.
//!
//! An endpoint opens a connection, of this host or of another, where the same was asked before; the
//! first of these that applies decides:
//!
//! 1. The target lies in a network of the tenant: its gateway takes no connections; another
//!    network than the sender's is separate unless the tenant is routed; an address that nobody has
//!    leads nowhere. Else the sender's outgoing and the target's incoming policy must allow.
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

use crate::config::{Config, DEFAULT_TENANT};
use crate::counter::Reason;
use crate::endpoint::{AddressKey, Endpoint, Target};
use crate::event::Event;
use crate::flow::{Flow, FlowKey};
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
}

impl Opening {
    pub const BY_HOST: u32 = 1;
    /// The host used the private address.
    pub const TRANSLATED: u32 = 2;
}

/// Both directions of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    pub forward: Flow,
    pub reply: Flow,
}

/// What policy says of a connection beside its verdict. 12 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Remarks {
    /// [`LOG`](Self::LOG), and how staged rules would decide, as in [`Event::flags`].
    pub flags: u32,
    /// The rule by which staged policies would decide otherwise for the opener; 0 for none.
    pub staged_opener_rule: u32,
    /// As above, for the accepter.
    pub staged_accepter_rule: u32,
}

impl Remarks {
    /// A rule that decided asks for an event.
    pub const LOG: u32 = 1;

    /// Nothing to tell.
    pub const NONE: Remarks = Remarks {
        flags: 0,
        staged_opener_rule: 0,
        staged_accepter_rule: 0,
    };

    /// Whether staged policies would decide otherwise.
    #[inline(always)]
    pub const fn is_staged(&self) -> bool {
        self.staged_opener_rule | self.staged_accepter_rule != 0
    }

    #[inline(always)]
    fn note(&mut self, verdict: &Verdict, direction: Direction) {
        if verdict.log {
            self.flags |= Self::LOG;
        }
        let Some(staged) = verdict.staged else {
            return;
        };
        let denies = matches!(staged.action, Action::Deny);
        // The same by another rule is nothing else for the connection.
        if denies == matches!(verdict.action, Action::Deny) {
            return;
        }
        let (rule, flag) = match direction {
            Direction::Out => (&mut self.staged_opener_rule, Event::STAGED_OPENER_DENIES),
            Direction::In => (
                &mut self.staged_accepter_rule,
                Event::STAGED_ACCEPTER_DENIES,
            ),
        };
        *rule = staged.rule;
        if denies {
            self.flags |= flag as u32;
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

/// What the judgement of a beginning writes to; the kernel's stack has no room for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    pub connection: Connection,
    pub query: Query,
    pub remarks: Remarks,
}

impl Judgement {
    /// Nothing judged yet.
    pub const NONE: Judgement = Judgement {
        connection: Connection {
            forward: NO_FLOW,
            reply: NO_FLOW,
        },
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

const NO_FLOW: Flow = Flow {
    generation: 0,
    sender: 0,
    target: 0,
    slot: 0,
    opener_rule: 0,
    accepter_rule: 0,
    seen: 0,
    mtu: 0,
    delivery: Flow::DENIED,
    flags: 0,
    tcp: 0,
    reason: 0,
    origin: 0,
};

/// Judges a beginning. A denied connection is a [`Connection`] too; an error is one that is not
/// worth remembering.
#[inline(always)]
pub fn judge<F: Fabric>(
    fabric: &F,
    opening: &Opening,
    judgement: &mut Judgement,
) -> Result<(), Reason> {
    *judgement = Judgement::NONE;
    let connection = &mut judgement.connection;
    let key = &opening.key;
    let tenant = fabric.tenant(key.tenant).ok_or(Reason::UnknownInterface)?;
    let (source, destination) = (key.source.address(), key.destination.address());
    let (forward, reply) = (&mut connection.forward, &mut connection.reply);
    forward.generation = tenant.generation;
    reply.generation = tenant.generation;
    reply.flags = Flow::REPLY;
    if opening.by & Opening::BY_HOST != 0 {
        let endpoint = fabric.endpoint(opening.slot).ok_or(Reason::TargetClosed)?;
        if endpoint.state != Endpoint::OPEN {
            return Err(Reason::TargetClosed);
        }
        to_endpoint(forward, endpoint.serial, opening.slot);
        reply.sender = endpoint.serial;
        reply.delivery = Flow::HOST;
        if opening.by & Opening::TRANSLATED != 0 {
            forward.flags |= Flow::TRANSLATED;
            reply.flags |= Flow::TRANSLATED;
        }
        receive(fabric, judgement, tenant.root, key, (endpoint.group, 0));
        return Ok(());
    }
    let opener = opener(fabric, opening)?;
    forward.sender = opener.serial;
    forward.origin = origin(opening.slot);
    to_endpoint(reply, opener.serial, opening.slot);
    let Some(network) = network_of(fabric, key.tenant, &destination) else {
        if is_remote(opening.slot) {
            return Err(Reason::UnknownAddress);
        }
        let flags = outside(fabric, key)?;
        forward.delivery = Flow::HOST;
        forward.flags |= flags;
        reply.flags |= flags;
        send(fabric, judgement, tenant.root, key, (opener.group, 0));
        return Ok(());
    };
    if destination == network.gateway {
        return Err(Reason::Gateway);
    }
    if is_broadcast(network, &destination) {
        return Err(Reason::Broadcast);
    }
    if network.number != opener.network {
        if tenant.flags & Tenant::ROUTING == 0 {
            return Err(Reason::OtherNetwork);
        }
        let own = network_of(fabric, key.tenant, &source);
        forward.mtu = network.mtu;
        reply.mtu = own.map_or(network.mtu, |own| own.mtu);
        forward.flags |= Flow::ROUTED;
        reply.flags |= Flow::ROUTED;
    }
    let address = AddressKey {
        tenant: key.tenant,
        address: destination,
    };
    let target = fabric.target(&address).ok_or(Reason::UnknownAddress)?;
    if is_remote(target.slot) && is_remote(opening.slot) {
        return Err(Reason::UnknownAddress);
    }
    to_endpoint(forward, target.serial, target.slot);
    reply.sender = target.serial;
    reply.origin = origin(target.slot);
    let (group, peer_group) = (opener.group, target.group);
    if send(fabric, judgement, tenant.root, key, (group, peer_group)) {
        receive(fabric, judgement, tenant.root, key, (peer_group, group));
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
        let address = AddressKey {
            tenant: opening.key.tenant,
            address: opening.key.source.address(),
        };
        let target = fabric.target(&address).ok_or(Reason::TunnelSource)?;
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

/// What a flow says of the slot of its sender.
#[inline(always)]
const fn origin(slot: u32) -> u32 {
    if is_remote(slot) { slot } else { 0 }
}

#[inline(always)]
fn to_endpoint(flow: &mut Flow, serial: u32, slot: u32) {
    flow.delivery = if is_remote(slot) {
        Flow::OVERLAY
    } else {
        Flow::LOCAL
    };
    flow.target = serial;
    flow.slot = slot;
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

/// Asks the opener's outgoing policy; `groups` are the opener's and the accepter's.
#[inline(always)]
fn send<F: Fabric>(
    fabric: &F,
    judgement: &mut Judgement,
    root: u32,
    key: &FlowKey,
    groups: (u32, u32),
) -> bool {
    let query = &mut judgement.query;
    query.root = root;
    (query.subject_group, query.peer_group) = groups;
    query.own_address = key.source.address();
    query.direction = Direction::Out;
    query.peer_address = key.destination.address();
    query.protocol = key.protocol as u8;
    query.port = key.destination_port;
    let verdict = fabric.verdict(query);
    judgement.connection.forward.opener_rule = verdict.rule;
    judgement.connection.reply.opener_rule = verdict.rule;
    judgement.remarks.note(&verdict, Direction::Out);
    enforce(&mut judgement.connection, verdict, Reason::PolicyOut)
}

/// Asks the accepter's incoming policy; `groups` are the accepter's and the opener's.
#[inline(always)]
fn receive<F: Fabric>(
    fabric: &F,
    judgement: &mut Judgement,
    root: u32,
    key: &FlowKey,
    groups: (u32, u32),
) -> bool {
    let query = &mut judgement.query;
    query.root = root;
    (query.subject_group, query.peer_group) = groups;
    query.own_address = key.destination.address();
    query.direction = Direction::In;
    query.peer_address = key.source.address();
    query.protocol = key.protocol as u8;
    query.port = key.destination_port;
    let verdict = fabric.verdict(query);
    judgement.connection.forward.accepter_rule = verdict.rule;
    judgement.connection.reply.accepter_rule = verdict.rule;
    judgement.remarks.note(&verdict, Direction::In);
    enforce(&mut judgement.connection, verdict, Reason::PolicyIn)
}

#[inline(always)]
fn enforce(connection: &mut Connection, verdict: Verdict, reason: Reason) -> bool {
    if matches!(verdict.action, Action::Allow) {
        return true;
    }
    for flow in [&mut connection.forward, &mut connection.reply] {
        flow.delivery = Flow::DENIED;
        flow.reason = reason as u8;
    }
    false
}

#[cfg(test)]
mod tests;
