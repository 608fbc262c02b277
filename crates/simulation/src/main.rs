//! `make sim`: many seeds, or one again.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::Parser;
use contiv_simulation::{Failure, Run, Summary};

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
    /// Prints operations as they happen; RUST_LOG=debug adds what everybody does.
    #[arg(long)]
    tell: bool,
    /// Prints what comes of a seed as JSON.
    #[arg(long)]
    json: bool,
    /// Prints a failing seed as it is, without looking for fewer operations that fail.
    #[arg(long)]
    whole: bool,
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
    let run = Run {
        tell: options.tell,
        without: BTreeSet::from_iter(options.without.iter().copied()),
        ..Run::new(seed, options.operations)
    };
    let done = run.run();
    if options.json {
        println!("{}", serde_json::to_string(&done).unwrap_or_default());
        return usize::from(done.is_err());
    }
    match done {
        Ok(summary) => {
            println!("seed {seed}: {summary:?}");
            0
        }
        Err(failure) => {
            println!("{failure}");
            1
        }
    }
}

fn many(options: &Options) -> usize {
    let Ok(program) = std::env::current_exe() else {
        println!("this program is not found");
        return 1;
    };
    let begin = Instant::now();
    let (next, done) = (AtomicU64::new(options.first), AtomicU64::new(0));
    let failures: Mutex<Vec<Failure>> = Mutex::default();
    let sum: Mutex<Summary> = Mutex::default();
    let end = options.first + options.seeds;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let late = options
                        .limit
                        .is_some_and(|l| begin.elapsed().as_secs() >= l);
                    if seed >= end || late {
                        return;
                    }
                    let done_so = Run::new(seed, options.operations).apart(&program);
                    if let Ok(summary) = &done_so {
                        sum.lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .add(summary);
                    }
                    if let Err(failure) = done_so {
                        let what = failure.what.chars().take(300).collect::<String>();
                        println!("seed {seed} fails: {what}");
                        failures
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(failure);
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let failures = failures
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let took = begin.elapsed().as_secs_f64();
    let done = done.load(Ordering::Relaxed);
    println!("{done} seeds in {took:.1} s, {} failed", failures.len());
    let Summary {
        writes,
        containers,
        restores,
        lost_hosts,
        seconds,
        ..
    } = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!(
        "{writes} writes, {containers} containers at the end, {restores} restores, {lost_hosts} lost \
         hosts in {seconds} s of virtual time"
    );
    let count = failures.len();
    if let Some(first) = failures.into_iter().min_by_key(|f| f.run.seed) {
        let told = if options.whole {
            first
        } else {
            Run::shrink(first, &program)
        };
        println!("{told}");
    }
    count
}
