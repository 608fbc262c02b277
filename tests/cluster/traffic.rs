//! Numbered packets between containers of different hosts, while something else goes on.

use std::time::Duration;

use anyhow::ensure;
use contiv_testbed::{Stream, StreamSpec};

use crate::actor::Actor;
use crate::stage::Result;

/// How long packets may take to flow again on a busy machine.
const FLOWS: Duration = Duration::from_secs(20);

/// Packets a second, from each container to each other one.
const RATE: u32 = 250;

const PORT: u16 = 5000;

/// A stream for each way between actors.
pub(crate) struct Traffic {
    ways: Vec<(String, Stream)>,
}

/// What became of all streams.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Toll {
    pub(crate) sent: u64,
    pub(crate) lost: u64,
}

impl Traffic {
    /// Starts to send, and waits until packets arrive on every way.
    pub(crate) fn between(actors: &[Actor]) -> Result<Traffic> {
        let mut ways = Vec::new();
        for (from_number, from) in (0..).zip(actors) {
            for to in actors.iter().filter(|to| to.name != from.name) {
                let spec = StreamSpec {
                    rate: RATE,
                    ..StreamSpec::to((to.ip, PORT + from_number).into())
                };
                let name = format!("{} to {}", from.name, to.name);
                ways.push((name, Stream::start(&from.netns, &to.netns, &spec)?));
            }
        }
        let traffic = Traffic { ways };
        traffic.goes_on()?;
        Ok(traffic)
    }

    /// Waits until packets have arrived on every way for half a second's worth.
    pub(crate) fn goes_on(&self) -> Result<()> {
        for (_, stream) in &self.ways {
            stream.flows(u64::from(RATE) / 2, FLOWS)?;
        }
        Ok(())
    }

    /// Stops sending, and prints what was lost in the scenario `what`.
    pub(crate) fn ends(self, what: &str) -> Result<Toll> {
        let mut toll = Toll { sent: 0, lost: 0 };
        let (mut gap, mut doubled) = (Duration::ZERO, 0);
        for (name, stream) in self.ways {
            let report = stream.stop();
            if report.lost > 0 {
                println!("{what}: {name}: {report:?}");
            }
            toll.sent += report.sent;
            toll.lost += report.lost;
            doubled += report.duplicates;
            gap = gap.max(report.longest_gap);
        }
        println!(
            "{what}: {} packets, {} lost, longest gap {} ms",
            toll.sent,
            toll.lost,
            gap.as_millis()
        );
        ensure!(doubled == 0, "{what}: {doubled} packets arrived twice");
        Ok(toll)
    }

    /// The same, when nothing may be lost.
    pub(crate) fn ends_whole(self, what: &str) -> Result<()> {
        let toll = self.ends(what)?;
        ensure!(toll.lost == 0, "{what}: {toll:?}");
        Ok(())
    }
}
