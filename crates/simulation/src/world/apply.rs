//! What each operation does to the world.

use super::*;

impl World {
    /// Does it, or begins it.
    pub(crate) fn apply(&mut self, operation: Operation) {
        self.tally.add(operation.kind());
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
                self.start(host, to.0, wish.and_then(at), "");
            }
            Operation::Stop { host, which } => self.stop(host, which),
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
            Operation::CutOff { host, seconds } => self.cut_off(host, seconds),
            Operation::Displace { host, seconds } => {
                self.end(seconds, End::Missed(host));
                self.cut_off(host, seconds + BACK);
            }
            Operation::RestartAlone {
                host,
                which,
                seconds,
            } => {
                self.cut_off(host, seconds);
                self.restart(host, which);
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
            Operation::Save => self.save(),
            Operation::Restore => self.restore(),
            Operation::RestoreWithout { host, seconds } => {
                if self.saved.is_some() {
                    self.tally.add("restores while a host is away");
                    self.end(seconds, End::Missed(host));
                    self.cut_off(host, seconds + BACK);
                    self.restore();
                } else {
                    self.save();
                }
            }
            Operation::Trap {
                host,
                which,
                seconds,
            } => {
                // The others do not hear this host, so that they do not do the same.
                let sweeper = self.etcd.sweeper();
                for index in 0..self.masters.len() {
                    if self.masters[index].name != sweeper {
                        self.cut(host, index, seconds + 2 * BACK);
                    }
                }
                self.network.break_of(&self.hosts[host].name);
                self.trap = seconds;
                self.end(BACK, End::Trap(host, which));
            }
            Operation::Upgrade { master, version } => {
                self.skews[master] = match version {
                    0 => Skew::Same,
                    1 => Skew::Fields,
                    2 => Skew::OldHosts,
                    _ => Skew::OldMaster,
                };
                self.masters[master].crash();
                self.end(2, End::Master(master));
            }
            Operation::Rest { .. } => {}
        }
    }

    fn start(&mut self, host: usize, to: Attachment, wish: Option<IpAddr>, whose: &'static str) {
        let node = &self.hosts[host];
        let Some(driver) = node.driver() else { return };
        let (engine, name, tally) = (node.engine.clone(), node.name.clone(), self.tally.clone());
        self.engines.spawn(async move {
            let started = engine.start(&name, driver, to, wish).await;
            tracing::debug!(host = name, ?started, whose, "container");
            tally.add(match (whose, started.is_ok()) {
                ("", true) => "containers started",
                ("", false) => "containers refused",
                (_, true) => "addresses of missed hosts given to others",
                (_, false) => "addresses of missed hosts refused to others",
            });
        });
    }

    pub(super) fn stop(&mut self, host: usize, which: u64) {
        if let Some(id) = self.one(host, which) {
            let node = &self.hosts[host];
            let (engine, driver) = (node.engine.clone(), node.driver());
            self.engines
                .spawn(async move { engine.stop(driver, &id).await });
        }
    }

    fn save(&mut self) {
        self.saved = Some((self.etcd.contents(), self.operator.knowledge()));
    }

    fn cut_off(&mut self, host: usize, seconds: u64) {
        (0..self.masters.len()).for_each(|master| self.cut(host, master, seconds));
    }

    /// Others ask for the addresses of a host that is away.
    pub(super) fn missed(&mut self, host: usize) {
        let containers = self.hosts[host].engine.containers().into_values();
        let wishes: Vec<_> = containers
            .filter(|c| c.runs && !c.ending)
            .map(|c| (c.to, c.address))
            .collect();
        for (to, address) in wishes {
            let others = u64::try_from(self.hosts.len() - 1).unwrap_or(1);
            let step = usize::try_from(self.chance.of(0..others)).unwrap_or_default() + 1;
            let other = (host + step) % self.hosts.len();
            self.start(other, to, address, "missed");
        }
    }

    /// A master has stopped in the middle of what must run once.
    pub(super) fn trapped(&mut self, master: &str) {
        self.tally
            .add("masters stopped in the middle of what must run once");
        let index = self.masters.iter().position(|m| m.name == master);
        if let Some(index) = index {
            self.masters[index].set_frozen(true);
            self.end(self.trap, End::Pause(index));
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
                // It has what it had, with whoever else may have it by now.
                if let Ok((new, address)) = &again
                    && container.address == Some(*address)
                {
                    engine.set_disowned(new, container.disowned);
                }
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
        if self.fault == Some(Fault::Epoch) {
            contents.revision.epoch = contents.revision.epoch.saturating_sub(1);
        }
        if self.fault != Some(Fault::Adoption) {
            let awaited = wait_for_hosts(&mut contents.entries, until);
            tracing::debug!(?awaited, "restored");
        }
        self.tally.add("restores");
        self.etcd.restore(&contents);
        self.operator.go_back(knowledge);
        self.restores += 1;
        // Every master finds that the store was taken away, and starts anew.
        self.masters.iter().for_each(MasterNode::end);
    }
}
