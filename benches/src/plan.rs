//! How much is measured, and what.

use std::time::Duration;

/// How much is measured.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    /// Laps in a round, in each of which every path has a turn with every load.
    pub(crate) laps: usize,
    /// Of one load on one path, in one turn.
    pub(crate) time: Duration,
    /// Containers that each contender starts in one round.
    pub(crate) starts: usize,
    /// All of them when empty.
    parts: Vec<Part>,
    quick: bool,
}

/// What can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// Streams, round trips, connections and datagrams on one host, beside other networks; netplugin's readiness and memory as well
    Traffic,
    /// Containers from their creation to their first packet
    Starts,
    /// The same loads as `traffic` between two hosts, beside the bare underlay and flannel-style VXLAN
    Overlay,
    /// What a packet costs in the program, by the number of rules
    Packets,
    /// How long changes of large policies take, and what rules weigh
    Changes,
    /// nftables and iptables with the same rules
    Firewalls,
    /// A tenant beside one that keeps changing
    Neighbour,
    /// Instructions of a verdict, counted by callgrind (needs valgrind)
    Instructions,
    /// netplugin beside 10,000 endpoints of other hosts: memory, readiness, and what a restart writes (needs strace)
    Remotes,
    /// Addresses that masters on etcd commit a second (needs etcd)
    Addresses,
}

impl Plan {
    /// Enough to say something.
    pub(crate) fn full(rounds: usize) -> Self {
        Self {
            rounds,
            laps: 12,
            time: Duration::from_millis(80),
            starts: 20,
            parts: Vec::new(),
            quick: false,
        }
    }

    /// Enough to see that everything runs.
    pub(crate) fn quick() -> Self {
        Self {
            rounds: 1,
            laps: 1,
            time: Duration::from_millis(100),
            starts: 3,
            parts: Vec::new(),
            quick: true,
        }
    }

    /// Leaves out what is not among these parts.
    pub(crate) fn restrict(&mut self, parts: &[Part]) {
        self.parts = parts.to_vec();
    }

    pub(crate) fn has(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }

    /// Whether there is little of everything.
    pub(crate) fn is_quick(&self) -> bool {
        self.quick
    }
}
