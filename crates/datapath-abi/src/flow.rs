//! Flows: what was decided about a connection, and how its packets are delivered.

use crate::{Plain, Words};

/// Flows of all tenants; each connection takes two. The least recently used go first.
pub const FLOWS: u32 = 262_144;
/// Fragmented packets in flight.
pub const FRAGMENTS: u32 = 16_384;

/// Key of one direction of a connection, as its packets say. 44 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct FlowKey {
    pub tenant: u32,
    pub source: Words,
    pub destination: Words,
    /// TCP and UDP: ports. ICMP: from a query's identifier to its type and code. Others: 0.
    pub source_port: u16,
    pub destination_port: u16,
    /// As a `u32`, so that the key has no padding.
    pub protocol: u32,
}

impl Plain for FlowKey {}

impl FlowKey {
    /// The key of the other direction.
    #[inline(always)]
    pub const fn reversed(&self) -> FlowKey {
        FlowKey {
            tenant: self.tenant,
            source: self.destination,
            destination: self.source,
            source_port: self.destination_port,
            destination_port: self.source_port,
            protocol: self.protocol,
        }
    }
}

/// One direction of a connection. 40 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Flow {
    /// The tenant's generation under which it was judged.
    pub generation: u32,
    /// Serial of who sends; 0 for the host and the world.
    pub sender: u32,
    /// Serial of who receives; 0 for the host and the world.
    pub target: u32,
    /// Slot of who receives, of this host or of another.
    pub slot: u32,
    /// The rule of the opener's outgoing policy; 0 where it was not asked.
    pub opener_rule: u32,
    /// The rule of the accepter's incoming policy; 0 where it was not asked.
    pub accepter_rule: u32,
    /// When a packet came last, in [`ticks`](crate::flow::TICK_SHIFT); 0 in the reply's direction
    /// while no reply came.
    pub seen: u32,
    /// Largest packet that the target's network takes, read when [`ROUTED`](Self::ROUTED).
    pub mtu: u32,
    /// How packets of this direction are delivered, one of the constants below.
    pub delivery: u8,
    /// [`REPLY`](Self::REPLY), [`ROUTED`](Self::ROUTED), [`TRANSLATED`](Self::TRANSLATED).
    pub flags: u8,
    /// What this direction has sent: [`TCP_FIN`](Self::TCP_FIN), [`TCP_RST`](Self::TCP_RST).
    pub tcp: u8,
    /// Why packets are dropped when `delivery` is [`DENIED`](Self::DENIED).
    pub reason: u8,
    /// Slot of who sends, when that is an endpoint of another host; else 0.
    pub origin: u32,
}

impl Plain for Flow {}

impl Flow {
    /// The policy denied it: packets are dropped and counted.
    pub const DENIED: u8 = 0;
    /// To an endpoint of this host.
    pub const LOCAL: u8 = 1;
    /// Into the host, and from there perhaps to the world.
    pub const HOST: u8 = 2;
    /// To an endpoint of another host.
    pub const OVERLAY: u8 = 3;

    /// The direction opposite to the connection's first packet.
    pub const REPLY: u8 = 1;
    /// From one network into another: the hop count falls, link addresses are the gateway's.
    pub const ROUTED: u8 = 2;
    /// The endpoint's address is exchanged for its private one.
    pub const TRANSLATED: u8 = 4;

    pub const TCP_FIN: u8 = 1;
    pub const TCP_RST: u8 = 2;

    /// The rule that decided: the one that denied, else the first one that a user wrote, the
    /// accepter's before the opener's, else the default.
    pub const fn rule(&self) -> u32 {
        if self.accepter_rule > crate::policy::RULE_DEFAULT || self.opener_rule == 0 {
            self.accepter_rule
        } else {
            self.opener_rule
        }
    }
}

/// A tick is 2^30 ns of `CLOCK_MONOTONIC`, which is 1.07 s.
pub const TICK_SHIFT: u32 = 30;

/// Key of a fragmented packet. 44 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct FragmentKey {
    pub tenant: u32,
    pub source: Words,
    pub destination: Words,
    pub id: u32,
    /// 0 for IPv6, whose later fragments do not say.
    pub protocol: u32,
}

impl Plain for FragmentKey {}

/// What later fragments cannot say themselves. 12 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Fragment {
    pub source_port: u16,
    pub destination_port: u16,
    pub protocol: u32,
    /// When the first fragment came, in ticks.
    pub seen: u32,
}

impl Plain for Fragment {}

impl Fragment {
    /// Ticks after which a fragment is an orphan.
    pub const LIFETIME: u32 = 30;
}

const _: () = {
    assert!(size_of::<FlowKey>() == 44);
    assert!(size_of::<Flow>() == 40);
    assert!(size_of::<FragmentKey>() == 44);
    assert!(size_of::<Fragment>() == 12);
};
