//! netplugin beside very many endpoints of other hosts: when it is ready, what it holds in memory,
//! and what a new one does to a kernel that holds all of it already.
//!
//! Master and agent are real, in a host of their own; the other hosts only register.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use contiv_client::{Client, Timeouts};
use contiv_model::agent::{EndpointRequest, PoolRef, Register};
use contiv_model::object::Network;
use contiv_testbed::{Daemon, Stack, bin};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use crate::agent::{answers, resident_mib};
use crate::plan::Plan;
use crate::progress::say;
use crate::section::{Line, Section};
use crate::site::pause;
use crate::suite::Bar;

const ENDPOINTS: usize = 10_000;

/// The hosts that they are on.
const HOSTS: usize = 100;

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Calls at a time while things are set up.
const AT_ONCE: usize = 32;

/// What an agent does soon after its start is part of what it holds.
const SETTLE: Duration = Duration::from_secs(3);

/// Calls of `bpf` that change what packets meet.
const WRITES: [&str; 4] = [
    "BPF_MAP_UPDATE_ELEM",
    "BPF_MAP_UPDATE_BATCH",
    "BPF_MAP_DELETE",
    "BPF_PROG_LOAD",
];

/// What one start came to: milliseconds, and mebibytes a while later.
struct Start {
    ready: f64,
    complete: f64,
    resident: f64,
}

pub(crate) fn run(plan: &Plan) -> Result<Section> {
    let mut section = Section::new(
        "netplugin beside 10,000 endpoints of other hosts",
        "On 100 hosts, all in one network that an endpoint of this host is in as well. Ready is the \
         first answer to the engine; complete is when the kernel holds all of it and the master's \
         last revision is reported. Memory is read three seconds later.",
    );
    let mut stack = Stack::start("remotes")?;
    say("make the endpoints");
    let furnished = stack.host.netns()?.enter(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(furnish())
    });
    furnished??;
    let wanted = stack.metric(false, "contiv_netmaster_revision")?;
    stack.kill_agent();
    let mut starts = [Vec::new(), Vec::new()];
    for _ in 0..plan.rounds.min(5) {
        let program = bin("netplugin")?;
        stack.host.run(&[program.as_os_str(), "cleanup".as_ref()])?;
        for starts in &mut starts {
            let (agent, mut start) = begin(&stack, wanted, None)?;
            pause(SETTLE);
            start.resident = resident_mib(&agent)?;
            agent.kill9();
            starts.push(start);
        }
    }
    tables(&mut section, &starts);
    say("count what a restart writes");
    let trace = stack.host.dir().join("bpf.trace");
    // It ends with the host: strace keeps a wish to end from the agent.
    begin(&stack, wanted, Some(&trace))?;
    writes(&mut section, &std::fs::read_to_string(&trace)?);
    Ok(section)
}

fn tables(section: &mut Section, starts: &[Vec<Start>; 2]) {
    let lines = |of: fn(&Start) -> f64, bar: Option<f64>, what: &str| -> Vec<Line> {
        let names = ["nothing in the kernel", "everything in the kernel"];
        let line = |(name, starts): (&str, &Vec<Start>)| {
            let mut line = Line::new(format!("{name}{what}"), bar.map(Bar::AtMost));
            starts.iter().for_each(|start| line.figures.push(of(start)));
            line
        };
        names.into_iter().zip(starts).map(line).collect()
    };
    section.list(
        "resident",
        "MiB",
        &lines(|start| start.resident, Some(60.0), ""),
    );
    let ready = lines(|start| start.ready, Some(1_000.0), ": ready");
    let complete = lines(|start| start.complete, None, ": complete");
    section.list("from the start", "ms", &[ready, complete].concat());
}

/// Counts calls in a trace of an agent that found everything as it should be.
fn writes(section: &mut Section, trace: &str) {
    let count = |word: &str| trace.lines().filter(|line| line.contains(word)).count();
    section.body.push_str(
        "Calls of `bpf` by an agent that found everything in the kernel, counted by strace, until it \
         was complete:\n\n| call | count |\n| --- | --: |\n",
    );
    for word in WRITES {
        section
            .body
            .push_str(&format!("| `{word}` | {} |\n", count(word)));
        section.raw["writes"][word] = count(word).into();
    }
    section.body.push('\n');
}

