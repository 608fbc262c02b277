//! An agent that knows very many endpoints of other hosts: when it is ready, what it holds in
//! memory, and what a new agent does to a kernel that holds all of it.
//!
//! Master and agent are real, in a host of their own; the other hosts only register.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use contiv_client::{Client, Timeouts};
use contiv_model::agent::{EndpointRequest, PoolRef, Register};
use contiv_model::object::Network;
use contiv_testbed::{Daemon, Stack, bin, unix_request};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;

/// The driver's socket, inside the host.
const SOCKET: &str = "/run/docker/plugins/netplugin.sock";

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Calls at a time while things are set up.
const AT_ONCE: usize = 32;

/// Times an agent beside very many endpoints of other hosts
#[derive(Debug, Parser)]
#[command(name = "contiv-bench-remotes")]
struct Cli {
    #[arg(long, default_value_t = 10_000)]
    endpoints: usize,
    /// The hosts that they are on
    #[arg(long, default_value_t = 100)]
    hosts: usize,
    /// How often the agent starts on a kernel that holds all of it
    #[arg(long, default_value_t = 5)]
    starts: usize,
    /// Count the writes to maps of one start with strace, which is not timed
    #[arg(long)]
    writes: bool,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let mut stack = Stack::start("remotes")?;
    let furnished = stack.host.netns()?.enter(|| {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let mut runtime = runtime;
        runtime.enable_all().build()?.block_on(furnish(&cli))
    });
    furnished??;
    let wanted = stack.metric(false, "contiv_netmaster_revision")?;
    stack.kill_agent();
    let program = bin("netplugin")?;
    stack.host.run(&[program.as_os_str(), "cleanup".as_ref()])?;
    let agent = start(&stack, "nothing in the kernel", wanted, None)?;
    settle();
    println!("resident: {:.1} MiB", mib(&agent)?);
    agent.kill9();
    for _ in 0..cli.starts {
        let agent = start(&stack, "everything in the kernel", wanted, None)?;
        settle();
        println!("resident: {:.1} MiB", mib(&agent)?);
        agent.kill9();
    }
    if cli.writes {
        let trace = stack.host.dir().join("bpf.trace");
        // It ends with the host: strace keeps a wish to end from the agent.
        start(&stack, "everything, traced", wanted, Some(&trace))?;
        let text = std::fs::read_to_string(&trace)?;
        let count = |word: &str| text.lines().filter(|line| line.contains(word)).count();
        for word in [
            "BPF_MAP_UPDATE_ELEM",
            "BPF_MAP_UPDATE_BATCH",
            "BPF_MAP_DELETE",
            "BPF_PROG_LOAD",
        ] {
            println!("{word}: {}", count(word));
        }
    }
    Ok(())
}

/// Starts an agent and says when it answers the engine, and when the kernel holds all of it.
fn start(
    stack: &Stack,
    what: &str,
    wanted: f64,
    trace: Option<&std::path::Path>,
) -> Result<Daemon> {
    let program = bin("netplugin")?;
    let mut command = match trace {
        None => Command::new(&program),
        Some(file) => {
            let mut command = Command::new("strace");
            command
                .args(["-f", "-e", "trace=bpf", "-o"])
                .arg(file)
                .arg(&program);
            command
        }
    };
    command.args(["--netmaster", "http://127.0.0.1:9999"]);
    let begin = Instant::now();
    let agent = stack.host.spawn("netplugin-timed", command)?;
    let mut ready = None;
    loop {
        if let Some(status) = agent.exited() {
            bail!("netplugin ended ({status}):\n{}", agent.log_tail(10));
        }
        if ready.is_none() && answers(stack) {
            ready = Some(begin.elapsed());
        }
        let applied = stack.metric(true, "contiv_netplugin_applied_revision");
        if let (Some(ready), Ok(applied)) = (ready, applied)
            && applied >= wanted
        {
            println!(
                "{what}: ready after {ready:.0?}, all in the kernel after {:.0?}",
                begin.elapsed()
            );
            return Ok(agent);
        }
        if begin.elapsed() > LIMIT {
            bail!("not ready after {LIMIT:?}:\n{}", agent.log_tail(10));
        }
        pause(Duration::from_millis(2));
    }
}

fn answers(stack: &Stack) -> bool {
    let socket = stack.host.path(SOCKET);
    let limit = Duration::from_secs(2);
    let activate = unix_request(&socket, "POST", "/Plugin.Activate", None, limit);
    activate.is_ok_and(|reply| reply.status == 200)
}

fn mib(agent: &Daemon) -> Result<f64> {
    let kib = agent.resident_kib().context("memory of the agent")?;
    Ok(kib as f64 / 1024.0)
}

/// What an agent does soon after its start is part of what it holds.
fn settle() {
    pause(Duration::from_secs(3));
}

#[allow(
    clippy::disallowed_methods,
    reason = "a pause between looks that is short enough to time with"
)]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

async fn furnish(cli: &Cli) -> Result<()> {
    let client = Client::new("http://127.0.0.1:9999", Timeouts::default())?;
    let network = Network {
        tenant_name: "default".into(),
        network_name: "many".into(),
        encap: "vxlan".into(),
        subnet: "10.64.0.0/14".into(),
        ..Network::default()
    };
    client.put(&network).await?;
    for n in 0..cli.hosts {
        let [.., a, b] = u32::try_from(n)?.to_be_bytes();
        let register: Register = serde_json::from_value(json!({
            "streamVersion": 1, "agentVersion": "simulated", "bootId": "boot", "taken": [],
            "tunnel": format!("198.18.{a}.{b}"), "mtu": 1500,
        }))?;
        client
            .host(&format!("other-{n}"))?
            .register(&register)
            .await?;
    }
    let client = &client;
    let made = stream::iter(0..cli.endpoints).map(|e| async move {
        let pool = PoolRef {
            tenant: "default".into(),
            network: "many".into(),
            group: None,
        };
        let request: EndpointRequest = serde_json::from_value(json!({
            "pool": pool, "ipv4": null, "ipv6": null, "mac": null,
        }))?;
        let host = client.host(&format!("other-{}", e % cli.hosts))?;
        host.put_endpoint(&format!("{e:064x}"), &request).await?;
        Ok::<_, anyhow::Error>(())
    });
    made.buffer_unordered(AT_ONCE).try_collect().await
}
