//! One netmaster and very many hosts, simulated in this process: how long a change takes to
//! reach those that it concerns, and what the master spends on it.
//!
//! Every host speaks the real protocol over a connection of its own: it registers, reads its
//! stream, and reports what it has applied. Only its kernel is missing.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use contiv_client::{Client, HostClient, Timeouts};
use contiv_model::agent::{
    EndpointRequest, EndpointStatus, HostObject, HostStatus, PoolRef, Register, Revision,
    STREAM_VERSION, StreamMessage,
};
use contiv_model::object::{Network, Policy, Rule, Tenant};
use futures_util::{StreamExt, TryStreamExt, stream};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{SysconfVar, sysconf};
use tokio::sync::{Semaphore, mpsc};

/// How long a change may take before the run is given up.
const LIMIT: Duration = Duration::from_secs(60);

/// Calls at a time while things are set up.
const AT_ONCE: usize = 64;

/// Simulates hosts of one netmaster and times how changes reach them
#[derive(Debug, Parser)]
#[command(name = "contiv-bench-hosts")]
struct Cli {
    #[arg(long, default_value_t = 1_000)]
    hosts: usize,
    #[arg(long, default_value_t = 50_000)]
    endpoints: usize,
    /// Each host has endpoints of one of them
    #[arg(long, default_value_t = 50)]
    tenants: usize,
    /// How often each change is made
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// The netmaster to run
    #[arg(long, default_value = "target/release/netmaster", value_name = "FILE")]
    netmaster: PathBuf,
}

/// What a simulated host saw.
struct Sighting {
    /// The name of an object that was put.
    key: String,
    at: Instant,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(&cli))
}

async fn run(cli: &Cli) -> Result<()> {
    let master = Master::start(&cli.netmaster)?;
    let client = Client::new(&master.address, Timeouts::default())?;
    let empty = master.spent()?;
    let begin = Instant::now();
    furnish(cli, &client).await?;
    println!(
        "{} endpoints made in {:.1?}",
        cli.endpoints,
        begin.elapsed()
    );
    let stored = master.spent()?;

    let (saw, mut sightings) = mpsc::unbounded_channel();
    let (ready, mut readies) = mpsc::unbounded_channel();
    let begin = Instant::now();
    // A host that starts has this process parse its snapshot: not all of them at once.
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    for n in 0..cli.hosts {
        let host = client.host(&name(n))?;
        let endpoints = cli.endpoints / cli.hosts;
        let (saw, ready, gate) = (saw.clone(), ready.clone(), Arc::clone(&gate));
        tokio::spawn(async move {
            if let Err(error) = live(&host, n, endpoints, &saw, &ready, &gate).await {
                eprintln!("host {n}: {error:#}");
            }
        });
    }
    for _ in 0..cli.hosts {
        readies.recv().await.context("a host came to its end")?;
    }
    let connected = master.spent()?;
    println!("{} hosts up to date in {:.1?}", cli.hosts, begin.elapsed());
    println!(
        "memory: {} KiB empty, {} bytes per endpoint, {} bytes per host",
        empty.memory >> 10,
        stored.memory.saturating_sub(empty.memory) / cli.endpoints as u64,
        connected.memory.saturating_sub(stored.memory) / cli.hosts as u64,
    );

    let mut policy = Vec::new();
    let before = master.spent()?;
    for round in 0..cli.rounds {
        let rule = Rule {
            tenant_name: "default".into(),
            policy_name: "all".into(),
            rule_id: format!("r{round}"),
            direction: "in".into(),
            action: "deny".into(),
            protocol: "tcp".into(),
            port: 1_000 + u32::try_from(round)?,
            ..Rule::default()
        };
        let begin = Instant::now();
        client.put(&rule).await?;
        let key = format!("default:all:{}", rule.rule_id);
        policy.extend(reach(&mut sightings, &key, cli.hosts, begin).await?);
    }
    master.tell(
        "a rule of tenant default to every host",
        policy,
        cli.rounds,
        &before,
    )?;

    let mut endpoint = Vec::new();
    let before = master.spent()?;
    for round in 0..cli.rounds {
        let n = round % cli.hosts;
        let concerned = (0..cli.hosts).filter(|h| h % cli.tenants == n % cli.tenants);
        let id = format!("late-{round}");
        let begin = Instant::now();
        let host = client.host(&name(n))?;
        host.put_endpoint(&id, &wish(n % cli.tenants)).await?;
        endpoint.extend(reach(&mut sightings, &id, concerned.count(), begin).await?);
    }
    master.tell(
        "an endpoint to the hosts of its tenant",
        endpoint,
        cli.rounds,
        &before,
    )
}

