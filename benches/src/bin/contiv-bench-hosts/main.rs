//! One netmaster and very many hosts, simulated in this process: how long a change takes to
//! reach those that it concerns, and what the master spends on it.
//!
//! Every host speaks the real protocol over a connection of its own: it registers, reads its
//! stream, and reports what it has applied. Only its kernel is missing.

mod master;
mod report;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use contiv_client::{Client, HostClient, Timeouts};
use contiv_model::agent::{
    EndpointRequest, EndpointStatus, HostObject, HostStatus, PoolRef, Progress, Register, Revision,
    STREAM_VERSION, StreamMessage,
};
use contiv_model::object::{Network, Policy, Rule, Tenant};
use futures_util::{StreamExt, TryStreamExt, stream};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::{Semaphore, mpsc, watch};

use master::Master;
use report::report;

/// How long a change may take before the run is given up.
const LIMIT: Duration = Duration::from_secs(60);

/// For how long nothing happens while the master's idling is measured.
const QUIET: Duration = Duration::from_secs(10);

/// As the agent reports.
const REPORT: Duration = Duration::from_secs(5);
const PROGRESS: Duration = Duration::from_secs(1);

/// Calls at a time while things are set up.
const AT_ONCE: usize = 64;

/// Simulates hosts of one netmaster and times how changes reach them
#[derive(Debug, Parser)]
#[command(name = "contiv-bench-hosts")]
struct Cli {
    /// How many hosts; of several numbers each in turn, with a netmaster of its own
    #[arg(long, default_value = "10,100,1000", value_delimiter = ',')]
    hosts: Vec<usize>,
    /// Endpoints of each host
    #[arg(long, default_value_t = 50)]
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
    /// Where the report goes
    #[arg(long, default_value = "benches/HOSTS.md", value_name = "FILE")]
    report: PathBuf,
}

/// How long a change may take to reach 99 of 100 hosts that it concerns.
const BARS: [Duration; 2] = [Duration::from_secs(1), Duration::from_millis(200)];

/// What one number of hosts came to.
struct Readings {
    hosts: usize,
    endpoints: usize,
    /// Resident bytes of the empty master, and for each endpoint and host.
    memory: [u64; 3],
    /// A rule to every host, and an endpoint to the hosts of its tenant.
    changes: [Change; 2],
    /// Share of one processor that the master takes while nothing happens.
    idle: f64,
}

/// How a change went that was made again and again.
struct Change {
    median: Duration,
    most: Duration,
    last: Duration,
    /// Of one change.
    processor: Duration,
    written: u64,
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
    runtime.block_on(async {
        let mut all = Vec::new();
        for hosts in &cli.hosts {
            all.push(run(&cli, *hosts).await?);
        }
        let text = report(&cli, &all)?;
        std::fs::write(&cli.report, &text)?;
        println!("{text}\nreport: {}", cli.report.display());
        Ok(())
    })
}

