//! What a packet costs in the program itself, by `BPF_PROG_TEST_RUN`, and how long programs are.
//!
//! All policies are in one set of tables and judged by one copy of the program, a tenant each, so
//! that nothing but the policy differs. One more set without any shows what full tables cost those
//! who have no rules.

mod rig;

use std::time::Duration;

use anyhow::Result;

use crate::rules::Size;
use crate::section::{Line, Section};
use crate::stats::median;
use crate::suite::Bar;
use rig::{Kind, Rig};

/// Policies that are measured, the measure of established packets first.
const SIZES: [Size; 6] = [
    Size::Rules(0),
    Size::Rules(1),
    Size::Rules(100),
    Size::Rules(1_000),
    Size::Rules(10_000),
    Size::Prefixes(100_000),
];

const FLAT: Option<Bar> = Some(Bar::Within(1.03));
const FLAT_SETUP: Option<Bar> = Some(Bar::Within(1.05));

/// Turns of a contender in a round.
const TURNS: usize = 5;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    /// Packets of an established connection in a turn.
    pub(crate) packets: u32,
    /// Connections in a turn.
    pub(crate) connections: u16,
}

impl Plan {
    pub(crate) fn full() -> Plan {
        Plan {
            rounds: 20,
            packets: 200_000,
            connections: 2_000,
        }
    }

    pub(crate) fn quick() -> Plan {
        Plan {
            rounds: 2,
            packets: 20_000,
            connections: 200,
        }
    }
}

/// Nanoseconds by the kernel's clock and by ours.
#[derive(Clone, Copy, Debug)]
struct Cost {
    kernel: f64,
    wall: f64,
}

pub(crate) fn run(plan: Plan) -> Result<Section> {
    let mut rigs = [Rig::new(&SIZES)?, Rig::new(&SIZES[..1])?];
    // Contenders: a rig and a tenant in it. The last one is alone in its rig.
    let mut contenders: Vec<(usize, usize, String)> = SIZES
        .into_iter()
        .enumerate()
        .map(|(tenant, size)| (0, tenant, size.title()))
        .collect();
    contenders.push((1, 0, "no rules, and none in the tables".to_owned()));
    let mut section = Section::new(
        "Cost of a packet in the program",
        "Nanoseconds a packet by `BPF_PROG_TEST_RUN`, one copy of the program and one set of tables \
         for all, a tenant each; a round's figure is the median of five turns. An established \
         packet finds its connection; a connection that begins is judged by both policies and \
         entered. Ratios of beginnings are to one rule: without any, no table is asked.",
    );
    for (kind, what) in [
        (Kind::Udp, "established, UDP"),
        (Kind::Tcp, "established, TCP"),
    ] {
        let (kernel, wall) = measure(plan, &mut rigs, &contenders, FLAT, |rig, tenant| {
            rig.established(tenant, kind, plan.packets)
        })?;
        section.compare(what, "ns", &kernel);
        section.compare(&format!("{what}, wall time"), "ns", &wall);
    }
    let (mut kernel, mut wall) =
        measure(plan, &mut rigs, &contenders, FLAT_SETUP, |rig, tenant| {
            rig.beginnings(tenant, plan.connections)
        })?;
    for lines in [&mut kernel, &mut wall] {
        // One rule is the measure, and whoever has none is not judged at all.
        lines.swap(0, 1);
        for line in lines
            .iter_mut()
            .filter(|line| line.name.starts_with("no rules"))
        {
            line.bar = None;
        }
        lines[0].bar = None;
    }
    section.compare("connections that begin, UDP", "ns", &kernel);
    section.compare(
        "connections that begin, UDP, wall time with the call",
        "ns",
        &wall,
    );
    let lengths = rigs[0].lengths()?;
    section.body.push_str(
        "Lengths of programs, with all functions that they call:\n\n\
         | program | instructions, translated | bytes of machine code |\n| --- | --: | --: |\n",
    );
    for (name, instructions, bytes) in &lengths {
        section
            .body
            .push_str(&format!("| {name} | {instructions} | {bytes} |\n"));
    }
    section.body.push('\n');
    section.raw["lengths"] = serde_json::json!(lengths);
    Ok(section)
}

/// Everybody has their turns in every round; who is first moves on.
fn measure(
    plan: Plan,
    rigs: &mut [Rig; 2],
    contenders: &[(usize, usize, String)],
    bar: Option<Bar>,
    mut act: impl FnMut(&mut Rig, usize) -> Result<Cost>,
) -> Result<(Vec<Line>, Vec<Line>)> {
    let lines = |bar: Option<Bar>| -> Vec<Line> {
        let names = contenders.iter().enumerate();
        let bar = |index| if index == 0 { None } else { bar };
        names
            .map(|(index, (.., name))| Line::new(name, bar(index)))
            .collect()
    };
    // The kernel's clock is what is held to a bar; ours stands beside it.
    let (mut kernel, mut wall) = (lines(bar), lines(None));
    // Two rounds that do not count: what is done for the first time is slower.
    for round in 0..plan.rounds + 2 {
        let mut costs = vec![Vec::with_capacity(TURNS); contenders.len()];
        for turn in 0..TURNS * contenders.len() {
            let index = (round + turn + turn / contenders.len()) % contenders.len();
            let (rig, tenant, _) = &contenders[index];
            costs[index].push(act(&mut rigs[*rig], *tenant)?);
        }
        if round < 2 {
            continue;
        }
        for (index, costs) in costs.into_iter().enumerate() {
            let figures = |of: fn(&Cost) -> f64| median(&costs.iter().map(of).collect::<Vec<_>>());
            kernel[index].figures.push(figures(|cost| cost.kernel));
            wall[index].figures.push(figures(|cost| cost.wall));
        }
    }
    Ok((kernel, wall))
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}
