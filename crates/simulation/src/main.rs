//! `make sim`: many seeds, or one again.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Parser;
use contiv_simulation::{Failure, Fault, Run, Summary};

/// Between two words on how far it has come.
const PROGRESS: Duration = Duration::from_secs(10);

/// Runs a simulated cluster by seeds.
#[derive(Debug, Parser)]
struct Options {
    /// One seed again, in place of many.
    #[arg(long)]
    seed: Option<u64>,
    /// The first of many seeds.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 20_000)]
    seeds: u64,
    /// No seed is begun after so many seconds.
    #[arg(long)]
    limit: Option<u64>,
    /// How many operations a run has.
    #[arg(long, default_value_t = 40)]
    operations: usize,
    /// Operations that are left out.
    #[arg(long, value_delimiter = ',')]
    without: Vec<usize>,
    /// Switches something off that is to be missed.
    #[arg(long, value_enum)]
    fault: Option<Fault>,
    /// Prints operations as they happen; RUST_LOG=debug adds what everybody does.
    #[arg(long)]
    tell: bool,
    /// Prints what comes of a seed as JSON.
    #[arg(long)]
    json: bool,
    /// Prints a failing seed as it is, without looking for fewer operations that fail.
    #[arg(long)]
    whole: bool,
    /// Ends with the first seed that fails.
    #[arg(long)]
    until_failure: bool,
}

impl Options {
    fn run(&self, seed: u64) -> Run {
        Run {
            tell: self.tell,
            fault: self.fault,
            without: BTreeSet::from_iter(self.without.iter().copied()),
            ..Run::new(seed, self.operations)
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let failures = match options.seed {
        Some(seed) => again(&options, seed),
        None => many(&options),
    };
    match failures {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn again(options: &Options, seed: u64) -> usize {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .without_time()
        .with_writer(std::io::stderr)
        .init();
    let done = options.run(seed).run();
    if options.json {
        println!("{}", serde_json::to_string(&done).unwrap_or_default());
        return usize::from(done.is_err());
    }
    match done {
        Ok(summary) => {
            println!("seed {seed}: {summary}");
            0
        }
        Err(failure) => {
            println!("{failure}");
            1
        }
    }
}

/// What many seeds have come to so far.
#[derive(Default)]
struct Tally {
    next: AtomicU64,
    done: AtomicU64,
    failed: AtomicU64,
    over: AtomicBool,
    failures: Mutex<Vec<Failure>>,
    sum: Mutex<Summary>,
}

impl Tally {
    fn work(&self, options: &Options, program: &Path, begin: Instant) {
        let end = options.first + options.seeds;
        loop {
            let seed = self.next.fetch_add(1, Ordering::Relaxed);
            let late = options
                .limit
                .is_some_and(|l| begin.elapsed().as_secs() >= l);
            if seed >= end || late || self.over.load(Ordering::Relaxed) {
                return;
            }
            match options.run(seed).apart(program) {
                Ok(summary) => {
                    let mut sum = self.sum.lock().unwrap_or_else(PoisonError::into_inner);
                    sum.add(&summary);
                }
                Err(failure) => self.fails(options, failure),
            }
            self.done.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn fails(&self, options: &Options, failure: Failure) {
        let what = failure.what.chars().take(300).collect::<String>();
        println!("seed {} fails: {what}", failure.run.seed);
        self.failed.fetch_add(1, Ordering::Relaxed);
        if options.until_failure {
            self.over.store(true, Ordering::Relaxed);
        }
        self.failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(failure);
    }

    /// Says how far it has come, now and then.
    fn tell(&self, options: &Options, begin: Instant) {
        let mut told = Instant::now();
        while !self.over.load(Ordering::Relaxed) {
            std::thread::park_timeout(PROGRESS);
            if told.elapsed() < PROGRESS {
                continue;
            }
            told = Instant::now();
            let (done, failed) = (&self.done, &self.failed);
            let (done, failed) = (done.load(Ordering::Relaxed), failed.load(Ordering::Relaxed));
            let seconds = begin.elapsed().as_secs();
            let rate = tenths(done, begin.elapsed());
            eprintln!(
                "{done} of {} seeds in {seconds} s, {rate} a second, {failed} failed",
                options.seeds
            );
        }
    }
}

fn many(options: &Options) -> usize {
    let Ok(program) = std::env::current_exe() else {
        println!("this program is not found");
        return 1;
    };
    let begin = Instant::now();
    let tally = Tally {
        next: AtomicU64::new(options.first),
        ..Tally::default()
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let work = || tally.work(options, &program, begin);
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let teller = scope.spawn(|| tally.tell(options, begin));
        for worker in workers {
            drop(worker.join());
        }
        tally.over.store(true, Ordering::Relaxed);
        teller.thread().unpark();
    });
    let Tally {
        done,
        failures,
        sum,
        ..
    } = tally;
    let failures = failures
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let (done, took) = (done.into_inner(), begin.elapsed());
    println!(
        "{}",
        sum.into_inner().unwrap_or_else(PoisonError::into_inner)
    );
    println!(
        "{done} seeds in {} s, {} a second, {} failed",
        took.as_secs(),
        tenths(done, took),
        failures.len()
    );
    let count = failures.len();
    if let Some(first) = failures.into_iter().min_by_key(|f| f.run.seed) {
        let told = match options.whole {
            true => first,
            false => Run::shrink(first, &program),
        };
        println!("{told}");
    }
    count
}

/// So many in a second, to one decimal.
fn tenths(count: u64, time: Duration) -> String {
    let tenths = u128::from(count) * 10_000 / time.as_millis().max(1);
    format!("{}.{}", tenths / 10, tenths % 10)
}
