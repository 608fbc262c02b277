//! Many containers at once, and nothing left of them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;
use contiv_testbed::wait_for;

use crate::actor::Actor;
use crate::stage::{Result, SOON, Stage, story};
use crate::strike::Footprint;

/// Starts that the engine is asked for at the same time.
const AT_ONCE: usize = 20;

#[test]
fn forty_containers_start_at_once_and_leave_nothing() -> Result<()> {
    story(|stage| come_and_go(stage, 40))
}

#[test]
#[ignore = "slow: two hundred containers take minutes on two cores"]
fn two_hundred_containers_start_at_once_and_leave_nothing() -> Result<()> {
    story(|stage| come_and_go(stage, 200))
}

fn come_and_go(stage: &Stage, count: usize) -> Result<()> {
    stage.netctl("net create crowd -s 10.1.0.0/16 -g 10.1.255.254")?;
    // What the first container brings about once is no leak.
    stage.start("first", "crowd")?;
    stage.remove(["first"])?;
    stage.all_addresses_come_back()?;
    let (before, files) = (Footprint::of(stage)?, open_files(stage)?);
    let entries = stage.map_entries()?;

    let crowd = all_at_once(stage, count)?;
    let ips: BTreeSet<_> = crowd.iter().map(|actor| actor.ip).collect();
    assert_eq!(ips.len(), count, "an address was given twice");
    let links = Footprint::of(stage)?.links.len();
    assert_eq!(links - before.links.len(), count);
    for (from, to) in crowd.iter().zip(crowd.iter().skip(1)) {
        from.pings(to.ip)?;
    }
    let names: Vec<&str> = crowd.iter().map(|actor| actor.name.as_str()).collect();
    each_at_once(&names, |name| stage.remove([*name]))?;

    wait_for(SOON, "nothing to be left", || {
        let now = Footprint::of(stage)?;
        ensure!(now == before, "{now:?}");
        let now = stage.map_entries()?;
        ensure!(
            now == entries,
            "map entries: {entries:?} before, {now:?} now"
        );
        let now = open_files(stage)?;
        let more = now
            .values()
            .sum::<usize>()
            .saturating_sub(files.values().sum());
        // One connection for each call that the engine makes at once may stay open for a while.
        ensure!(more <= AT_ONCE, "open files: {files:?} before, {now:?} now");
        Ok(())
    })
}

fn all_at_once(stage: &Stage, count: usize) -> Result<Vec<Actor>> {
    let names: Vec<String> = (0..count).map(|number| format!("c{number}")).collect();
    each_at_once(&names, |name| stage.start(name, "crowd"))
}

/// Does the same for each name, several at a time.
fn each_at_once<N: Sync, T: Send>(
    names: &[N],
    act: impl Fn(&N) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let shares: Vec<&[N]> = names.chunks(names.len().div_ceil(AT_ONCE)).collect();
    std::thread::scope(|scope| {
        let act = &act;
        let threads: Vec<_> = shares
            .into_iter()
            .map(|share| scope.spawn(move || share.iter().map(act).collect::<Result<Vec<T>>>()))
            .collect();
        let mut done = Vec::new();
        for thread in threads {
            done.extend(thread.join().expect("a thread that does not panic")?);
        }
        Ok(done)
    })
}

/// What the agent has open, by kind.
fn open_files(stage: &Stage) -> Result<BTreeMap<String, usize>> {
    let mut kinds = BTreeMap::new();
    for file in std::fs::read_dir(format!("/proc/{}/fd", stage.agent()?.pid()))? {
        // One that is closed meanwhile is not open.
        let Ok(target) = std::fs::read_link(file?.path()) else {
            continue;
        };
        let name = target.to_string_lossy().into_owned();
        let kind = name
            .split_once(":[")
            .map_or(name.as_str(), |(kind, _)| kind);
        *kinds.entry(kind.to_owned()).or_default() += 1;
    }
    Ok(kinds)
}
