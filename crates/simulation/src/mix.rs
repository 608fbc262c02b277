//! Which operations a run has: of some kinds many, of others none, by the seed. Runs in which
//! everything happens at once seldom come as far as those that do a few things over and over.

use crate::chance::Chance;
use crate::operation::{Intent, Operation, Place};
use crate::wishes::{NETWORKS, place, small, wish};

/// The kinds, and how often each comes where all are.
const KINDS: [(Kind, u64); 26] = [
    (Kind::Write, 18),
    (Kind::Start, 24),
    (Kind::Stop, 8),
    (Kind::Restart, 5),
    (Kind::Release, 3),
    (Kind::KillAgent, 3),
    (Kind::Reboot, 2),
    (Kind::CutHost, 3),
    (Kind::CutOff, 3),
    (Kind::Displace, 1),
    (Kind::RestartAlone, 2),
    (Kind::CrashMaster, 4),
    (Kind::Pause, 3),
    (Kind::CutStore, 2),
    (Kind::Lag, 2),
    (Kind::Jump, 2),
    (Kind::Minority, 2),
    (Kind::Lose, 2),
    (Kind::BreakFollowers, 1),
    (Kind::Fragile, 2),
    (Kind::Save, 3),
    (Kind::Restore, 1),
    (Kind::RestoreWithout, 1),
    (Kind::Trap, 1),
    (Kind::Upgrade, 2),
    (Kind::Rest, 3),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Write,
    Start,
    Stop,
    Restart,
    Release,
    KillAgent,
    Reboot,
    CutHost,
    CutOff,
    Displace,
    RestartAlone,
    CrashMaster,
    Pause,
    CutStore,
    Lag,
    Jump,
    Minority,
    Lose,
    BreakFollowers,
    Fragile,
    Save,
    Restore,
    RestoreWithout,
    Trap,
    Upgrade,
    Rest,
}

/// How often each kind comes in one run.
pub(crate) struct Mix {
    weights: Vec<(Kind, u64)>,
    sum: u64,
}

impl Mix {
    pub(crate) fn new(chance: &Chance) -> Mix {
        let often = |(kind, weight): (Kind, u64)| {
            let times = match kind {
                // Without containers and rules there is nothing to go wrong.
                Kind::Write | Kind::Start => 2,
                Kind::Stop | Kind::Restart => chance.of(1..4),
                _ => *chance.pick(&[0, 0, 2, 2, 3, 6]),
            };
            (kind, weight * times)
        };
        let weights: Vec<(Kind, u64)> = KINDS.map(often).to_vec();
        let sum = weights.iter().map(|(_, weight)| weight).sum();
        Mix { weights, sum }
    }

    fn kind(&self, chance: &Chance) -> Kind {
        let mut left = chance.of(0..self.sum);
        for (kind, weight) in &self.weights {
            match left.checked_sub(*weight) {
                Some(rest) => left = rest,
                None => return *kind,
            }
        }
        Kind::Rest
    }

    /// The next one, among so many hosts and masters.
    pub(crate) fn next(&self, chance: &Chance, hosts: usize, masters: usize) -> Operation {
        let one_of = |count: usize| {
            let count = u64::try_from(count).unwrap_or(1);
            usize::try_from(chance.of(0..count)).unwrap_or_default()
        };
        let (host, master) = (one_of(hosts), one_of(masters));
        let seconds = match chance.happens(20) {
            true => chance.of(15..60),
            false => chance.of(1..9),
        };
        match self.kind(chance) {
            Kind::Write => Operation::Write(Intent(wish(chance))),
            Kind::Start => Operation::Start {
                host,
                to: Place(place(chance)),
                wish: chance.happens(15).then(|| small(chance.of(1..13))),
            },
            Kind::Stop => Operation::Stop {
                host,
                which: chance.next(),
            },
            Kind::Restart => Operation::Restart {
                host,
                which: chance.next(),
            },
            Kind::Release => Operation::Release {
                host,
                network: small(chance.of(0..NETWORKS)),
                last: small(chance.of(1..13)),
            },
            Kind::KillAgent => Operation::KillAgent { host, seconds },
            Kind::Reboot => Operation::Reboot { host, seconds },
            Kind::CutHost => Operation::CutHost {
                host,
                master,
                seconds,
            },
            Kind::CutOff => Operation::CutOff {
                host,
                seconds: if chance.happens(40) {
                    chance.of(50..90)
                } else {
                    seconds
                },
            },
            Kind::Displace => Operation::Displace {
                host,
                seconds: chance.of(38..60),
            },
            Kind::RestartAlone => Operation::RestartAlone {
                host,
                which: chance.next(),
                seconds,
            },
            Kind::CrashMaster => Operation::CrashMaster { master, seconds },
            Kind::Pause => Operation::Pause {
                master,
                // Half of them outlast a lease.
                seconds: if chance.happens(50) {
                    chance.of(14..45)
                } else {
                    seconds
                },
            },
            Kind::CutStore => Operation::CutStore { master, seconds },
            Kind::Lag => Operation::Lag {
                master,
                milliseconds: chance.of(50..1500),
                seconds,
            },
            Kind::Jump => {
                let by = i64::try_from(chance.of(0..600)).unwrap_or_default();
                Operation::Jump {
                    master,
                    seconds: by - 300,
                }
            }
            Kind::Minority => Operation::Minority {
                seconds: seconds.min(20),
            },
            Kind::Lose => Operation::Lose {
                percent: chance.of(5..40),
                seconds,
            },
            Kind::BreakFollowers => Operation::BreakFollowers,
            Kind::Fragile => Operation::Fragile {
                one_in: chance.of(5..60),
                seconds,
            },
            Kind::Save => Operation::Save,
            Kind::Restore => Operation::Restore,
            Kind::RestoreWithout => Operation::RestoreWithout {
                host,
                seconds: chance.of(8..30),
            },
            Kind::Trap => Operation::Trap {
                host,
                which: chance.next(),
                seconds: chance.of(17..35),
            },
            Kind::Upgrade => Operation::Upgrade {
                master,
                version: small(chance.of(0..4)),
            },
            Kind::Rest => Operation::Rest { seconds },
        }
    }
}