/// The times until `count` hosts have seen `key`.
async fn reach(
    sightings: &mut mpsc::UnboundedReceiver<Sighting>,
    key: &str,
    count: usize,
    begin: Instant,
) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    let all = async {
        while times.len() < count {
            let seen = sightings.recv().await.context("no host is left")?;
            if seen.key == key {
                times.push(seen.at.duration_since(begin));
            }
        }
        Ok::<_, anyhow::Error>(())
    };
    let done = tokio::time::timeout(LIMIT, all).await;
    done.with_context(|| format!("{key} did not reach all"))??;
    Ok(times)
}

/// The life of one host.
async fn live(
    host: &HostClient,
    n: usize,
    endpoints: usize,
    saw: &mpsc::UnboundedSender<Sighting>,
    ready: &mpsc::UnboundedSender<()>,
    gate: &Semaphore,
) -> Result<()> {
    let permit = gate.acquire().await?;
    host.register(&register(n)).await?;
    let mut stream = host.stream(None).await?;
    let mut status = HostStatus::default();
    for e in 0..endpoints {
        let known = EndpointStatus {
            container_id: format!("{e:064}"),
            container_name: format!("/container-{e}"),
            interface: format!("cv{e:012}"),
            ..EndpointStatus::default()
        };
        status.endpoints.insert(format!("{n}-{e}"), known);
    }
    let mut permit = Some(permit);
    while let Some(message) = stream.next().await {
        let at = Instant::now();
        let (revision, put) = match message? {
            StreamMessage::Snapshot { revision, .. } => (revision, Vec::new()),
            StreamMessage::Change { revision, put, .. } => (revision, put),
            StreamMessage::Bookmark { revision } => (revision, Vec::new()),
        };
        for object in put {
            let key = match object {
                HostObject::Rule(rule) => format!("{}:{}:{}", rule.tenant, rule.policy, rule.id),
                HostObject::Endpoint(endpoint) => endpoint.id,
                _ => continue,
            };
            saw.send(Sighting { key, at })?;
        }
        if revision != Revision::default() {
            status.applied = revision;
            host.report(&status).await?;
        }
        if let Some(permit) = permit.take() {
            drop(permit);
            ready.send(())?;
        }
    }
    Ok(())
}

async fn furnish(cli: &Cli, client: &Client) -> Result<()> {
    client.put(&policy("default", "all")).await?;
    for t in 0..cli.tenants {
        let tenant = Tenant {
            tenant_name: format!("t{t}"),
            ..Tenant::default()
        };
        client.put(&tenant).await?;
        let network = Network {
            tenant_name: tenant.tenant_name,
            network_name: "n".into(),
            encap: "vxlan".into(),
            subnet: "10.0.0.0/14".into(),
            ..Network::default()
        };
        client.put(&network).await?;
    }
    let hosts = stream::iter(0..cli.hosts).map(|n| async move {
        let host = client.host(&name(n))?;
        host.register(&register(n)).await?;
        Ok::<_, anyhow::Error>(())
    });
    hosts.buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    let made = stream::iter(0..cli.endpoints).map(|e| async move {
        let n = e % cli.hosts;
        let id = format!("{n}-{}", e / cli.hosts);
        let host = client.host(&name(n))?;
        host.put_endpoint(&id, &wish(n % cli.tenants)).await?;
        Ok::<_, anyhow::Error>(())
    });
    made.buffer_unordered(AT_ONCE).try_collect().await
}

