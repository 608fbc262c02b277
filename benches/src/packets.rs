//! What a packet costs in the program itself, by `BPF_PROG_TEST_RUN`, and how long programs are.
//!
//! All policies are in one set of tables and judged by one copy of the program, a tenant each, so
//! that nothing but the policy differs. One more set without any shows what full tables cost those
//! who have no rules.

mod rig;

use std::time::Duration;

use anyhow::Result;

use crate::plan::Plan;
use crate::rules::Size;
use crate::section::{Line, Section};
use crate::stats::Figures;
use crate::suite::Bar;
use crate::{progress, turns};
use rig::{Kind, Rig};

/// Policies that are measured, the measure of established packets first.
const SIZES: [Size; 7] = [
    Size::Rules(0),
    Size::Rules(1),
    Size::Rules(100),
    Size::Rules(1_000),
    Size::Rules(10_000),
    Size::Prefixes(100_000),
    Size::OfEachKind,
];

const FLAT: Option<Bar> = Some(Bar::Within(1.03));
const FLAT_SETUP: Option<Bar> = Some(Bar::Within(1.05));

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Amount {
    rounds: usize,
    laps: usize,
    /// Packets of an established connection in a turn.
    packets: u32,
    /// Connections in a turn.
    connections: u16,
}

impl Amount {
    fn of(plan: &Plan) -> Amount {
        match plan.is_quick() {
            true => Amount {
                rounds: 2,
                laps: 3,
                packets: 20_000,
                connections: 200,
            },
            false => Amount {
                rounds: 2 * plan.rounds,
                laps: 25,
                packets: 20_000,
                connections: 500,
            },
        }
    }
}

/// Who is measured: a tenant of one of the rigs.
struct Contender {
    rig: usize,
    tenant: usize,
    name: String,
}

/// Nanoseconds by the kernel's clock and by ours.
#[derive(Clone, Copy, Debug)]
struct Cost {
    kernel: f64,
    wall: f64,
}

pub(crate) fn run(plan: &Plan) -> Result<Section> {
    let amount = Amount::of(plan);
    let mut rigs = [Rig::new(&SIZES)?, Rig::new(&SIZES[..1])?];
    let tenants = SIZES.into_iter().enumerate();
    let mut contenders: Vec<Contender> = tenants
        .map(|(tenant, size)| Contender {
            rig: 0,
            tenant,
            name: size.title(),
        })
        .collect();
    contenders.push(Contender {
        rig: 1,
        tenant: 0,
        name: "no rules, and none in the tables".to_owned(),
    });
    let mut section = Section::new("Cost of a packet in the program", &meaning(amount));
    for (kind, what) in [
        (Kind::Udp, "established, UDP"),
        (Kind::Tcp, "established, TCP"),
    ] {
        let all = measure(what, amount, &mut rigs, &contenders, |rig, tenant| {
            rig.established(tenant, kind, amount.packets)
        })?;
        tables(&mut section, what, &all, by_size(FLAT));
    }
    let what = "connections that begin, UDP";
    let all = measure(what, amount, &mut rigs, &contenders, |rig, tenant| {
        rig.beginnings(tenant, amount.connections)
    })?;
    tables(&mut section, what, &all, beginnings());
    tables(
        &mut section,
        "connections that begin, UDP, rules of the same kinds",
        &all,
        of_same_kinds(),
    );
    lengths(&mut section, &mut rigs[0])?;
    Ok(section)
}

fn meaning(amount: Amount) -> String {
    let Amount {
        rounds,
        laps,
        packets,
        connections,
    } = amount;
    format!(
        "Nanoseconds a packet by `BPF_PROG_TEST_RUN`, one copy of the program and one set of tables \
         for all, a tenant each; {rounds} rounds of {laps} laps, a turn is {packets} packets or the \
         median of {connections} beginnings. An established packet finds its connection; a connection \
         that begins is judged by both policies and entered. The kernel counts whole nanoseconds. Ratios of beginnings are to one rule: \
         without any, no table is asked.\n\nOne rule names a group and nothing else, so that one kind \
         of peer is asked for, and for packets that come in only. From 100 rules on there are also \
         addresses and any peer, and both directions. What that costs by itself, and what the number \
         of rules costs, the table of rules of the same kinds tells apart: there the measure has {} \
         rules, one of each kind and direction, of which the larger policies have more.",
        Size::OF_EACH_KIND,
    )
}

