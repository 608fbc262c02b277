//! A truth table in the manner of cyclonus: every pair × port × protocol, after every step.
//!
//! [`cases`] are steps in a small language, each a whole [`plan`] of policies, rules and members.
//! The [`cast`] brings the master from plan to plan by REST and the engine's API, asks everybody
//! for everybody, and holds the answers to the reference evaluator, which has read the plan and
//! nothing else. No case is cleaned up: the next one's first step changes what is running.

mod answers;
mod cases;
mod cast;
mod plan;
mod questions;

use anyhow::bail;

use crate::stage::{Result, story};
use cases::Case;
use cast::Cast;

/// Of the many cases that differ in one word, every run takes one of so many.
const SHARE: usize = 4;

#[test]
fn a_share_of_the_truth_table_holds() -> Result<()> {
    let cases = cases::all();
    let few = cases.into_iter().enumerate();
    let few = few.filter(|(number, case)| case.steps.len() > 1 || number % SHARE == 0);
    hold(few.map(|(_, case)| case).collect())
}

#[test]
#[ignore = "slow: the whole table takes some minutes"]
fn the_whole_truth_table_holds() -> Result<()> {
    hold(cases::all())
}

/// Plays the cases; the ones that do not hold are told together.
fn hold(cases: Vec<Case>) -> Result<()> {
    story(|stage| {
        let mut cast = Cast::on(stage)?;
        let (mut wrong, count) = (Vec::new(), cases.len());
        let mut steps = 0;
        for case in cases {
            for (number, step) in case.steps.iter().enumerate() {
                steps += 1;
                cast.become_as(stage, step)?;
                let misses = cast.misses()?;
                if !misses.is_empty() {
                    let table = answers::table(&misses);
                    wrong.push(format!(
                        "{}, step {}: {step}\n{table}",
                        case.name,
                        number + 1
                    ));
                }
            }
        }
        println!("{count} cases, {steps} steps, {} questions", cast.asked);
        if !wrong.is_empty() {
            bail!(
                "{} steps of {steps} do not hold:\n{}",
                wrong.len(),
                wrong.join("\n")
            );
        }
        Ok(())
    })
}
