//! Hosts, engines and what is left of them afterwards: nothing.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use contiv_testbed::{Engine, EngineOptions, Host, Reach, World, wait_for};

const LIMIT: Duration = Duration::from_secs(2);

#[test]
fn a_host_is_a_machine_of_its_own_and_leaves_nothing() {
    let host = Host::new("alone").unwrap();
    let (name, dir, pid) = (
        host.name().to_owned(),
        host.dir().to_owned(),
        host.holder_pid(),
    );
    assert_eq!(host.run(&["hostname"]).unwrap().trim(), name);
    assert_eq!(host.run(&["ls", "/run"]).unwrap(), "");
    assert_eq!(
        host.run(&["stat", "-f", "-c", "%T", "/sys/fs/bpf"])
            .unwrap()
            .trim(),
        "bpf_fs"
    );
    host.run(&["touch", "/var/lib/contiv/file", "/run/file"])
        .unwrap();
    assert!(!Path::new("/var/lib/contiv/file").exists());
    assert!(host.path("/var/lib/contiv/file").exists());
    assert!(
        host.run(&["false"])
            .unwrap_err()
            .to_string()
            .contains("false")
    );

    let mut sleep = Command::new("sleep");
    sleep.arg("1000");
    let daemon = host.spawn("sleep", sleep).unwrap();
    host.run(&["sh", "-c", "setsid sleep 1001 >/dev/null 2>&1 &"])
        .unwrap();
    assert!(daemon.exited().is_none());
    drop(host);
    assert!(daemon.exited().is_some(), "a process outlived its host");
    assert!(!dir.exists());
    assert!(!Path::new(&format!("/proc/{pid}/ns/net")).exists());
}

/// Set for a run of this program that is to be killed.
const VICTIM: &str = "CTVT_VICTIM";

#[test]
fn a_killed_test_leaves_no_process_and_is_swept() {
    if std::env::var_os(VICTIM).is_some() {
        return be_the_victim();
    }
    let victim = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "a_killed_test_leaves_no_process_and_is_swept",
            "--nocapture",
        ])
        .env(VICTIM, "1")
        .stdout(std::process::Stdio::piped())
        .spawn();
    let mut victim = victim.unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let line = lines
        .into_iter()
        .find_map(|line| Some(line.split_once("victim: ")?.1.to_owned()));
    let (dir, inner) = line
        .as_deref()
        .and_then(|line| line.split_once(' '))
        .unwrap();
    let inner = format!("/proc/{inner}");
    assert!(Path::new(dir).exists() && Path::new(&inner).exists());

    victim.kill().unwrap();
    victim.wait().unwrap();
    wait_for(LIMIT, "the host's processes to end", || {
        if Path::new(&inner).exists() {
            Err("still there")
        } else {
            Ok(())
        }
    })
    .unwrap();
    let name = Path::new(dir)
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    // Another test's sweep may have been quicker.
    contiv_testbed::sweep();
    assert!(!Path::new(dir).exists(), "{name} is left");
}

fn be_the_victim() {
    let host = Host::new("victim").unwrap();
    let mut sleep = Command::new("sleep");
    sleep.arg("1000");
    let daemon = host.spawn("sleep", sleep).unwrap();
    println!("\nvictim: {} {}", host.dir().display(), daemon.pid());
    wait_for(Duration::from_secs(60), "to be killed", || {
        Err::<(), _>("alive")
    })
    .unwrap();
}

#[test]
fn a_daemon_ends_by_request_or_by_force() {
    let host = Host::new("daemons").unwrap();
    let mut polite = Command::new("sh");
    polite.args([
        "-c",
        "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done",
    ]);
    let daemon = host.spawn("polite", polite).unwrap();
    wait_for(LIMIT, "the daemon's first line", || {
        if daemon.log().contains("up") {
            Ok(())
        } else {
            Err("nothing yet")
        }
    })
    .unwrap();
    assert!(daemon.terminate(LIMIT).unwrap().success());
    assert!(daemon.log().ends_with("bye\n"));
    let mut stubborn = Command::new("sh");
    stubborn.args(["-c", "trap '' TERM; while :; do sleep 0.05; done"]);
    let daemon = host.spawn("stubborn", stubborn).unwrap();
    daemon.kill9();
    assert!(daemon.exited().is_some());
}

#[test]
fn hosts_of_a_world_reach_it_and_each_other() {
    let world = World::new().unwrap();
    let (one, two) = (Host::new("one").unwrap(), Host::new("two").unwrap());
    let address = world.attach(&one).unwrap();
    world.attach(&two).unwrap();
    let from_two = two.netns().unwrap();
    assert!(from_two.ping(World::ADDRESS.into(), 2).unwrap().all());
    assert!(from_two.ping(address.into(), 2).unwrap().all());
}

#[test]
fn an_engine_runs_containers_and_survives_a_kill() {
    let host = Host::new("engine").unwrap();
    let mut engine = Engine::start(&host, EngineOptions::default()).unwrap();
    let one = engine.run("one", "bridge", &[]).unwrap();
    let two = engine
        .run("two", "bridge", &["--hostname", "second"])
        .unwrap();
    assert_eq!(
        engine.docker(&["exec", "two", "hostname"]).unwrap(),
        "second"
    );
    let target = SocketAddr::new(two.ip().unwrap(), 7000);
    let echo = two.netns().unwrap().tcp_echo(target).unwrap();
    let from_one = one.netns().unwrap();
    assert_eq!(
        from_one.tcp_connect(echo.address(), LIMIT).unwrap(),
        Reach::Open
    );
    assert!(
        from_one
            .ping(IpAddr::from([172, 21, 0, 1]), 1)
            .unwrap()
            .all()
    );
    drop(echo);

    engine.kill9();
    assert!(engine.docker(&["ps"]).is_err());
    engine.up().unwrap();
    let state = engine
        .api_ok("GET", "/containers/json?all=1", None)
        .unwrap();
    assert_eq!(state.as_array().unwrap().len(), 2);
    engine.docker(&["start", "one"]).unwrap();
    engine.restart().unwrap();
    let reply = engine.api("GET", "/containers/nosuch/json", None).unwrap();
    assert_eq!(reply.status, 404);

    let name = host.name().to_owned();
    drop((engine, host, one, two));
    let cgroups = std::fs::read_to_string("/proc/mounts").unwrap();
    for line in cgroups.lines().filter(|line| line.contains(" cgroup")) {
        let root = Path::new(line.split(' ').nth(1).unwrap());
        assert!(
            !root.join(&name).exists(),
            "control group left below {}",
            root.display()
        );
    }
}
