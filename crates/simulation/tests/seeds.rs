//! Seeds of every day; `make sim` has many more.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use contiv_simulation::Run;

/// How many, in less than a minute on two cores that have nothing else to do.
const SEEDS: u64 = 200;

/// So many are run in any case, or it is no proof.
const FLOOR: u64 = 100;

/// Above the floor no seed is begun later: machines may have something else to do.
const LATE: Duration = Duration::from_secs(50);

/// Nor is any later than this, and the test fails for want of seeds.
const TOO_LATE: Duration = Duration::from_secs(180);
const OPERATIONS: usize = 40;

/// Seeds that failed once, by what was wrong then. A change of what operations there are makes other
/// runs of them, which are to go well all the same.
const ONCE: [(u64, &str); 10] = [
    (
        412,
        "an agent that starts anew does not tell of containers that were fenced",
    ),
    (533, "the same, where a restored store did not know of them"),
    (
        2301,
        "a restored store gave what was granted when its snapshot was taken",
    ),
    (
        4770,
        "a host was given the address of its own container, whose beginning masters had not heard of",
    ),
    (
        2810,
        "the same, by a container that asked for the address itself",
    ),
    (
        6064,
        "a host said that it had heard of an end, and had given the address to a container before",
    ),
    (
        724,
        "after a restore a host gave an address on before the other that had it was heard",
    ),
    (
        2947,
        "a master forgot for good what it had written itself, when what it wrote next failed",
    ),
    (
        6974,
        "a deletion that was given up came late, and deleted what had been made since",
    ),
    (
        7723,
        "a host was granted what drained on it, and a master whose clock was ahead freed it at once",
    ),
];

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_contiv-simulation"))
}

#[test]
fn whatever_happens_no_address_is_given_twice_no_write_is_lost_and_all_comes_right() {
    let (begin, next, run) = (Instant::now(), AtomicU64::new(0), AtomicU64::new(0));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let work = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                let late = if seed < FLOOR { TOO_LATE } else { LATE };
                if seed >= SEEDS || begin.elapsed() >= late {
                    return;
                }
                if let Err(failure) = Run::new(seed, OPERATIONS).apart(program()) {
                    panic!("{failure}");
                }
                run.fetch_add(1, Ordering::Relaxed);
            }
        };
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().unwrap();
        }
    });
    let (run, seconds) = (run.into_inner(), begin.elapsed().as_secs_f64());
    println!("{run} seeds in {seconds:.1} s");
    assert!(
        run >= FLOOR,
        "only {run} seeds ran in {seconds:.1} s, of at least {FLOOR}: run it again on a machine \
         that has less to do"
    );
}

#[test]
fn what_failed_once_goes_well() {
    for (seed, wrong) in ONCE {
        if let Err(failure) = Run::new(seed, OPERATIONS).apart(program()) {
            panic!("{wrong}: {failure}");
        }
    }
}

#[test]
fn a_seed_is_the_same_run_again() {
    let run = Run::new(7, OPERATIONS);
    let (one, two) = (run.apart(program()), run.apart(program()));
    assert_eq!(one.unwrap(), two.unwrap());
}
