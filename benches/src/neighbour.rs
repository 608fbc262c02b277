//! What a tenant feels of another one whose policy and endpoints change all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::load::Load;
use crate::plan::Plan;
use crate::rules::{Size, one_port};
use crate::section::{Line, Section};
use crate::site::Site;
use crate::suite::Bar;
use crate::{progress, turns};

/// The tenant that is measured, and the one that keeps changing.
const QUIET: u32 = 2;
const BUSY: u32 = 3;

/// Changes of policy a second; every other one comes with an endpoint that comes or goes.
const CHANGES: u32 = 100;

/// Long enough for very many changes in a turn.
const TURN: Duration = Duration::from_millis(250);

const LOADS: [(Load, &str, Bar); 2] = [
    (Load::Stream, "one stream", Bar::AtLeast(0.95)),
    (
        Load::Connect,
        "connections, one after the other",
        Bar::AtLeast(0.95),
    ),
];

pub(crate) fn run(plan: &Plan) -> Result<Section> {
    let mut section = Section::new(
        "Beside a tenant that keeps changing",
        "A tenant with 100 rules, alone and while another one on the same host changes a rule 100 \
         times a second and 50 endpoints a second come and go, both through the data plane. Loads \
         and changes share two processors: what changes compute is taken from the loads, wherever \
         it is done. So the same changes are also made on another host of this machine, whose \
         tables, links and programs are its own: against that, what is left is what one tenant does \
         to another one.",
    );
    let (mut site, mut other) = (Site::new()?, Site::new()?);
    site.tenant(QUIET, Size::Rules(100).policy())?;
    for site in [&mut site, &mut other] {
        site.tenant(BUSY, Size::Rules(100).policy())?;
    }
    let ends = site.ends(QUIET)?;
    let (mut done, mut spent) = ([0; 2], Duration::ZERO);
    for (load, what, bar) in LOADS {
        let mut lines = [
            Line::new("alone", None),
            Line::new("beside changes", Some(bar)),
            Line::new("beside changes on another host", None),
        ];
        progress::say(what);
        for round in 0..=plan.rounds {
            let laps = plan.laps.div_ceil(3);
            let turns = turns::round(round, laps, lines.len(), |index| {
                let busy = match index {
                    0 => return load.run(&ends, TURN),
                    1 => &mut site,
                    _ => &mut other,
                };
                let begin = Instant::now();
                let (figure, made) = beside(busy, || load.run(&ends, TURN))?;
                spent += begin.elapsed();
                done = [0, 1].map(|what| done[what] + made[what]);
                Ok(figure)
            })?;
            for (line, laps) in lines.iter_mut().zip(turns).filter(|_| round > 0) {
                line.figures.push_laps(laps);
            }
        }
        section.compare(what, load.unit(), &lines);
        let [_, beside, elsewhere] = lines;
        section.compare(
            &format!("{what}, by where"),
            load.unit(),
            &[elsewhere, beside],
        );
    }
    let [changes, endpoints] = done.map(|count| f64::from(count) / spent.as_secs_f64());
    section.body.push_str(&format!(
        "Reached meanwhile: {changes:.0} changes of policy and {endpoints:.0} endpoints a second.\n\n",
    ));
    Ok(section)
}

/// Runs a load while the busy tenant changes; answers with how many changes and endpoints there
/// were.
fn beside(site: &mut Site, load: impl FnOnce() -> Result<f64> + Send) -> Result<(f64, [u32; 2])> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let loaded = scope.spawn(|| {
            let figure = load();
            over.store(true, Ordering::Relaxed);
            figure
        });
        let churned = churn(site, &over);
        let figure = loaded.join().map_err(|_| anyhow!("the load panicked"))??;
        Ok((figure, churned?))
    })
}

fn churn(site: &mut Site, over: &AtomicBool) -> Result<[u32; 2]> {
    let begin = Instant::now();
    let (mut changes, mut endpoints) = (0_u32, 0);
    let mut guest: Option<String> = None;
    while !over.load(Ordering::Relaxed) {
        let mut rule = one_port(50);
        rule.priority = 60 + changes % 2;
        let policy = site.policy(BUSY)?;
        if let Some(kept) = policy
            .rules
            .iter_mut()
            .find(|kept| kept.number == rule.number)
        {
            *kept = Arc::new(rule);
        }
        if changes.is_multiple_of(2) {
            // The one before goes with the change, a new one comes.
            if let Some(id) = guest.take() {
                site.goes(&id)?;
            }
            guest = Some(site.comes(BUSY, 10 + (changes / 2 % 200) as u8)?);
            endpoints += 1;
        }
        site.apply()?;
        changes += 1;
        let next = Duration::from_secs(1) * changes / CHANGES;
        crate::site::pause(next.saturating_sub(begin.elapsed()));
    }
    if let Some(id) = guest {
        site.goes(&id)?;
    }
    Ok([changes, endpoints])
}
