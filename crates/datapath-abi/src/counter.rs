//! Why packets are dropped, how many were, and what rules have decided.

use crate::Plain;

/// Rows of drop counters.
pub const DROPS: u32 = 65_536;
/// Rows of counters of rules.
pub const RULES: u32 = 131_072;

/// Key of a counter. 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct DropKey {
    /// The endpoint that sent the packet, or that would have got it from the host; 0 for none.
    pub serial: u32,
    /// A [`Reason`] as a number.
    pub reason: u32,
}

impl Plain for DropKey {}

/// Key of a rule's counters. 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct RuleKey {
    pub rule: u32,
    /// [`ENFORCED`](Self::ENFORCED) or [`STAGED`](Self::STAGED).
    pub staged: u32,
}

impl Plain for RuleKey {}

impl RuleKey {
    /// What the rule has decided.
    pub const ENFORCED: u32 = 0;
    /// What it would have decided instead of another one, if staged policies were enforced.
    pub const STAGED: u32 = 1;
}

/// What a rule has decided about. 24 bytes.
///
/// Packets of a connection are counted in its row, and here when the row goes or other rules decide
/// about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct RuleCount {
    pub packets: u64,
    /// From the IP header on.
    pub bytes: u64,
    /// Connections that it was the first to decide about, or decided about when judged again.
    pub connections: u64,
}

impl Plain for RuleCount {}

impl RuleCount {
    /// Both together.
    pub const fn plus(&self, other: &RuleCount) -> RuleCount {
        RuleCount {
            packets: self.packets + other.packets,
            bytes: self.bytes + other.bytes,
            connections: self.connections + other.connections,
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $reason:ident = $number:literal, $name:literal;)*) => {
        /// Why a packet was dropped.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Reason {
            $($(#[$doc])* $reason = $number,)*
        }

        impl Reason {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Reason] = &[$(Reason::$reason),*];

            /// The reason with this number.
            #[inline(always)]
            pub const fn from_number(number: u32) -> Option<Reason> {
                match number {
                    $($number => Some(Reason::$reason),)*
                    _ => None,
                }
            }

            /// What a function answers that otherwise answers with an action: below zero.
            #[inline(always)]
            pub const fn code(self) -> i32 {
                -(self as i32)
            }

            /// For people, and for labels of metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Reason::$reason => $name,)*
                }
            }
        }
    };
}

reasons! {
    /// The opener's outgoing policy says no.
    PolicyOut = 1, "policy-out";
    /// The accepter's incoming policy says no.
    PolicyIn = 2, "policy-in";
    /// No endpoint has this interface, or not any more.
    UnknownInterface = 3, "unknown-interface";
    /// The sender is closed: not yet, or no longer, part of the fabric.
    SenderClosed = 4, "sender-closed";
    /// The receiver is closed, or has gone.
    TargetClosed = 5, "target-closed";
    /// Sent with a link address that is not the endpoint's.
    SpoofedMac = 6, "spoofed-mac";
    /// Sent with an address that is not the endpoint's.
    SpoofedAddress = 7, "spoofed-address";
    /// Too short, or contradictory.
    Malformed = 8, "malformed";
    /// Neither IPv4, IPv6 nor ARP.
    UnknownProtocol = 9, "unknown-protocol";
    /// More extension headers than are looked through.
    TooManyHeaders = 10, "too-many-headers";
    /// A fragment whose first one did not come, or not lately.
    OrphanFragment = 11, "orphan-fragment";
    /// Nobody in the network has the address.
    UnknownAddress = 12, "unknown-address";
    /// In another network of the tenant, and networks are not routed to each other.
    OtherNetwork = 13, "other-network";
    /// To the host itself, by a tenant that may not.
    HostClosed = 14, "host-closed";
    /// To a private address, by someone who does not answer to it.
    PrivateAddress = 15, "private-address";
    /// To an address that leads nowhere: loopback, link-local, reserved.
    BadDestination = 16, "bad-destination";
    /// To the gateway, which answers nothing but pings.
    Gateway = 17, "gateway";
    /// An ICMP error about a connection that is not known.
    UnrelatedError = 18, "unrelated-error";
    /// The hop count is used up.
    HopLimit = 19, "hop-limit";
    /// Larger than the receiver's network takes.
    TooBig = 20, "too-big";
    /// To all of a network that has too many members, or more than one network.
    Broadcast = 21, "broadcast";
    /// Asked for the link address of nobody.
    UnknownNeighbour = 22, "unknown-neighbour";
    /// An answer, advertisement or announcement that the fabric does not take from endpoints.
    NeighbourNoise = 23, "neighbour-noise";
    /// A TCP answer to a connection that is not known, or an ICMP one to a query that is not.
    NoConnection = 24, "no-connection";
    /// The kernel refused to change the packet.
    Kernel = 25, "kernel";
    /// From another host, as if from an endpoint that this host does not hold.
    TunnelSource = 26, "tunnel-source";
    /// From another host, for a network that is not known here.
    UnknownVni = 27, "unknown-vni";
    /// To the port by which hosts exchange packets.
    TunnelPort = 28, "tunnel-port";
    /// To an endpoint of another host, and there is no way to that.
    NoTunnel = 29, "no-tunnel";
}

const _: () = {
    assert!(size_of::<DropKey>() == 8);
    assert!(size_of::<RuleKey>() == 8);
    assert!(size_of::<RuleCount>() == 24);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_number_and_a_name_of_its_own() {
        for (index, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(Reason::from_number(*reason as u32), Some(*reason));
            assert_eq!(*reason as usize, index + 1);
            let same = |other: &&Reason| other.name() == reason.name();
            assert_eq!(Reason::ALL.iter().filter(same).count(), 1);
        }
        assert_eq!(Reason::from_number(0), None);
    }
}
