//! Flows: what was decided about a connection, and how its packets are delivered.
//!
//! A connection is one row. Its key is the same for both directions, see [`FlowKey::row`].

mod fragment;
mod room;

pub use fragment::{Fragment, FragmentKey};
pub use room::{Room, Taken};

use crate::counter::{RuleCount, RuleKey};
use crate::tunnel::is_remote;
use crate::{Plain, Words};

/// Connections of all tenants, see [`Room`].
pub const FLOWS: u32 = 262_144;
/// Connections for which their tenant has no row left; the least recently used go first.
pub const CROWD: u32 = 65_536;
/// Fragmented packets in flight.
pub const FRAGMENTS: u32 = 16_384;

/// One direction of a connection, as its packets say; [`row`](Self::row) makes it a key. 44 bytes.
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

    /// Makes it the key of the other direction, without a copy, for which the kernel's stack would
    /// have to have room.
    #[inline(always)]
    pub const fn turn(&mut self) {
        let mut index = 0;
        while index < 4 {
            let word = self.source.0[index];
            self.source.0[index] = self.destination.0[index];
            self.destination.0[index] = word;
            index += 1;
        }
        let port = self.source_port;
        self.source_port = self.destination_port;
        self.destination_port = port;
    }

    /// Whether the row's key is that of the other direction: the one from the lower port, or from
    /// the lower address where ports are equal.
    #[inline(always)]
    pub const fn is_turned(&self) -> bool {
        if self.source_port != self.destination_port {
            return self.source_port > self.destination_port;
        }
        // From the end, where addresses of one family differ most; no index is computed, since the
        // kernel's programs cannot prove one.
        let (Words([a, b, c, d]), Words([e, f, g, h])) = (self.source, self.destination);
        if d != h {
            d > h
        } else if c != g {
            c > g
        } else if b != f {
            b > f
        } else {
            a > e
        }
    }

    /// The key of the row that both directions share.
    #[inline(always)]
    pub const fn row(&self) -> FlowKey {
        if self.is_turned() {
            self.reversed()
        } else {
            *self
        }
    }
}

/// One direction of a connection. 40 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Way {
    /// Packets that came this way, denied ones too; not counted with [`Flow::CROWDED`].
    pub packets: u64,
    /// Their bytes, from the IP header on.
    pub bytes: u64,
    /// Serial of who sends; 0 for the host and the world, [`NOBODY`](Self::NOBODY).
    pub sender: u32,
    /// Serial of who receives; 0 for the host and the world.
    pub target: u32,
    /// Slot of who receives, of this host or of another.
    pub slot: u32,
    /// When a packet came last, in [`ticks`](TICK_SHIFT); 0 in the reply's direction while no
    /// reply came.
    pub seen: u32,
    /// Largest packet that the target's network takes, read when [`Flow::ROUTED`].
    pub mtu: u32,
    /// How packets of this direction are delivered, one of [`Flow`]'s constants.
    pub delivery: u8,
    /// What this direction has sent: [`Flow::TCP_FIN`], [`Flow::TCP_RST`].
    pub tcp: u8,
    pub unused: u16,
}

impl Plain for Way {}

impl Way {
    /// The sender of replies that the row says nothing about: of a connection that was denied from
    /// the start, since what comes the other way may be another connection.
    pub const NOBODY: u32 = u32::MAX;

    /// Nothing known yet.
    pub const NONE: Way = Way {
        packets: 0,
        bytes: 0,
        sender: 0,
        target: 0,
        slot: 0,
        seen: 0,
        mtu: 0,
        delivery: Flow::DENIED,
        tcp: 0,
        unused: 0,
    };
}

