//! Agent and master are killed before each single thing that they do while an endpoint is made and
//! removed: the same call made again succeeds, packets flow, and nothing leaks.
//!
//! The steps are those of an undisturbed run, as [`Watch`] sees them. Each of them is the last of
//! another run. What an engine does is done here by hand, so that nothing but the driver's calls
//! lies between two steps.

mod life;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use contiv_testbed::{BUSYBOX_IMAGE, Daemon, Step, Watch, wait_for};

use crate::actor::Actor;
use crate::stage::{Result, SOON, Stage, story};
pub(crate) use life::Life;

/// Engines give an address a minute's grace, and so do masters.
const EXPIRED: Duration = Duration::from_secs(90);

/// How long a program may take to be met at a step, or to be through with all of them.
const MET: Duration = Duration::from_secs(60);

/// Of steps with different deeds every run takes one of so many.
const STRIDE: usize = 2;

/// Descriptors that a master may have more or fewer than before: connections come and go.
const SPARE: usize = 4;

/// Whom it meets.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Agent,
    Master,
}

/// Which half of an endpoint's life it meets.
#[derive(Clone, Copy, Debug)]
enum Half {
    Making,
    Removal,
}

#[test]
fn the_agent_is_killed_before_some_steps_of_an_endpoint() -> Result<()> {
    story(|stage| each_step(stage, Victim::Agent, STRIDE))
}

#[test]
#[ignore = "slow: every step"]
fn the_agent_is_killed_before_every_step_of_an_endpoint() -> Result<()> {
    story(|stage| each_step(stage, Victim::Agent, 1))
}

#[test]
fn the_master_is_killed_before_some_steps_of_an_endpoint() -> Result<()> {
    story(|stage| each_step(stage, Victim::Master, STRIDE))
}

#[test]
#[ignore = "slow: every step"]
fn the_master_is_killed_before_every_step_of_an_endpoint() -> Result<()> {
    story(|stage| each_step(stage, Victim::Master, 1))
}

/// The calls are the engine's own, and so are their repetitions: an engine repeats a call that the
/// agent has read, and not answered, without its body. So a start may fail, and is tried again as
/// its user would; of a removal nobody hears, and the agent collects what is left.
#[test]
fn the_agent_is_killed_before_some_steps_of_a_container() -> Result<()> {
    story(|stage| {
        stage.netctl("net create one -s 10.1.0.0/16 -g 10.1.1.254")?;
        let peer = stage.start("peer", "one")?;
        let step = |deed: &str| Step {
            deed: deed.to_owned(),
            time: 1,
        };
        let making = step("netlink setlink");
        let host = stage.host.clone();
        let started = disturbed(stage, Victim::Agent, &making, || {
            let made = [
                "docker",
                "run",
                "-d",
                "--name",
                "victim",
                "--network",
                "one",
            ];
            let made = [&made[..], &[BUSYBOX_IMAGE, "sleep", "1000000"]].concat();
            if let Err(error) = host.run(&made) {
                let said = format!("{error:#}");
                ensure!(said.contains("start the container again"), "{said}");
                host.run(&["docker", "rm", "-f", "victim"])?;
                host.run(&made)?;
            }
            Ok(())
        })?;
        ensure!(started, "not met at {making}");
        let victim = stage.actor("victim", "one")?;
        victim.soon_pings(peer.ip)?;
        peer.soon_pings(victim.ip)?;
        let removal = step("netlink dellink");
        let remove = || host.run(&["docker", "rm", "-f", "victim"]).map(drop);
        ensure!(
            disturbed(stage, Victim::Agent, &removal, remove)?,
            "not met at {removal}"
        );
        only_is_left(stage, &peer)
    })
}

fn each_step(stage: &mut Stage, victim: Victim, stride: usize) -> Result<()> {
    stage.netctl("net create one -s 10.1.0.0/16 -g 10.1.1.254")?;
    let peer = stage.start("peer", "one")?;
    // Its program is attached for good by and by.
    let before = wait_for(SOON, "the peer to be settled", || {
        let now = Kernel::of(stage)?;
        ensure!(now.settled(), "{now:?}");
        Ok(now)
    })?;
    let open = stage.master()?.open_files()?;
    let mut number = 0;
    let mut life = |stage: &Stage| {
        number += 1;
        Life::new(stage, "one", number, stride > 1 || number % 2 == 0)
    };

    let mut undisturbed = life(stage)?;
    let watch = Watch::start(victim.daemon(stage)?.pid(), None)?;
    undisturbed.make()?;
    let making = watch.end()?;
    undisturbed.reaches(&peer)?;
    let watch = Watch::start(victim.daemon(stage)?.pid(), None)?;
    undisturbed.remove()?;
    let removal = watch.end()?;
    before.comes_back(stage)?;
    println!(
        "{victim:?}: {} steps: {}, then {}",
        making.len() + removal.len(),
        list(&making),
        list(&removal)
    );
    // The fewest that are possible: an address and an endpoint at the master, a link and rows here.
    ensure!(
        making.len() >= 6 && removal.len() >= 3,
        "hardly any step was seen"
    );

    let (mut met, mut missed) = (0, Vec::new());
    for (half, steps) in [(Half::Making, &making), (Half::Removal, &removal)] {
        for step in selected(steps, stride) {
            let begun = Instant::now();
            let mut life = life(stage)?;
            let outcome = one_step(stage, victim, half, step, &mut life, &peer)
                .and_then(|was_met| before.comes_back(stage).map(|()| was_met))
                .with_context(|| format!("{victim:?} killed before {step} of the {half:?}"))?;
            println!(
                "{half:?}: {step}: met {outcome}, {} ms",
                begun.elapsed().as_millis()
            );
            match outcome {
                true => met += 1,
                false => missed.push(step.to_string()),
            }
        }
    }
    println!("{victim:?}: killed at {met} steps, not met at {missed:?}");
    // What comes from time to time comes perhaps not in the run that it was to end.
    ensure!(met > 2 * missed.len(), "{missed:?} were not met");

    only_is_left(stage, &peer)?;
    wait_for(SOON, "the master's descriptors to be as before", || {
        let now = stage.master()?.open_files()?;
        ensure!(now <= open + SPARE, "{open} before, {now} now");
        Ok(())
    })
}