/// Starts an agent and waits until the kernel holds all of it.
fn begin(stack: &Stack, wanted: f64, trace: Option<&Path>) -> Result<(Daemon, Start)> {
    let program = bin("netplugin")?;
    let mut command = match trace {
        None => Command::new(&program),
        Some(file) => {
            let mut command = Command::new("strace");
            command.args(["-f", "-e", "trace=bpf", "-o"]);
            command.arg(file).arg(&program);
            command
        }
    };
    command.args(["--netmaster", "http://127.0.0.1:9999"]);
    let begin = Instant::now();
    let milliseconds = || begin.elapsed().as_secs_f64() * 1e3;
    let agent = stack.host.spawn("netplugin-timed", command)?;
    let mut ready = None;
    loop {
        if let Some(status) = agent.exited() {
            bail!("netplugin ended ({status}):\n{}", agent.log_tail(10));
        }
        if ready.is_none() && answers(stack) {
            ready = Some(milliseconds());
        }
        let applied = stack.metric(true, "contiv_netplugin_applied_revision");
        if let (Some(ready), Ok(applied)) = (ready, applied)
            && applied >= wanted
        {
            let (complete, resident) = (milliseconds(), 0.0);
            let start = Start {
                ready,
                complete,
                resident,
            };
            return Ok((agent, start));
        }
        if begin.elapsed() > LIMIT {
            bail!("not ready after {LIMIT:?}:\n{}", agent.log_tail(10));
        }
        pause(Duration::from_millis(2));
    }
}

async fn furnish() -> Result<()> {
    let client = Client::new("http://127.0.0.1:9999", Timeouts::default())?;
    let network = Network {
        tenant_name: "default".into(),
        network_name: "many".into(),
        encap: "vxlan".into(),
        subnet: "10.64.0.0/14".into(),
        ..Network::default()
    };
    client.put(&network).await?;
    for n in 0..HOSTS {
        let [.., a, b] = u32::try_from(n)?.to_be_bytes();
        let register: Register = serde_json::from_value(json!({
            "streamVersion": 1, "agentVersion": "simulated", "bootId": "boot", "taken": [],
            "tunnel": format!("198.18.{a}.{b}"), "mtu": 1500,
        }))?;
        let host = client.host(&format!("other-{n}"))?;
        host.register(&register).await?;
    }
    let client = &client;
    let made = stream::iter(0..ENDPOINTS).map(|e| async move {
        let pool = PoolRef {
            tenant: "default".into(),
            network: "many".into(),
            group: None,
        };
        let request: EndpointRequest = serde_json::from_value(json!({
            "pool": pool, "ipv4": null, "ipv6": null, "mac": null,
        }))?;
        let host = client.host(&format!("other-{}", e % HOSTS))?;
        host.put_endpoint(&format!("{e:064x}"), &request).await?;
        Ok::<_, anyhow::Error>(())
    });
    let all: Result<Vec<()>> = made.buffer_unordered(AT_ONCE).try_collect().await;
    all.map(drop).context("endpoints of other hosts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_their_names() {
        let trace = "\
12 bpf(BPF_MAP_LOOKUP_ELEM, {map_fd=3}, 40) = 0\n\
12 bpf(BPF_MAP_UPDATE_ELEM, {map_fd=3}, 40) = 0\n\
13 bpf(BPF_MAP_DELETE_ELEM, {map_fd=3}, 40) = 0\n";
        let mut section = Section::new("Title", "Words.");
        writes(&mut section, trace);
        let text = section.text();
        assert!(text.contains("| `BPF_MAP_UPDATE_ELEM` | 1 |"), "{text}");
        assert!(text.contains("| `BPF_MAP_DELETE` | 1 |"), "{text}");
        assert!(text.contains("| `BPF_PROG_LOAD` | 0 |"), "{text}");
    }
}
