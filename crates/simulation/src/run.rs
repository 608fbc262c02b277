//! One run: a seed, so many operations, and what came of it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::chance::{Chance, seed_system};
use crate::expected;
use crate::fault::Fault;
use crate::invariants::Seen;
use crate::mix::Mix;
use crate::operation::Operation;
use crate::tally::Counts;
use crate::world::World;

/// Between looks.
const LOOK: Duration = Duration::from_millis(250);

/// Once everybody is well again, everything is as it should be after this time: addresses that
/// nobody claims expire after a minute, by a clock that may have been wrong by five, and an endpoint
/// that nobody has is found in half of one.
const SETTLED: Duration = Duration::from_secs(420);

/// A run, as it can be done again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    pub seed: u64,
    /// How many operations it has.
    pub operations: usize,
    /// Those that are left out, to see which of them matter.
    pub without: BTreeSet<usize>,
    /// What is switched off on purpose.
    pub fault: Option<Fault>,
    /// Prints operations as they happen.
    pub tell: bool,
}

/// What a run that went well did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub writes: u64,
    pub containers: u64,
    pub restores: u64,
    pub lost_hosts: u64,
    /// How long it took in virtual time, in seconds.
    pub seconds: u64,
    /// The store's last revision.
    pub revision: u64,
    /// What happened, and how often.
    pub counts: Counts,
}

/// What went wrong in a run, and what had happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failure {
    pub run: Run,
    pub what: String,
    pub log: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Run {
            seed,
            operations,
            without,
            fault,
            ..
        } = &self.run;
        writeln!(f, "seed {seed} with {operations} operations: {}", self.what)?;
        for line in &self.log {
            writeln!(f, "  {line}")?;
        }
        let without: Vec<String> = without.iter().map(ToString::to_string).collect();
        let without = match without.is_empty() {
            true => String::new(),
            false => format!(" --without {}", without.join(",")),
        };
        let fault = fault.map_or_else(String::new, |fault| format!(" --fault {}", fault.name()));
        write!(
            f,
            "again by: make sim SIM=\"--seed {seed} --operations {operations}{without}{fault} --tell\""
        )
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary {
            writes,
            containers,
            restores,
            lost_hosts,
            seconds,
            counts,
            ..
        } = self;
        writeln!(
            f,
            "{writes} writes, {containers} containers at the end, {restores} restores, {lost_hosts} \
             lost hosts in {seconds} s of virtual time; of that:"
        )?;
        write!(f, "{counts}")
    }
}

impl Summary {
    /// Adds another run to this one.
    pub fn add(&mut self, other: &Summary) {
        self.writes += other.writes;
        self.containers += other.containers;
        self.restores += other.restores;
        self.lost_hosts += other.lost_hosts;
        self.seconds += other.seconds;
        self.revision = self.revision.max(other.revision);
        self.counts.add(&other.counts);
    }
}

impl Run {
    /// The run of a seed.
    pub fn new(seed: u64, operations: usize) -> Run {
        Run {
            seed,
            operations,
            without: BTreeSet::new(),
            fault: None,
            tell: false,
        }
    }

    /// Does it in a process of its own: libraries count in statics what they have done
    /// before, and one that counts differently takes other turns.
    pub fn apart(&self, program: &Path) -> Result<Summary, Failure> {
        let failed = |what: String| Failure {
            run: self.clone(),
            what,
            log: Vec::new(),
        };
        let mut command = Command::new(program);
        command.args(["--json", "--seed", &self.seed.to_string()]);
        command.args(["--operations", &self.operations.to_string()]);
        if !self.without.is_empty() {
            let without: Vec<String> = self.without.iter().map(ToString::to_string).collect();
            command.args(["--without", &without.join(",")]);
        }
        if let Some(fault) = self.fault {
            command.args(["--fault", &fault.name()]);
        }
        let output = command.output().map_err(|e| failed(e.to_string()))?;
        let told = serde_json::from_slice::<Result<Summary, Failure>>(&output.stdout);
        told.unwrap_or_else(|_| {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            Err(failed(format!("{}: {said}", output.status)))
        })
    }

    /// Does it, on a thread of its own, whose chance is the seed's from the start.
    pub fn run(&self) -> Result<Summary, Failure> {
        let run = self.clone();
        let thread = std::thread::Builder::new().stack_size(16 << 20);
        let done = thread.spawn(move || {
            seed_system(run.seed);
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build();
            let mut log = Vec::new();
            let result = match runtime {
                Ok(runtime) => runtime.block_on(run.perform(&mut log)),
                Err(error) => Err(error.to_string()),
            };
            result.map_err(|what| Failure { run, what, log })
        });
        let failed = |what: &str| Failure {
            run: self.clone(),
            what: what.to_owned(),
            log: Vec::new(),
        };
        match done.map(std::thread::JoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(failed("a thread panicked")),
            Err(_) => Err(failed("no thread")),
        }
    }