async fn run(cli: &Cli, count: usize) -> Result<Readings> {
    let total = cli.endpoints * count;
    let master = Master::start(&cli.netmaster)?;
    let client = Client::new(&master.address, Timeouts::default())?;
    let empty = master.spent()?;
    let begin = Instant::now();
    furnish(cli, count, &client).await?;
    println!("{total} endpoints made in {:.1?}", begin.elapsed());
    let stored = master.spent()?;

    let (saw, mut sightings) = mpsc::unbounded_channel();
    let (ready, mut readies) = mpsc::unbounded_channel();
    let begin = Instant::now();
    // A host that starts has this process parse its snapshot: not all of them at once.
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    for n in 0..count {
        let host = client.host(&name(n))?;
        let endpoints = cli.endpoints;
        let (saw, ready, gate) = (saw.clone(), ready.clone(), Arc::clone(&gate));
        tokio::spawn(async move {
            if let Err(error) = live(&host, n, endpoints, &saw, &ready, &gate).await {
                eprintln!("host {n}: {error:#}");
            }
        });
    }
    for _ in 0..count {
        readies.recv().await.context("a host came to its end")?;
    }
    let connected = master.spent()?;
    println!("{count} hosts up to date in {:.1?}", begin.elapsed());
    let memory = [
        empty.memory,
        stored.memory.saturating_sub(empty.memory) / total as u64,
        connected.memory.saturating_sub(stored.memory) / count as u64,
    ];
    let before = master.spent()?;
    tokio::time::sleep(QUIET).await;
    let after = master.spent()?;
    let idle = (after.processor - before.processor).as_secs_f64() / QUIET.as_secs_f64();

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
        policy.extend(reach(&mut sightings, &key, count, begin).await?);
    }
    let rule = master.tell("a rule to every host", policy, cli.rounds, &before)?;

    let mut endpoint = Vec::new();
    let before = master.spent()?;
    for round in 0..cli.rounds {
        let n = round % count;
        let concerned = (0..count).filter(|h| h % cli.tenants == n % cli.tenants);
        let id = format!("late-{round}");
        let begin = Instant::now();
        let host = client.host(&name(n))?;
        host.put_endpoint(&id, &wish(n % cli.tenants)).await?;
        endpoint.extend(reach(&mut sightings, &id, concerned.count(), begin).await?);
    }
    let what = "an endpoint to the hosts of its tenant";
    Ok(Readings {
        hosts: count,
        endpoints: total,
        memory,
        changes: [rule, master.tell(what, endpoint, cli.rounds, &before)?],
        idle,
    })
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
    let (applied, progress) = watch::channel(None);
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
    tokio::spawn(report_to(host.clone(), status, progress));
    let mut permit = Some(permit);
    while let Some(message) = stream.next().await {
        let at = Instant::now();
        let (revision, put, work) = match message? {
            StreamMessage::Snapshot { revision, .. } => (revision, Vec::new(), true),
            StreamMessage::Change { revision, put, .. } => (revision, put, true),
            StreamMessage::Bookmark { revision } => (revision, Vec::new(), false),
            StreamMessage::Unknown => continue,
        };
        for object in put {
            let key = match object {
                HostObject::Rule(rule) => format!("{}:{}:{}", rule.tenant, rule.policy, rule.id),
                HostObject::Endpoint(endpoint) => endpoint.id,
                _ => continue,
            };
            saw.send(Sighting { key, at })?;
        }
        applied.send_replace(Some((revision, work)));
        if let Some(permit) = permit.take() {
            drop(permit);
            ready.send(())?;
        }
    }
    Ok(())
}

/// Reports as the agent does: at once when there was something to do, once a second when there
/// was not, every five seconds anyway, and only progress as long as nothing else is new.
async fn report_to(
    host: HostClient,
    mut status: HostStatus,
    mut applied: watch::Receiver<Option<(Revision, bool)>>,
) -> Result<()> {
    let mut first = true;
    let mut last = Instant::now();
    loop {
        let changed = tokio::time::timeout(REPORT, applied.changed()).await;
        if changed.is_ok_and(|changed| changed.is_err()) {
            return Ok(());
        }
        let Some((revision, work)) = *applied.borrow_and_update() else {
            continue;
        };
        let early = PROGRESS.saturating_sub(last.elapsed());
        if !work && !early.is_zero() {
            let more = applied.wait_for(|now| now.is_some_and(|(_, work)| work));
            let _ = tokio::time::timeout(early, more).await;
        }
        let now = *applied.borrow_and_update();
        let revision = now.map_or(revision, |(revision, _)| revision);
        last = Instant::now();
        status.applied = revision;
        match std::mem::take(&mut first) {
            true => host.report(&status).await?,
            false => {
                host.report_progress(&Progress { applied: revision })
                    .await?
            }
        };
    }
}

async fn furnish(cli: &Cli, count: usize, client: &Client) -> Result<()> {
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
    let hosts = stream::iter(0..count).map(|n| async move {
        let host = client.host(&name(n))?;
        host.register(&register(n)).await?;
        Ok::<_, anyhow::Error>(())
    });
    hosts.buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    let made = stream::iter(0..cli.endpoints * count).map(|e| async move {
        let n = e % count;
        let id = format!("{n}-{}", e / count);
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
        oldest_stream_version: None,
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
        of_swarm: false,
        begins: true,
    }
}