/// Every address comes back but this one's.
fn only_is_left(stage: &Stage, peer: &Actor) -> Result<()> {
    let kept = peer.ip.to_string();
    wait_for(EXPIRED, "all addresses but the peer's to be free", || {
        let used = stage.addresses_in_use()?;
        ensure!(used == [kept.as_str()], "{used:?}");
        Ok(())
    })
}

/// All steps; or, of the first with each deed, one of `stride`.
fn selected(steps: &[Step], stride: usize) -> impl Iterator<Item = &Step> {
    let all = steps
        .iter()
        .filter(move |step| stride == 1 || step.time == 1);
    all.step_by(stride)
}

/// One endpoint's life, with the victim killed before the step; whether it came to that.
fn one_step(
    stage: &mut Stage,
    victim: Victim,
    half: Half,
    step: &Step,
    life: &mut Life,
    peer: &Actor,
) -> Result<bool> {
    let was_met = match half {
        Half::Making => {
            let met = disturbed(stage, victim, step, || life.make_at_last())?;
            life.reaches(peer)?;
            life.remove()?;
            met
        }
        Half::Removal => {
            life.make()?;
            life.reaches(peer)?;
            disturbed(stage, victim, step, || life.remove())?
        }
    };
    Ok(was_met)
}

/// Does something while the victim is killed before a step, and started again.
fn disturbed(
    stage: &mut Stage,
    victim: Victim,
    step: &Step,
    act: impl FnOnce() -> Result<()> + Send,
) -> Result<bool> {
    let watch = Watch::start(victim.daemon(stage)?.pid(), Some(step.clone()))?;
    std::thread::scope(|scope| {
        let acting = scope.spawn(act);
        let what = format!("{victim:?} to be killed, or to be through");
        let killed = wait_for(MET, &what, || {
            let met = watch.is_over();
            ensure!(met || acting.is_finished(), "neither");
            Ok(met)
        });
        let seen = watch.end();
        let restarted = match killed {
            Ok(true) => victim.start_again(stage),
            _ => Ok(()),
        };
        let acted = acting.join().ok().context("a thread that does not panic")?;
        restarted?;
        acted
            .with_context(|| format!("seen: {}", seen.as_deref().map_or("nothing".into(), list)))?;
        killed
    })
}

impl Victim {
    fn daemon(self, stage: &Stage) -> Result<&Daemon> {
        match self {
            Victim::Agent => stage.agent(),
            Victim::Master => stage.master(),
        }
    }

    fn start_again(self, stage: &mut Stage) -> Result<()> {
        match self {
            Victim::Agent => {
                stage.kill_agent();
                stage.start_agent()
            }
            Victim::Master => {
                stage.kill_master();
                stage.start_master()
            }
        }
    }
}

/// What the host's kernel holds of ours.
#[derive(Debug, PartialEq, Eq)]
struct Kernel {
    links: BTreeSet<String>,
    pins: BTreeSet<String>,
    rows: BTreeMap<String, usize>,
    routes: BTreeSet<String>,
    firewall: String,
}

impl Kernel {
    fn of(stage: &Stage) -> Result<Kernel> {
        let host = stage.host_netns()?;
        let lines =
            |text: String| -> BTreeSet<String> { text.lines().map(str::to_owned).collect() };
        let names = host.ip("-br link")?;
        let names = names
            .lines()
            .filter_map(|line| line.split(['@', ' ']).next());
        let mut rows = stage.map_entries()?;
        // Counted, and limited, for whoever drops or asks: not an endpoint's.
        rows.retain(|name, _| !name.contains("drop") && !name.contains("rule_"));
        Ok(Kernel {
            links: names.map(str::to_owned).collect(),
            pins: lines(stage.host.run(&["find", "/sys/fs/bpf", "-type", "f"])?),
            rows,
            routes: lines(host.ip("route show dev contiv0")?),
            firewall: host.run("nft -s list table inet contiv")?,
        })
    }

    /// Whether every endpoint's program is pinned.
    fn settled(&self) -> bool {
        let ends = self.links.iter().filter(|name| name.starts_with("cv"));
        let mut ends = ends.peekable();
        ends.peek().is_some()
            && ends.all(|name| self.pins.iter().any(|pin| pin.ends_with(name.as_str())))
    }

    fn comes_back(&self, stage: &Stage) -> Result<()> {
        wait_for(SOON * 2, "the kernel to be as before", || {
            let now = Kernel::of(stage)?;
            ensure!(now == *self, "it was {self:#?}, and is {now:#?}");
            Ok(())
        })
    }
}

fn list(steps: &[Step]) -> String {
    let words: Vec<String> = steps.iter().map(Step::to_string).collect();
    words.join(", ")
}
