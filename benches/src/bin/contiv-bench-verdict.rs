//! The verdict code alone, for instruction counts: asks one question again and again, with answers
//! of the tables that were noted before, so that nothing but the code itself is counted.

use std::cell::Cell;

use anyhow::{Context, Result};
use contiv_datapath_abi::mapped;
use contiv_datapath_abi::policy::{
    Decision, DecisionKey, Direction, Peer, PeerKey, PolicyTables, Query, RuleSet, Sides, Subject,
    SubjectKey, evaluate,
};
use contiv_policy::{Rows, compile};

#[path = "../rules.rs"]
#[allow(dead_code, reason = "only the policies themselves are of use here")]
mod rules;

use rules::{GROUP, Size};

/// Answers in the order in which they were given the first time.
#[derive(Default)]
struct Noted<'a> {
    subjects: Answers<'a, Sides<Subject>>,
    own: Answers<'a, Sides<RuleSet>>,
    groups: Answers<'a, Sides<Peer>>,
    numbers: Answers<'a, Sides<u32>>,
    decisions: Answers<'a, Sides<Decision>>,
    /// Asked while answers are noted.
    rows: Cell<Option<&'a Rows>>,
}

struct Answers<'a, T> {
    all: Cell<[Option<&'a T>; 64]>,
    next: Cell<usize>,
}

impl<T> Default for Answers<'_, T> {
    fn default() -> Self {
        let all = Cell::new([None; 64]);
        let next = Cell::new(0);
        Answers { all, next }
    }
}

impl<'a, T> Answers<'a, T> {
    fn answer(
        &self,
        rows: Option<&'a Rows>,
        ask: impl Fn(&'a Rows) -> Option<&'a T>,
    ) -> Option<&'a T> {
        let at = self.next.get() % 64;
        self.next.set(at + 1);
        if let Some(rows) = rows {
            let mut all = self.all.get();
            all[at] = ask(rows);
            self.all.set(all);
        }
        // Reading one of them does not copy all.
        let all: &[Cell<Option<&'a T>>] = Cell::as_array_of_cells(&self.all);
        all[at].get()
    }
}

impl<'a> PolicyTables for Noted<'a> {
    fn subject(&self, key: &SubjectKey) -> Option<&Sides<Subject>> {
        self.subjects
            .answer(self.rows.get(), |rows| rows.subject(key))
    }

    fn own_address(&self, set: u32, scope: u32, address: &[u8; 16]) -> Option<&Sides<RuleSet>> {
        self.own.answer(self.rows.get(), |rows| {
            rows.own_address(set, scope, address)
        })
    }

    fn peer_group(&self, key: &PeerKey) -> Option<&Sides<Peer>> {
        self.groups
            .answer(self.rows.get(), |rows| rows.peer_group(key))
    }

    fn peer_prefix(&self, set: u32, scope: u32, address: &[u8; 16]) -> Option<&Sides<u32>> {
        self.numbers.answer(self.rows.get(), |rows| {
            rows.peer_prefix(set, scope, address)
        })
    }

    fn decision(&self, key: &DecisionKey) -> Option<&Sides<Decision>> {
        self.decisions
            .answer(self.rows.get(), |rows| rows.decision(key))
    }
}

impl Noted<'_> {
    fn again(&self) {
        self.subjects.next.set(0);
        self.own.next.set(0);
        self.groups.next.set(0);
        self.numbers.next.set(0);
        self.decisions.next.set(0);
    }
}

/// `contiv-bench-verdict rules|prefixes COUNT TIMES`
fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().collect();
    let [_, kind, count, times] = &words[..] else {
        anyhow::bail!("usage: contiv-bench-verdict rules|prefixes COUNT TIMES");
    };
    let count = count.parse().context("COUNT")?;
    let size = match kind.as_str() {
        "prefixes" => Size::Prefixes(count),
        _ => Size::Rules(count),
    };
    let build = compile(&size.policy())?;
    let query = Query {
        root: build.root,
        subject_group: GROUP,
        peer_group: GROUP,
        own_address: mapped([10, 1, 1, 2]),
        peer_address: mapped([10, 1, 1, 1]),
        direction: Direction::In,
        protocol: 6,
        port: 80,
    };
    let noted = Noted::default();
    noted.rows.set(Some(&build.write));
    let first = evaluate(&noted, &query);
    noted.rows.set(None);
    for _ in 0..times.parse::<u32>().context("TIMES")? {
        noted.again();
        let verdict = evaluate(&noted, std::hint::black_box(&query));
        std::hint::black_box(verdict);
    }
    noted.again();
    anyhow::ensure!(
        evaluate(&noted, &query) == first,
        "noted answers lead elsewhere"
    );
    Ok(())
}
