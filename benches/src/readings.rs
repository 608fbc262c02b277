//! Everything that was read in one run.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::metrics::Calls;
use crate::section::Section;
use crate::stats::{Figures, Ratio};
use crate::suite::{Contender, Suite};

/// The figures of one run, in the order of the rounds.
#[derive(Debug, Default)]
pub(crate) struct Readings {
    /// What they were read on.
    pub(crate) machine: Vec<(&'static str, String)>,
    /// How often every contender had its turn.
    pub(crate) rounds: usize,
    /// Who took part in what.
    pub(crate) figures: BTreeMap<(Suite, Contender), Figures>,
    /// Milliseconds of netplugin's handlers, one figure for each start of a container.
    pub(crate) handlers: Vec<f64>,
    /// Where the handlers' time went, over all starts.
    pub(crate) calls: Calls,
    /// Milliseconds until netplugin was ready, with nothing in the kernel.
    pub(crate) ready_first: Vec<f64>,
    /// Milliseconds until netplugin was ready, with everything in the kernel.
    pub(crate) ready_again: Vec<f64>,
    /// Mebibytes that netplugin held after all loads.
    pub(crate) resident_mib: f64,
    /// What other groups of measurements have to say.
    pub(crate) sections: Vec<Section>,
}

impl Readings {
    /// Notes a round.
    pub(crate) fn note(&mut self, suite: Suite, contender: Contender, laps: Vec<f64>) {
        self.figures
            .entry((suite, contender))
            .or_default()
            .push_laps(laps);
    }

    /// The figures of one contender, if it took part.
    pub(crate) fn of(&self, suite: Suite, contender: Contender) -> Option<&Figures> {
        self.figures.get(&(suite, contender))
    }

    /// The ratio of a contender to another one, if both were read.
    pub(crate) fn ratio(&self, suite: Suite, ours: Contender, theirs: Contender) -> Option<Ratio> {
        Some(Ratio::of(self.of(suite, ours)?, self.of(suite, theirs)?))
    }

    /// All of it, for other programs.
    pub(crate) fn to_json(&self) -> Value {
        let mut suites = serde_json::Map::new();
        for ((suite, contender), figures) in &self.figures {
            suites
                .entry(suite.title())
                .or_insert_with(|| json!({ "unit": suite.unit(), "figures": {} }))["figures"]
                [contender.title()] = json!(figures.laps());
        }
        let calls: serde_json::Map<_, _> = self
            .calls
            .0
            .iter()
            .map(|(call, spent)| {
                (
                    call.clone(),
                    json!({ "count": spent.count, "seconds": spent.seconds }),
                )
            })
            .collect();
        let sections: serde_json::Map<_, _> = self
            .sections
            .iter()
            .map(|section| (section.title.to_owned(), section.raw.clone()))
            .collect();
        json!({
            "sections": sections,
            "machine": self.machine,
            "rounds": self.rounds,
            "suites": suites,
            "handlers_ms": self.handlers,
            "calls": calls,
            "ready_first_ms": self.ready_first,
            "ready_again_ms": self.ready_again,
            "resident_mib": self.resident_mib,
        })
    }
}
