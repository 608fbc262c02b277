//! The cluster of a run, and what operations do to it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use contiv_store::Contents;
use netmaster::snapshot::wait_for_hosts;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::chance::Chance;
use crate::etcd::Etcd;
use crate::host::HostNode;
use crate::master::MasterNode;
use crate::network::Network;
use crate::operation::Operation;
use crate::operator::{Knowledge, Operator};
use crate::skew::Skew;
use crate::time::WallClock;

const HOSTS: u8 = 3;
const MASTERS: u8 = 3;

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
    clock: WallClock,
    /// What ends by itself.
    later: Vec<(Instant, End)>,
    engines: JoinSet<()>,
    writes: JoinSet<()>,
    saved: Option<(Contents, Knowledge)>,
    pub(crate) restores: u64,
    /// Hosts that were lost at some time.
    pub(crate) lost: BTreeSet<String>,
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
    Minority,
    Losses,
    Fragility,
}

impl World {
    pub(crate) fn new(seed: u64) -> anyhow::Result<World> {
        let network = Network::new(Chance::new(seed, 2));
        let etcd = Etcd::new(Chance::new(seed, 3));
        let begin = Instant::now();
        let name = |n: u8| format!("m{n}");
        // Each host begins with a master of its own.
        let list = |first: u8| -> String {
            let turn = |n| (n + first) % MASTERS + 1;
            let masters = (0..MASTERS).map(|n| format!("http://{}:9999", name(turn(n))));
            masters.collect::<Vec<_>>().join(",")
        };
        let master = |n| MasterNode::new(&name(n), WallClock::new(begin), &etcd, &network);
        let host = |n| HostNode::new(&format!("h{n}"), n, &list(n), &network);
        let mut world = World {
            operator: Operator::new(&list(0), &network)?,
            masters: (1..=MASTERS).map(master).collect(),
            hosts: (1..=HOSTS).map(host).collect(),
            skews: vec![Skew::Same; MASTERS.into()],
            clock: WallClock::new(begin),
            later: Vec::new(),
            engines: JoinSet::new(),
            writes: JoinSet::new(),
            saved: None,
            restores: 0,
            lost: BTreeSet::new(),
            abandoned: vec![BTreeSet::new(); HOSTS.into()],
            looked: begin,
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
        for wish in Operation::beginning() {
            self.operator.insist(wish).await;
        }
        sleep(Duration::from_secs(2)).await;
    }

    /// Does it, or begins it.
    pub(crate) fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Write(intent) => {
                drop(self.writes.spawn(self.operator.clone().write(intent.0)));
            }
            Operation::Start { host, to, wish } => {
                let base =
                    to.0.subnet
                        .split('/')
                        .next()
                        .and_then(|s| s.parse::<Ipv4Addr>().ok());
                let at = |last: u8| base.map(|base| IpAddr::from(with_last(base, last)));
                let wish = wish.and_then(at);
                let node = &self.hosts[host];
                if let Some(agent) = &node.agent {
                    let (engine, name) = (node.engine.clone(), node.name.clone());
                    let driver = agent.driver.clone();
                    self.engines.spawn(async move {
                        let started = engine.start(&name, driver, to.0, wish).await;
                        tracing::debug!(host = name, ?started, "container");
                    });
                }
            }
            Operation::Stop { host, which } => {
                if let Some(id) = self.one(host, which) {
                    let node = &self.hosts[host];
                    let (engine, driver) = (node.engine.clone(), node.driver());
                    self.engines
                        .spawn(async move { engine.stop(driver, &id).await });
                }
            }
            Operation::Restart { host, which } => self.restart(host, which),
            Operation::Release {
                host,
                network,
                last,
            } => {
                let node = &self.hosts[host];
                if let Some(driver) = node.driver() {
                    let engine = node.engine.clone();
                    let address = Ipv4Addr::new(10, 1, network, last).into();
                    self.engines
                        .spawn(async move { engine.release(driver, address).await });
                }
            }
            Operation::KillAgent { host, seconds } => {
                self.hosts[host].kill_agent();
                self.end(seconds, End::Agent(host));
            }
            Operation::Reboot { host, seconds } => {
                self.hosts[host].reboot();
                self.end(seconds, End::Agent(host));
            }
            Operation::CutHost {
                host,
                master,
                seconds,
            } => self.cut(host, master, seconds),
            Operation::CutOff { host, seconds } => {
                (0..self.masters.len()).for_each(|master| self.cut(host, master, seconds));
            }
            Operation::CrashMaster { master, seconds } => {
                self.masters[master].crash();
                self.end(seconds, End::Master(master));
            }
            Operation::Pause { master, seconds } => {
                self.masters[master].set_frozen(true);
                self.end(seconds, End::Pause(master));
            }
            Operation::CutStore { master, seconds } => {
                self.masters[master].set_store_cut(true);
                self.end(seconds, End::StoreCut(master));
            }
            Operation::Lag {
                master,
                milliseconds,
                seconds,
            } => {
                self.masters[master].set_lag(Duration::from_millis(milliseconds));
                self.end(seconds, End::Lag(master));
            }
            Operation::Jump { master, seconds } => {
                self.masters[master].clock.set_skew(seconds * 1000);
            }
            Operation::Minority { seconds } => {
                self.etcd.set_majority(false);
                self.end(seconds, End::Minority);
            }
            Operation::Lose { percent, seconds } => {
                self.etcd.set_losses(percent);
                self.end(seconds, End::Losses);
            }
            Operation::BreakFollowers => self.etcd.break_followers(),
            Operation::Fragile { one_in, seconds } => {
                self.network.set_fragility(one_in);
                self.end(seconds, End::Fragility);
            }
            Operation::Save => {
                self.saved = Some((self.etcd.contents(), self.operator.knowledge()));
            }
            Operation::Restore => self.restore(),
            Operation::Upgrade { master, version } => {
                self.skews[master] = match version {
                    0 => Skew::Same,
                    1 => Skew::Fields,
                    _ => Skew::Older,
                };
                self.masters[master].crash();
                self.end(2, End::Master(master));
            }
            Operation::Rest { .. } => {}
        }
    }

    fn one(&self, host: usize, which: u64) -> Option<String> {
        let running = self.hosts[host].engine.running();
        let count = u64::try_from(running.len())
            .ok()
            .filter(|count| *count > 0)?;
        running
            .into_iter()
            .nth(usize::try_from(which % count).ok()?)
    }

    /// As `docker restart`: the same network, and the same address if it can be had.
    fn restart(&mut self, host: usize, which: u64) {
        let Some(id) = self.one(host, which) else {
            return;
        };
        let node = &self.hosts[host];
        let (engine, name, driver) = (node.engine.clone(), node.name.clone(), node.driver());
        let Some(container) = engine.containers().remove(&id) else {
            return;
        };
        self.engines.spawn(async move {
            engine.stop(driver.clone(), &id).await;
            if let Some(driver) = driver {
                let again = engine
                    .start(&name, driver, container.to, container.address)
                    .await;
                tracing::debug!(host = name, ?again, "container again");
            }
        });
    }

    fn cut(&mut self, host: usize, master: usize, seconds: u64) {
        let (from, to) = (&self.hosts[host].name, &self.masters[master].name);
        self.network.set_cut(from, to, true);
        self.end(seconds, End::Cut(host, master));
    }

    fn restore(&mut self) {
        let Some((mut contents, knowledge)) = self.saved.clone() else {
            return;
        };
        contents.revision.epoch = contents
            .revision
            .epoch
            .max(self.etcd.contents().revision.epoch);
        let until = self.clock.now() + ADOPT;
        let awaited = wait_for_hosts(&mut contents.entries, until);
        tracing::debug!(?awaited, "restored");
        self.etcd.restore(&contents);
        self.operator.go_back(knowledge);
        self.restores += 1;
        // Every master finds that the store was taken away, and starts anew.
        self.masters.iter().for_each(MasterNode::end);
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
        while self.engines.try_join_next().is_some() {}
        while self.writes.try_join_next().is_some() {}
        if now - self.looked >= crate::host::ABANDONED {
            self.looked = now;
            for (host, abandoned) in self.hosts.iter().zip(&mut self.abandoned) {
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
