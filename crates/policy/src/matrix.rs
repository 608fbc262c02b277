//! Who may reach whom on a port.

use std::collections::BTreeMap;

use contiv_datapath_abi::policy::{Action, Direction, Outcome, PolicyTables, evaluate};
use contiv_model::agent::AddressRange;

use crate::explain::{Party, Question};
use crate::space::Say;
use crate::{PolicyError, TenantPolicy, compile};

/// What is asked of every pair of groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatrixQuestion {
    pub protocol: u8,
    /// As in [`Query::port`](crate::Query::port).
    pub port: u16,
    /// Group 0 is the host, the world, and endpoints outside any group.
    pub groups: Vec<u32>,
    /// Where members of groups have their addresses; anywhere for a group that is absent.
    pub places: BTreeMap<u32, Vec<AddressRange>>,
}

/// What may happen between two groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Allowed between all members.
    Open { sending: u32, receiving: u32 },
    /// Denied between all members; the side that denies, and its rule.
    Closed { side: Direction, rule: u32 },
    /// It depends on the members' addresses: so many classes of pairs of them are open.
    Depends { open: usize, of: usize },
    /// No two members are of one family.
    Nobody,
}

/// A cell for each pair, senders by receivers, in the order of the question's groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matrix {
    pub groups: Vec<u32>,
    pub cells: Vec<Vec<Cell>>,
}

/// Answers for every pair of groups, over all classes of addresses that rules tell apart.
pub fn matrix(policy: &TenantPolicy, question: &MatrixQuestion) -> Result<Matrix, PolicyError> {
    let build = compile(policy)?;
    let groups = &question.groups;
    let row = |from: &u32| {
        let cell = |to: &u32| cell(policy, question, (&build.write, build.root), (*from, *to));
        groups.iter().map(cell).collect()
    };
    Ok(Matrix {
        groups: groups.clone(),
        cells: groups.iter().map(row).collect(),
    })
}

fn cell<T: PolicyTables>(
    policy: &TenantPolicy,
    question: &MatrixQuestion,
    tables: (&T, u32),
    (from, to): (u32, u32),
) -> Cell {
    let places = |group: u32| question.places.get(&group).map_or(&[][..], Vec::as_slice);
    let say = Say::between(&[policy], from, to);
    let (mut open, mut closed) = (Vec::new(), Vec::new());
    for (sender, receiver) in say.addresses(places(from), places(to)) {
        let asked = Question {
            from: Party {
                group: from,
                address: sender.sample(),
            },
            to: Party {
                group: to,
                address: receiver.sample(),
            },
            protocol: question.protocol,
            port: question.port,
        };
        match ask(tables, &asked) {
            Ok(rules) => open.push(rules),
            Err(denied) => closed.push(denied),
        }
    }
    match (open.first(), closed.first()) {
        (Some(&(sending, receiving)), None) => Cell::Open { sending, receiving },
        (None, Some(&(side, rule))) => Cell::Closed { side, rule },
        (None, None) => Cell::Nobody,
        (Some(_), Some(_)) => Cell::Depends {
            open: open.len(),
            of: open.len() + closed.len(),
        },
    }
}

/// The two rules that allow, or the side and the rule that denies.
pub(crate) fn ask<T: PolicyTables>(
    (tables, root): (&T, u32),
    question: &Question,
) -> Result<(u32, u32), (Direction, u32)> {
    let side = |direction| {
        let Outcome { action, rule } = evaluate(tables, &question.query(direction, root)).outcome();
        if action == Action::Allow {
            Ok(rule)
        } else {
            Err((direction, rule))
        }
    };
    Ok((side(Direction::Out)?, side(Direction::In)?))
}
