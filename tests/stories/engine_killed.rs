//! The engine is killed between any two calls of its driver, and comes back.

use std::time::Duration;

use anyhow::Context;
use contiv_testbed::{BUSYBOX_IMAGE, EngineOptions, Relay, Side, wait_for};

use crate::actor::all_reach_each_other;
use crate::stage::{Result, Stage, story_on};

const HELD: Duration = Duration::from_secs(20);

const STARTING: [&str; 4] = [
    "IpamDriver.RequestAddress",
    "NetworkDriver.CreateEndpoint",
    "NetworkDriver.Join",
    "NetworkDriver.ProgramExternalConnectivity",
];

const STOPPING: [&str; 4] = [
    "NetworkDriver.RevokeExternalConnectivity",
    "NetworkDriver.Leave",
    "NetworkDriver.DeleteEndpoint",
    "IpamDriver.ReleaseAddress",
];

const CREATING: [&str; 3] = [
    "IpamDriver.RequestPool",
    "IpamDriver.RequestAddress",
    "NetworkDriver.CreateNetwork",
];

const REMOVING: [&str; 3] = [
    "IpamDriver.ReleaseAddress",
    "IpamDriver.ReleasePool",
    "NetworkDriver.DeleteNetwork",
];

#[test]
fn killed_while_it_starts_a_container() -> Result<()> {
    with_relay(|stage, relay| {
        for (call, side) in moments(&STARTING) {
            let run = ["run", "-d", "--name", "victim", "--network", "private"];
            let run = [&run[..], &[BUSYBOX_IMAGE, "sleep", "1000000"]].concat();
            kill_at(stage, relay, call, side, &run)?;
            works_again(stage)?;
        }
        Ok(())
    })
}

#[test]
fn killed_while_it_stops_a_container() -> Result<()> {
    with_relay(|stage, relay| {
        for (call, side) in moments(&STOPPING) {
            stage.start("victim", "private")?;
            kill_at(stage, relay, call, side, &["stop", "victim"])?;
            works_again(stage)?;
        }
        Ok(())
    })
}

#[test]
fn killed_while_it_makes_or_removes_a_network() -> Result<()> {
    with_relay(|stage, relay| {
        let options = ["--subnet", "10.1.0.0/24", "--ipam-opt", "network=private"];
        let options = [&options[..], &["-o", "network=private"]].concat();
        let create = [
            &[
                "network",
                "create",
                "-d",
                "netplugin",
                "--ipam-driver",
                "netplugin",
            ],
            &options[..],
            &["mine"],
        ]
        .concat();
        for (call, side) in moments(&CREATING) {
            kill_at(stage, relay, call, side, &create)?;
            stage.docker("network rm mine").ok();
            works_again(stage)?;
        }
        for (call, side) in moments(&REMOVING) {
            stage.engine.docker(&create)?;
            kill_at(stage, relay, call, side, &["network", "rm", "mine"])?;
            stage.docker("network rm mine").ok();
            works_again(stage)?;
        }
        Ok(())
    })
}

/// A stage with a network and two containers that come back by themselves, behind a relay.
fn with_relay(play: impl FnOnce(&mut Stage, &Relay) -> Result<()>) -> Result<()> {
    story_on(EngineOptions::default(), &[], |stage| {
        let relay = Relay::start(&stage.host, "netplugin")?;
        stage.netctl("net create private -s 10.1.0.0/24 -g 10.1.0.254")?;
        play(stage, &relay)?;
        drop(relay);
        // The engine must find the driver itself again.
        stage.engine.restart()
    })
}

fn moments(calls: &'static [&'static str]) -> impl Iterator<Item = (&'static str, Side)> {
    calls
        .iter()
        .flat_map(|call| [(*call, Side::Before), (*call, Side::After)])
}

/// Runs a command of the engine's client, kills the engine at that moment, and starts it again.
fn kill_at(stage: &mut Stage, relay: &Relay, call: &str, side: Side, line: &[&str]) -> Result<()> {
    relay.hold(call, side);
    let host = stage.host.clone();
    std::thread::scope(|scope| {
        let words = [&["docker"], line].concat();
        let command = scope.spawn(move || host.run(&words));
        let held = relay.until_held(HELD);
        stage.engine.kill9();
        relay.release();
        let outcome = command.join().expect("a thread that does not panic");
        held.with_context(|| format!("{call} {side:?}: {outcome:?}"))
    })?;
    stage.engine.up()
}

/// The victim is forgotten or can be removed, and containers start and reach each other; the
/// addresses in use are theirs, once what the dead engine had begun is collected.
fn works_again(stage: &Stage) -> Result<()> {
    stage.docker("rm -f victim").ok();
    let both = stage.start_many(2, "after", "private")?;
    all_reach_each_other(&both)?;
    stage.remove(["after1", "after2"])
}

#[test]
fn what_a_dead_engine_had_begun_is_collected() -> Result<()> {
    with_relay(|stage, relay| {
        let run = [
            "run",
            "-d",
            "--name",
            "victim",
            "--network",
            "private",
            BUSYBOX_IMAGE,
            "true",
        ];
        kill_at(stage, relay, "NetworkDriver.Join", Side::After, &run)?;
        stage.docker("rm -f victim").ok();
        wait_for(Duration::from_secs(60), "the address to be free", || {
            let used = stage.addresses_in_use()?;
            anyhow::ensure!(used.is_empty(), "in use: {used:?}");
            Ok(())
        })
    })
}
