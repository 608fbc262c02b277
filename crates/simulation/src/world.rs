//! The cluster of a run, and what operations do to it.

mod apply;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use contiv_store::Contents;
use netmaster::snapshot::wait_for_hosts;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::chance::Chance;
use crate::engine::Attachment;
use crate::etcd::Etcd;
use crate::fault::Fault;
use crate::host::HostNode;
use crate::master::MasterNode;
use crate::network::Network;
use crate::operation::Operation;
use crate::operator::{Knowledge, Operator};
use crate::skew::Skew;
use crate::tally::Tally;
use crate::time::WallClock;
use crate::wishes::beginning;

/// At most.
const HOSTS: u8 = 3;
const MASTERS: u8 = 3;

/// A host that is cut off comes back so many seconds after others have asked for its addresses.
const BACK: u64 = 4;

/// A restored store waits this long for hosts.
const ADOPT: u64 = 20 * 60 * 1000;

/// Everything there is.
pub(crate) struct World {
    pub(crate) network: Network,
    pub(crate) etcd: Etcd,
    pub(crate) masters: Vec<MasterNode>,
    pub(crate) hosts: Vec<HostNode>,
    pub(crate) operator: Operator,
    skews: Vec<Skew>,
    /// For how many seconds a master that falls into the trap stands still.
    trap: u64,
    clock: WallClock,
    /// What ends by itself.
    later: Vec<(Instant, End)>,
    engines: JoinSet<()>,
    writes: JoinSet<()>,
    saved: Option<(Contents, Knowledge)>,
    pub(crate) restores: u64,
    /// Hosts that were lost at some time.
    pub(crate) lost: BTreeSet<String>,
    pub(crate) tally: Tally,
    fault: Option<Fault>,
    chance: Chance,
    abandoned: Vec<BTreeSet<String>>,
    looked: Instant,
}

/// The end of something that lasts.
#[derive(Clone, Copy, Debug)]
enum End {
    Agent(usize),
    Cut(usize, usize),
    Master(usize),
    Pause(usize),
    StoreCut(usize),
    Lag(usize),
    /// A host is missed: others ask for its addresses.
    Missed(usize),
    /// All is prepared for a trap.
    Trap(usize, u64),
    Minority,
    Losses,
    Fragility,
}

impl World {
    pub(crate) fn new(seed: u64, fault: Option<Fault>) -> anyhow::Result<World> {
        let tally = Tally::default();
        let network = Network::new(Chance::new(seed, 2), tally.clone());
        let etcd = Etcd::new(Chance::new(seed, 3), fault, tally.clone());
        let begin = Instant::now();
        let chance = Chance::new(seed, 4);
        // Most of what goes wrong takes three of each; some of it comes sooner with fewer.
        let hosts = if chance.happens(70) { HOSTS } else { 2 };
        let masters = *chance.pick(&[1, 2, 2, MASTERS, MASTERS, MASTERS]);
        let name = |n: u8| format!("m{n}");
        // Each host begins with a master of its own.
        let list = |first: u8| -> String {
            let turn = |n| (n + first) % masters + 1;
            let masters = (0..masters).map(|n| format!("http://{}:9999", name(turn(n))));
            masters.collect::<Vec<_>>().join(",")
        };
        let master = |n| {
            let clock = WallClock::new(begin);
            MasterNode::new(&name(n), clock, &etcd, &network, fault, &tally)
        };
        let host = |n| HostNode::new(&format!("h{n}"), n, &list(n), &network, fault);
        let mut world = World {
            operator: Operator::new(&list(0), &network, &tally)?,
            masters: (1..=masters).map(master).collect(),
            hosts: (1..=hosts).map(host).collect(),
            trap: 0,
            skews: vec![Skew::Same; masters.into()],
            clock: WallClock::new(begin),
            later: Vec::new(),
            engines: JoinSet::new(),
            writes: JoinSet::new(),
            saved: None,
            restores: 0,
            lost: BTreeSet::new(),
            abandoned: vec![BTreeSet::new(); hosts.into()],
            looked: begin,
            tally,
            fault,
            chance,
            network,
            etcd,
        };
        for index in 0..world.masters.len() {
            world.start_master(index);
        }
        for host in &mut world.hosts {
            host.start()?;
        }
        Ok(world)
    }

    fn start_master(&mut self, index: usize) {
        self.masters[index].start(self.skews[index]);
    }

    /// Makes what every run begins with, and waits until every host has heard of it.
    pub(crate) async fn begin(&mut self) {
        for wish in beginning() {
            self.operator.insist(wish).await;
        }
        sleep(Duration::from_secs(2)).await;
    }

    fn end(&mut self, seconds: u64, end: End) {
        self.later
            .push((Instant::now() + Duration::from_secs(seconds), end));
    }

    /// Ends what is over, and does what agents and engines do from time to time.
    pub(crate) fn tend(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        let (due, later) = self
            .later
            .drain(..)
            .partition::<Vec<_>, _>(|(at, _)| *at <= now);
        self.later = later;
        for (_, end) in due {
            self.over(end)?;
        }
        for master in self.etcd.trapped() {
            self.trapped(&master);
        }
        while self.engines.try_join_next().is_some() {}
        while self.writes.try_join_next().is_some() {}
        if now - self.looked >= crate::host::ABANDONED {
            self.looked = now;
            for (host, abandoned) in self.hosts.iter_mut().zip(&mut self.abandoned) {
                host.collect(abandoned);
            }
        }
        Ok(())
    }

    fn over(&mut self, end: End) -> anyhow::Result<()> {
        match end {
            End::Agent(host) => self.hosts[host].start()?,
            End::Cut(host, master) => {
                let (from, to) = (&self.hosts[host].name, &self.masters[master].name);
                self.network.set_cut(from, to, false);
            }
            End::Master(master) => self.start_master(master),
            End::Pause(master) => self.masters[master].set_frozen(false),
            End::StoreCut(master) => self.masters[master].set_store_cut(false),
            End::Lag(master) => self.masters[master].set_lag(Duration::ZERO),
            End::Trap(host, which) => {
                self.etcd.set_trap();
                self.stop(host, which);
            }
            End::Missed(host) => self.missed(host),
            End::Minority => self.etcd.set_majority(true),
            End::Losses => self.etcd.set_losses(0),
            End::Fragility => self.network.set_fragility(0),
        }
        Ok(())
    }

    /// Everybody is well again.
    pub(crate) fn heal(&mut self) -> anyhow::Result<()> {
        let later = std::mem::take(&mut self.later);
        for (_, end) in later {
            self.over(end)?;
        }
        self.network.heal();
        self.etcd.heal();
        for index in 0..self.masters.len() {
            self.masters[index].set_frozen(false);
            self.masters[index].clock.set_skew(0);
            self.start_master(index);
        }
        for host in &mut self.hosts {
            host.start()?;
        }
        Ok(())
    }

    /// Whether nobody is in the middle of anything.
    pub(crate) fn is_idle(&mut self) -> bool {
        self.engines.is_empty() && self.writes.is_empty() && self.operator.is_idle()
    }
}

fn with_last(base: Ipv4Addr, last: u8) -> Ipv4Addr {
    let [a, b, c, _] = base.octets();
    Ipv4Addr::new(a, b, c, last)
}
