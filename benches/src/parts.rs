//! The parts of a run that each write a section of the report.

use anyhow::Result;

use crate::plan::{Part, Plan};
use crate::progress::say;
use crate::section::Section;
use crate::{addresses, changes, firewalls, instructions, neighbour, overlay, packets, remotes};

type Measure = fn(&Plan) -> Result<Section>;

/// In the order of the report.
const PARTS: [(Part, &str, Measure); 8] = [
    (Part::Overlay, "Between hosts", overlay::run),
    (Part::Packets, "Packets in the program", packets::run),
    (Part::Changes, "Changes of large policies", changes::run),
    (
        Part::Firewalls,
        "Beside nftables and iptables",
        firewalls::run,
    ),
    (
        Part::Neighbour,
        "Beside a tenant that keeps changing",
        neighbour::run,
    ),
    (
        Part::Instructions,
        "Instructions of a verdict",
        instructions::run,
    ),
    (
        Part::Remotes,
        "Beside endpoints of other hosts",
        remotes::run,
    ),
    (Part::Addresses, "Addresses on etcd", addresses::run),
];

/// Measures what is wanted and needs no engine. A part that fails leaves its error in its section:
/// what the others have measured is not lost with it.
pub(crate) fn sections(plan: &Plan) -> Vec<Section> {
    let wanted = PARTS.into_iter().filter(|(part, ..)| plan.has(*part));
    wanted
        .map(|(_, what, measure)| {
            say(what);
            measure(plan).unwrap_or_else(|error| Section::failed(what, &error))
        })
        .collect()
}