/// A connection. 112 bytes.
///
/// What both directions read lies between what each of them writes, so that processors that handle
/// one direction each share few cache lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Flow {
    /// From who opened it.
    pub forward: Way,
    /// The tenant's generation under which it was judged.
    pub generation: u32,
    /// The rule of the opener's outgoing policy; 0 where it was not asked.
    pub opener_rule: u32,
    /// The rule of the accepter's incoming policy; 0 where it was not asked.
    pub accepter_rule: u32,
    /// The rule by which staged policies would decide otherwise for the opener; 0 for none.
    pub staged_opener_rule: u32,
    /// As above, for the accepter.
    pub staged_accepter_rule: u32,
    /// The opener's group when it was judged; 0 for none.
    pub opener_group: u32,
    /// The accepter's group when it was judged; 0 for none.
    pub accepter_group: u32,
    /// [`TURNED`](Self::TURNED) and others below, added up.
    pub flags: u8,
    /// Why packets are dropped when they are [`DENIED`](Self::DENIED).
    pub reason: u8,
    pub unused: u16,
    /// To who opened it.
    pub reply: Way,
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

    /// The row's key is that of the reply.
    pub const TURNED: u8 = 1;
    /// From one network into another: the hop count falls, link addresses are the gateway's.
    pub const ROUTED: u8 = 2;
    /// The endpoint's address is exchanged for its private one.
    pub const TRANSLATED: u8 = 4;
    /// Its tenant had no row left for it: it lies among the crowd, and its packets are counted
    /// with the totals of rules at once.
    pub const CROWDED: u8 = 8;
    /// The opener's policy is not asked again.
    pub const KEPT_BY_OPENER: u8 = 16;
    /// The accepter's policy is not asked again.
    pub const KEPT_BY_ACCEPTER: u8 = 32;

    pub const TCP_FIN: u8 = 1;
    pub const TCP_RST: u8 = 2;

    /// Nothing known yet.
    pub const NONE: Flow = Flow {
        forward: Way::NONE,
        generation: 0,
        opener_rule: 0,
        accepter_rule: 0,
        staged_opener_rule: 0,
        staged_accepter_rule: 0,
        opener_group: 0,
        accepter_group: 0,
        flags: 0,
        reason: 0,
        unused: 0,
        reply: Way::NONE,
    };

    /// Whether a packet belongs to the reply's direction, by whether its key is not the row's.
    #[inline(always)]
    pub const fn is_reply(&self, turned: bool) -> bool {
        turned != (self.flags & Self::TURNED != 0)
    }

    /// The direction of a packet, by whether its key is not the row's.
    #[inline(always)]
    pub const fn way(&self, turned: bool) -> &Way {
        if self.is_reply(turned) {
            &self.reply
        } else {
            &self.forward
        }
    }

    /// The rule that decided: the one that denied, else the first one that a user wrote, the
    /// accepter's before the opener's, else the default.
    pub const fn rule(&self) -> u32 {
        if self.accepter_rule > crate::policy::RULE_DEFAULT || self.opener_rule == 0 {
            self.accepter_rule
        } else {
            self.opener_rule
        }
    }

    /// The slot of who sends a packet, by whether its key is not the row's.
    #[inline(always)]
    pub const fn origin(&self, turned: bool) -> u32 {
        self.way(!turned).slot
    }

    /// The direction of whoever opened it, of a row with this key.
    pub const fn opened(&self, row: &FlowKey) -> FlowKey {
        if self.is_reply(false) {
            row.reversed()
        } else {
            *row
        }
    }

    /// When a packet came last, in either direction.
    pub const fn seen(&self) -> u32 {
        if self.forward.seen > self.reply.seen {
            self.forward.seen
        } else {
            self.reply.seen
        }
    }

    /// Whom its packets are counted for; without a rule where there is none to count for. A rule
    /// that is both sides' has them once.
    ///
    /// Of a connection between two hosts each counts for its own side's rules, so that no packet
    /// is counted twice; the opener's host for both sides' where it does not let it go.
    #[inline(always)]
    pub const fn rule_keys(&self) -> [RuleKey; 4] {
        const fn key(rule: u32, counts: bool, staged: u32) -> RuleKey {
            let rule = if counts { rule } else { 0 };
            RuleKey { rule, staged }
        }
        const fn pair(accepter: (u32, bool), opener: (u32, bool), staged: u32) -> [RuleKey; 2] {
            let opener_s = opener.1 && opener.0 != accepter.0;
            [
                key(accepter.0, accepter.1, staged),
                key(opener.0, opener_s, staged),
            ]
        }
        let accepter = self.forward.delivery != Self::OVERLAY;
        let opener = !is_remote(self.reply.slot);
        let [a, b] = pair(
            (self.accepter_rule, accepter),
            (self.opener_rule, opener),
            RuleKey::ENFORCED,
        );
        let [c, d] = pair(
            (self.staged_accepter_rule, accepter),
            (self.staged_opener_rule, opener),
            RuleKey::STAGED,
        );
        [a, b, c, d]
    }

    /// What was counted of it in its row.
    #[inline(always)]
    pub const fn counted(&self) -> RuleCount {
        RuleCount {
            packets: self.forward.packets + self.reply.packets,
            bytes: self.forward.bytes + self.reply.bytes,
            connections: 0,
        }
    }

    /// Whether an answer came.
    #[inline(always)]
    pub const fn is_answered(&self) -> bool {
        self.reply.seen != 0
    }

    /// Whether TCP has ended it: by both sides, or by one at once.
    #[inline(always)]
    pub const fn has_ended(&self) -> bool {
        (self.forward.tcp & self.reply.tcp & Self::TCP_FIN)
            | ((self.forward.tcp | self.reply.tcp) & Self::TCP_RST)
            != 0
    }

    /// Whether the same ends would exchange the same packets in the same way, by the same rules.
    #[inline(always)]
    pub const fn is_judged_like(&self, other: &Flow) -> bool {
        const fn same(a: &Way, b: &Way) -> bool {
            a.sender == b.sender
                && a.target == b.target
                && a.slot == b.slot
                && a.mtu == b.mtu
                && a.delivery == b.delivery
        }
        const JUDGED: u8 = !Flow::CROWDED;
        same(&self.forward, &other.forward)
            && same(&self.reply, &other.reply)
            && self.opener_rule == other.opener_rule
            && self.accepter_rule == other.accepter_rule
            && self.staged_opener_rule == other.staged_opener_rule
            && self.staged_accepter_rule == other.staged_accepter_rule
            && self.opener_group == other.opener_group
            && self.accepter_group == other.accepter_group
            && self.reason == other.reason
            && self.flags & JUDGED == other.flags & JUDGED
    }
}

/// A tick is 2^30 ns of `CLOCK_MONOTONIC`, which is 1.07 s.
pub const TICK_SHIFT: u32 = 30;

const _: () = {
    assert!(size_of::<FlowKey>() == 44);
    assert!(size_of::<Way>() == 40);
    assert!(size_of::<Flow>() == 112);
};

#[cfg(test)]
mod tests;