/// Which contenders stand in a table, the measure first, and what each is held to.
type Rows = Vec<(usize, Option<Bar>)>;

/// As they are numbered in [`SIZES`], and the one alone in its rig behind them.
fn by_size(bar: Option<Bar>) -> Rows {
    let others = (1..=SIZES.len()).map(|index| (index, bar));
    [(0, None)].into_iter().chain(others).collect()
}

/// One rule is the measure, and whoever has none is not judged at all.
fn beginnings() -> Rows {
    let mut rows = by_size(FLAT_SETUP);
    rows.swap(0, 1);
    for (index, bar) in &mut rows {
        if [0, 1, SIZES.len()].contains(index) {
            *bar = None;
        }
    }
    rows
}

/// The number of rules alone differs.
fn of_same_kinds() -> Rows {
    let kinds = SIZES.len() - 1;
    let more = [2, 3, 4].map(|index| (index, FLAT_SETUP));
    [(kinds, None)].into_iter().chain(more).collect()
}

/// A contender's figures by the kernel's clock and by ours.
struct Costs {
    name: String,
    kernel: Figures,
    wall: Figures,
}

/// The kernel's clock is what is held to bars; ours stands beside it.
fn tables(section: &mut Section, what: &str, all: &[Costs], rows: Rows) {
    let lines = |of: fn(&Costs) -> &Figures, barred: bool| -> Vec<Line> {
        let line = |(index, bar): &(usize, Option<Bar>)| Line {
            figures: of(&all[*index]).clone(),
            ..Line::new(&all[*index].name, bar.filter(|_| barred))
        };
        rows.iter().map(line).collect()
    };
    section.compare(what, "ns", &lines(|costs| &costs.kernel, true));
    section.compare(
        &format!("{what}, wall time with the call"),
        "ns",
        &lines(|costs| &costs.wall, false),
    );
}

fn measure(
    what: &str,
    amount: Amount,
    rigs: &mut [Rig; 2],
    contenders: &[Contender],
    mut act: impl FnMut(&mut Rig, usize) -> Result<Cost>,
) -> Result<Vec<Costs>> {
    let costs = |contender: &Contender| Costs {
        name: contender.name.clone(),
        kernel: Figures::default(),
        wall: Figures::default(),
    };
    let mut all: Vec<Costs> = contenders.iter().map(costs).collect();
    progress::say(what);
    // A round that does not count: what is done for the first time is slower.
    for round in 0..=amount.rounds {
        let turns = turns::round(round, amount.laps, contenders.len(), |index| {
            let Contender { rig, tenant, .. } = &contenders[index];
            act(&mut rigs[*rig], *tenant)
        })?;
        if round == 0 {
            continue;
        }
        for (costs, laps) in all.iter_mut().zip(turns) {
            costs
                .kernel
                .push_laps(laps.iter().map(|lap| lap.kernel).collect());
            costs
                .wall
                .push_laps(laps.iter().map(|lap| lap.wall).collect());
        }
    }
    Ok(all)
}

fn lengths(section: &mut Section, rig: &mut Rig) -> Result<()> {
    let lengths = rig.lengths()?;
    section.body.push_str(
        "Lengths of programs, with all functions that they call:\n\n\
         | program | instructions, translated | bytes of machine code | walked by the verifier |\n\
         | --- | --: | --: | --: |\n",
    );
    for (name, [instructions, bytes, walked]) in &lengths {
        let row = format!("| {name} | {instructions} | {bytes} | {walked} |\n");
        section.body.push_str(&row);
    }
    section.body.push('\n');
    section.raw["lengths"] = serde_json::json!(lengths);
    Ok(())
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}
