//! Who may reach whom on a port.

use contiv_datapath_abi::policy::{Action, Direction, Outcome, PolicyTables, Verdict, evaluate};

use crate::cases::{End, cases_of};
use crate::explain::Question;
use crate::{Build, PolicyError, TenantPolicy, compile};

/// Classes of addresses that one cell looks at.
const CLASSES: usize = 100_000;

/// What is asked of every pair.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatrixQuestion {
    /// Senders and receivers. Group 0 is the host, the world, and endpoints outside any group.
    pub ends: Vec<End>,
}

/// What may happen between two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Allowed between all members.
    Open { sending: u32, receiving: u32 },
    /// Denied between all members; the side that denies, and its rule.
    Closed { side: Direction, rule: u32 },
    /// It depends on the members' addresses: so many outcomes are open.
    Depends { open: usize, of: usize },
    /// No two members are of one family.
    Nobody,
}

/// What is enforced, and what it would be with staged policies in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    pub enforced: Answer,
    pub staged: Answer,
}

/// A cell for each pair, senders by receivers, in the order of the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matrix {
    pub cells: Vec<Vec<Cell>>,
}

/// Answers for every pair, over all classes of addresses that rules tell apart. `packets` gives
/// the protocol and the port, by whether the family is IPv4.
pub fn matrix(
    policy: &TenantPolicy,
    question: &MatrixQuestion,
    packets: impl Fn(bool) -> (u8, u16),
) -> Result<Matrix, PolicyError> {
    let build = compile(policy)?;
    let ends = &question.ends;
    let row = |from: &End| {
        let cell = |to: &End| cell(policy, &build, (from, to), &packets);
        ends.iter().map(cell).collect()
    };
    Ok(Matrix {
        cells: ends.iter().map(row).collect(),
    })
}

fn cell(
    policy: &TenantPolicy,
    build: &Build,
    ends: (&End, &End),
    packets: &impl Fn(bool) -> (u8, u16),
) -> Cell {
    let (cases, _) = cases_of(policy, build, ends, packets, CLASSES);
    let verdicts: Vec<(Verdict, Verdict)> = cases.iter().map(|case| case.verdicts).collect();
    let if_staged = |verdict: &Verdict| verdict.staged.unwrap_or(verdict.outcome());
    Cell {
        enforced: answer(&verdicts, Verdict::outcome),
        staged: answer(&verdicts, if_staged),
    }
}

fn answer(verdicts: &[(Verdict, Verdict)], outcome: impl Fn(&Verdict) -> Outcome) -> Answer {
    let (mut open, mut closed) = (Vec::new(), Vec::new());
    for (sending, receiving) in verdicts {
        match both(outcome(sending), outcome(receiving)) {
            Ok(rules) => open.push(rules),
            Err(denied) => closed.push(denied),
        }
    }
    match (open.first(), closed.first()) {
        (Some(&(sending, receiving)), None) => Answer::Open { sending, receiving },
        (None, Some(&(side, rule))) => Answer::Closed { side, rule },
        (None, None) => Answer::Nobody,
        (Some(_), Some(_)) => Answer::Depends {
            open: open.len(),
            of: open.len() + closed.len(),
        },
    }
}

/// The two rules that allow, or the side and the rule that denies.
fn both(sending: Outcome, receiving: Outcome) -> Result<(u32, u32), (Direction, u32)> {
    let side = |direction, Outcome { action, rule }| match action {
        Action::Allow => Ok(rule),
        Action::Deny | Action::Pass => Err((direction, rule)),
    };
    Ok((
        side(Direction::Out, sending)?,
        side(Direction::In, receiving)?,
    ))
}

/// As [`both`], of what tables say.
pub(crate) fn ask<T: PolicyTables>(
    (tables, root): (&T, u32),
    question: &Question,
) -> Result<(u32, u32), (Direction, u32)> {
    let side = |direction| evaluate(tables, &question.query(direction, root)).outcome();
    both(side(Direction::Out), side(Direction::In))
}
