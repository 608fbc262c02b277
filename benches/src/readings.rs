//! Everything that was read in one run.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::metrics::Calls;
use crate::section::Section;
use crate::stats::Ratio;
use crate::suite::{Contender, Suite};

/// The figures of one run, in the order of the rounds.
#[derive(Debug, Default)]
pub(crate) struct Readings {
    /// What they were read on.
    pub(crate) machine: Vec<(&'static str, String)>,
    /// How often every contender had its turn.
    pub(crate) rounds: usize,
    /// One figure a round.
    pub(crate) figures: BTreeMap<(Suite, Contender), Vec<f64>>,
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
    /// Notes one figure.
    pub(crate) fn note(&mut self, suite: Suite, contender: Contender, figure: f64) {
        self.figures
            .entry((suite, contender))
            .or_default()
            .push(figure);
    }

    /// The figures of one contender.
    pub(crate) fn of(&self, suite: Suite, contender: Contender) -> &[f64] {
        self.figures
            .get(&(suite, contender))
            .map_or(&[], Vec::as_slice)
    }

    /// The ratio of a contender to the suite's measure, if both were read.
    pub(crate) fn ratio(&self, suite: Suite, contender: Contender) -> Option<Ratio> {
        let measure = self.of(suite, suite.contenders()[0]);
        let figures = self.of(suite, contender);
        (!measure.is_empty() && !figures.is_empty()).then(|| Ratio::of(figures, measure))
    }

    /// All of it, for other programs.
    pub(crate) fn to_json(&self) -> Value {
        let mut suites = serde_json::Map::new();
        for ((suite, contender), figures) in &self.figures {
            suites
                .entry(suite.title())
                .or_insert_with(|| json!({ "unit": suite.unit(), "figures": {} }))["figures"]
                [contender.title()] = json!(figures);
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