    /// A failing run with fewer operations that fails as well.
    pub fn shrink(failure: Failure, program: &Path) -> Failure {
        let mut best = failure;
        let operations = best.run.operations;
        let mut width = (operations / 2).max(1);
        loop {
            let mut begin = 0;
            while begin < operations {
                let mut run = best.run.clone();
                run.tell = false;
                run.without.extend(begin..(begin + width).min(operations));
                if run.without.len() > best.run.without.len()
                    && let Err(failure) = run.apart(program)
                {
                    best = failure;
                }
                begin += width;
            }
            if width == 1 {
                return best;
            }
            width /= 2;
        }
    }

    async fn perform(&self, log: &mut Vec<String>) -> Result<Summary, String> {
        let begin = Instant::now();
        let chance = Chance::new(self.seed, 1);
        let mut world = World::new(self.seed, self.fault).map_err(|e| e.to_string())?;
        let mut seen = Seen::new(&world);
        let mix = Mix::new(&chance);
        world.begin().await;
        let (hosts, masters) = (world.hosts.len(), world.masters.len());
        for number in 0..self.operations {
            let operation = mix.next(&chance, hosts, masters);
            let pause = match &operation {
                Operation::Rest { seconds } => Duration::from_secs(*seconds),
                // What takes so long is to come to its end.
                Operation::Displace { seconds, .. }
                | Operation::RestoreWithout { seconds, .. }
                | Operation::Trap { seconds, .. }
                    if chance.happens(60) =>
                {
                    Duration::from_secs(*seconds + 8)
                }
                // Much comes at once.
                _ if chance.happens(35) => Duration::from_millis(chance.of(0..20)),
                _ => Duration::from_millis(chance.of(0..2000)),
            };
            if self.without.contains(&number) {
                continue;
            }
            let line = format!(
                "{number:3} {:8.3} s {operation:?}",
                begin.elapsed().as_secs_f64()
            );
            if self.tell {
                println!("{line}");
            }
            log.push(line);
            world.apply(operation);
            pass(&mut world, &mut seen, pause).await?;
        }
        world.heal().map_err(|e| e.to_string())?;
        log.push(format!(
            "    {:8.3} s healed",
            begin.elapsed().as_secs_f64()
        ));
        let summary = settle(&mut world, &mut seen).await?;
        Ok(Summary {
            seconds: begin.elapsed().as_secs(),
            ..summary
        })
    }
}

/// Lets time pass, and looks meanwhile.
async fn pass(world: &mut World, seen: &mut Seen, time: Duration) -> Result<(), String> {
    let end = Instant::now() + time;
    loop {
        world.tend().map_err(|e| e.to_string())?;
        seen.look(world)?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        sleep(left.min(LOOK)).await;
    }
}

/// Waits until everything is as it should be.
async fn settle(world: &mut World, seen: &mut Seen) -> Result<Summary, String> {
    let end = Instant::now() + SETTLED;
    loop {
        pass(world, seen, Duration::from_secs(2)).await?;
        let wrong = unsettled(world).await;
        if wrong.is_empty() {
            break;
        }
        if Instant::now() >= end {
            return Err(format!("it does not settle: {}", wrong.join("; ")));
        }
    }
    let found = world.operator.read().await.map_err(|e| e.to_string())?;
    let contradictions = world.operator.knowledge().contradictions(&found);
    if !contradictions.is_empty() {
        return Err(format!("writes are lost: {}", contradictions.join("; ")));
    }
    let Some(ledger) = world.masters[0].ledger() else {
        return Err("the first master is gone".into());
    };
    let image = ledger.read().image().clone();
    let disagreements = expected::disagreements(&image, &world.hosts);
    if !disagreements.is_empty() {
        return Err(format!(
            "hosts enforce something else: {}",
            disagreements.join("; ")
        ));
    }
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    Ok(Summary {
        writes: world.operator.done(),
        containers: count(image.endpoints().count()),
        restores: world.restores,
        lost_hosts: count(world.lost.len()),
        seconds: 0,
        counts: world.tally.all(),
        revision: image.number(),
    })
}

/// What is not yet as it should be.
async fn unsettled(world: &mut World) -> Vec<String> {
    if !world.is_idle() {
        return vec!["something is under way".into()];
    }
    let mut images = Vec::new();
    for master in &world.masters {
        let Some(ledger) = master.ledger() else {
            return vec![format!("{} does not run", master.name)];
        };
        images.push(ledger.read().image().clone());
    }
    let mut wrong = Vec::new();
    if images.iter().any(|image| image != &images[0]) {
        wrong.push("masters know different things".into());
    }
    let image = &images[0];
    if image.adoption().is_some() {
        wrong.push("hosts are still to be adopted".into());
    }
    wrong.extend(expected::leaks(image));
    for host in &world.hosts {
        wrong.extend(expected::differences(image, host));
    }
    wrong
}
