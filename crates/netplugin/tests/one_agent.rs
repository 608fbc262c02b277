//! A host has one agent: another one is turned away before it has taken anything from the first.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, Output};
use std::time::Duration;

use contiv_testbed::{Daemon, Host, wait_for};

const SOCKETS: [&str; 2] = [
    "/run/docker/plugins/netplugin.sock",
    "/run/contiv/plugin.sock",
];
const SOON: Duration = Duration::from_secs(20);

fn netplugin(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netplugin"));
    command.args(arguments);
    command
}

/// Starts an agent and waits until it answers the engine.
fn start(host: &Host) -> Daemon {
    let agent = host.spawn("netplugin", netplugin(&[])).unwrap();
    until_it_answers(host, &agent);
    agent
}

fn until_it_answers(host: &Host, agent: &Daemon) {
    let ready = || match (agent.exited(), agent.log().contains("netplugin is ready")) {
        (None, true) => Ok(()),
        (ended, _) => Err(format!("{ended:?}: {}", agent.log_tail(5))),
    };
    wait_for(SOON, "netplugin to be ready", ready).unwrap();
    answers(host);
}

/// Both sockets lead to a living agent.
fn answers(host: &Host) {
    for socket in SOCKETS {
        let mut stream = UnixStream::connect(host.path(socket)).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let call = "POST /Plugin.Activate HTTP/1.1\r\nHost: plugin\r\nContent-Length: 0\r\n\
                    Connection: close\r\n\r\n";
        stream.write_all(call.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("NetworkDriver"), "{socket}: {answer}");
    }
}

fn refusal(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

#[test]
fn a_second_agent_is_refused_and_the_first_goes_on() {
    let host = Host::new("alone").unwrap();
    let first = start(&host);
    // As somebody would who reads how hosts join; and its metrics would be in nobody's way.
    let joining = netplugin(&[
        "--netmaster=https://192.0.2.1:9998",
        "--join-token=contiv-join.of.no.use",
        "--metrics-url=127.0.0.1:0",
    ]);
    for second in [joining, netplugin(&["cleanup"])] {
        let said = refusal(&host.output_of(second).unwrap());
        assert!(said.contains("another netplugin, pid "), "{said}");
        assert!(said.contains("systemctl restart netplugin"), "{said}");
        assert_eq!(first.exited(), None, "{}", first.log_tail(5));
        answers(&host);
        assert!(host.path("/sys/fs/bpf/contiv").exists());
    }
}

#[test]
fn the_next_agent_starts_while_the_last_one_ends_and_after_one_that_was_killed() {
    let host = Host::new("next").unwrap();
    let first = start(&host);
    let second = host.spawn("netplugin", netplugin(&[])).unwrap();
    wait_for(SOON, "the second to wait", || {
        let waits = second.log().contains("waits for another netplugin");
        waits.then_some(()).ok_or_else(|| second.log())
    })
    .unwrap();
    assert!(first.terminate(SOON).unwrap().success());
    until_it_answers(&host, &second);

    second.kill9();
    let _third = start(&host);
}

#[test]
fn an_agent_whose_metrics_have_no_port_takes_nothing() {
    let host = Host::new("port").unwrap();
    let _first = start(&host);
    // Alone by its lock, as beside an agent of a version that takes none.
    let second = netplugin(&["--swarm-socket=/run/elsewhere/plugin.sock"]);
    let said = refusal(&host.output_of(second).unwrap());
    assert!(said.contains("--metrics-url: cannot listen"), "{said}");
    assert!(!host.path("/run/elsewhere/plugin.sock").exists());
    answers(&host);
}
