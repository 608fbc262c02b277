//! The tutorial on a host of its own, and what is left of it afterwards: nothing.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::process::Command;
use std::time::Duration;

use contiv_testbed::{Host, World, bin, wait_for};

/// Time for the tour on two busy cores, engine start included.
const PATIENCE: Duration = Duration::from_secs(300);

#[test]
fn the_tutorial_holds_and_leaves_nothing() {
    bin("netplugin").expect("the tour takes the programs as they are");
    let world = World::new().unwrap();
    let host = Host::new("tour").unwrap();
    world.attach(&host).unwrap();
    // Listing a table of iptables makes it, so both looks have to be the second ones.
    look(&host);
    let before = look(&host);

    xtask(&host, "demo", &["--debug", "--no-setup", "--no-build"]);
    assert_ne!(
        look(&host),
        before,
        "up changed nothing: this test sees nothing"
    );
    xtask(&host, "down", &[]);
    // An engine's helpers end a moment after it.
    wait_for(Duration::from_secs(10), "the host to be as before", || {
        let differences = differences(&before, &look(&host));
        anyhow::ensure!(differences.is_empty(), "{}", differences.join("\n"));
        Ok(())
    })
    .unwrap();
}

/// Lines that only one of two looks has.
fn differences(before: &str, after: &str) -> Vec<String> {
    let only = |these: &str, those: &str, mark: &str| -> Vec<String> {
        let strange = these
            .lines()
            .filter(|line| !those.lines().any(|other| other == *line));
        strange.map(|line| format!("{mark} {line}")).collect()
    };
    [only(before, after, "gone:"), only(after, before, "left:")].concat()
}

/// Runs a task in the host; a failure shows all that it said.
fn xtask(host: &Host, task: &str, args: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg(task).args(args);
    let run = host.spawn(task, command).unwrap();
    let status = wait_for(PATIENCE, task, || {
        run.exited().ok_or_else(|| run.log_tail(3))
    });
    assert!(
        status.as_ref().is_ok_and(std::process::ExitStatus::success),
        "{status:?}\n{}",
        run.log()
    );
}

/// Everything that Contiv or an engine changes on a host.
fn look(host: &Host) -> String {
    let line = "iptables -S; iptables -t nat -S; nft list tables | grep -v '^table ip6\\? '; \
        ip -br link | cut -d' ' -f1; ip route; ip rule; find /run /sys/fs/bpf; ls /var/lib/contiv; \
        ls -d /sys/fs/cgroup/*/contiv-up; cat /proc/sys/net/ipv4/ip_forward; ps -eo comm \
        | grep -E 'docker|containerd|netmaster|netplugin'; true";
    let look = host.run(&["sh", "-c", line]).unwrap();
    // `up` leaves no file, but the empty directory of the data belongs to the host of the test.
    look.lines().map(|line| format!("{line}\n")).collect()
}