fn policy(tenant: &str, name: &str) -> Policy {
    Policy {
        tenant_name: tenant.into(),
        policy_name: name.into(),
        ..Policy::default()
    }
}

fn name(n: usize) -> String {
    format!("host-{n:04}")
}

fn register(n: usize) -> Register {
    let [.., a, b] = u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
    Register {
        stream_version: STREAM_VERSION,
        agent_version: "simulated".into(),
        boot_id: "boot".into(),
        taken: Vec::new(),
        tunnel: Some([198, 18, a, b].into()),
        mtu: Some(1500),
        control: None,
        vxlan_port: None,
    }
}

fn wish(tenant: usize) -> EndpointRequest {
    EndpointRequest {
        pool: PoolRef {
            tenant: format!("t{tenant}"),
            network: "n".into(),
            group: None,
        },
        ipv4: None,
        ipv6: None,
        mac: None,
        replaces: None,
    }
}

/// A netmaster of this run's own; killed at its end.
struct Master {
    child: Child,
    address: String,
    _data: tempfile::TempDir,
}

/// What a process has used.
struct Spent {
    /// Resident, in bytes.
    memory: u64,
    processor: Duration,
    written: u64,
    at: Instant,
}

impl Master {
    fn start(program: &PathBuf) -> Result<Master> {
        let data = tempfile::tempdir()?;
        let mut child = Command::new(program)
            .arg("--data-dir")
            .arg(data.path())
            .args(["--listen-url", "127.0.0.1:0", "--log-level", "info"])
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("run {}", program.display()))?;
        let mut log = BufReader::new(child.stderr.take().context("a pipe")?);
        let address = loop {
            let mut line = String::new();
            anyhow::ensure!(log.read_line(&mut line)? > 0, "netmaster did not get ready");
            if let Some((_, rest)) = line.split_once("is ready address=") {
                break rest.split(' ').next().unwrap_or_default().to_owned();
            }
        };
        // A full pipe would stop it.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Ok(Master {
            child,
            address,
            _data: data,
        })
    }

    fn spent(&self) -> Result<Spent> {
        let of = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id()));
        let number = |text: &str, field: &str| -> Option<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(field))?;
            line.split_whitespace().next()?.parse().ok()
        };
        let (status, io, stat) = (of("status")?, of("io")?, of("stat")?);
        let fields = stat.rsplit_once(") ").context("stat")?.1;
        let ticks: u64 = fields
            .split(' ')
            .skip(11)
            .take(2)
            .filter_map(|t| t.parse::<u64>().ok())
            .sum();
        let per_second = sysconf(SysconfVar::CLK_TCK)?.context("ticks of the clock")?;
        Ok(Spent {
            memory: number(&status, "VmRSS:").context("VmRSS")? << 10,
            processor: Duration::from_millis(ticks * 1_000 / u64::try_from(per_second)?),
            written: number(&io, "wchar:").context("wchar")?,
            at: Instant::now(),
        })
    }

    fn tell(
        &self,
        what: &str,
        mut times: Vec<Duration>,
        rounds: usize,
        before: &Spent,
    ) -> Result<()> {
        let now = self.spent()?;
        times.sort();
        let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
        let took = now.at.duration_since(before.at);
        let rounds = rounds.max(1);
        println!(
            "{what}: median {:.1?}, 99 % {:.1?}, last {:.1?}; each {:.1?} of processor, {} bytes \
             written, in {:.1?}",
            at(50),
            at(99),
            at(100),
            (now.processor - before.processor) / u32::try_from(rounds)?,
            (now.written - before.written) / u64::try_from(rounds)?,
            took / u32::try_from(rounds)?,
        );
        Ok(())
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
