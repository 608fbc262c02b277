//! Addresses committed a second on etcd, beside the transactions of the same etcd.
//!
//! Three real members in a namespace; masters are ledgers in this process, each with a store of
//! its own. 64 clients each ask for one address after the other, on one network and on 64. What
//! they are held to is the rate at which 64 clients of the same etcd commit a plain transaction
//! of one comparison and one write.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use contiv_fabric::record::Stamp;
use contiv_fabric::{HostReports, Image, Presets, bootstrap, put_network, request_address};
use contiv_model::agent::{AddressRequest, PoolRef};
use contiv_model::object::Network;
use contiv_store::{EtcdPlace, EtcdStore, Figures, Schema};
use contiv_testbed::{Etcd, Netns};
use etcd_client::{Client, Compare, CompareOp, Txn, TxnOp};
use netmaster::Ledger;

use crate::plan::Plan;
use crate::section::{Line, Section};
use crate::stats::median;
use crate::suite::Bar;
use crate::{progress, turns};

const CLIENTS: usize = 64;

/// The bar on one network, in addresses a second.
const ONE_NETWORK: f64 = 2_000.0;

/// The bar on 64 networks, as a part of the plain rate.
const MANY_NETWORKS: f64 = 0.8;

/// One way to load etcd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Load {
    Plain,
    Masters { masters: usize, networks: usize },
}

const LOADS: [Load; 5] = [
    Load::Plain,
    Load::Masters {
        masters: 1,
        networks: 1,
    },
    Load::Masters {
        masters: 1,
        networks: CLIENTS,
    },
    Load::Masters {
        masters: 3,
        networks: 1,
    },
    Load::Masters {
        masters: 3,
        networks: CLIENTS,
    },
];

/// What one turn of a load came to.
#[derive(Clone, Copy, Debug, Default)]
struct Turn {
    rate: f64,
    batch: f64,
    conflicts: f64,
}

impl Load {
    fn title(self) -> String {
        match self {
            Load::Plain => "plain transactions".to_owned(),
            Load::Masters { masters, networks } => {
                let count = |count, word| match count {
                    1 => format!("1 {word}"),
                    _ => format!("{count} {word}s"),
                };
                format!(
                    "{}, {}",
                    count(masters, "master"),
                    count(networks, "network")
                )
            }
        }
    }

    /// What one network and what many are held to: addresses a second, and a part of the plain rate.
    fn bars(self) -> [Option<Bar>; 2] {
        match self {
            Load::Plain => [None, None],
            Load::Masters { networks: 1, .. } => [Some(Bar::AtLeast(ONE_NETWORK)), None],
            Load::Masters { .. } => [None, Some(Bar::AtLeast(MANY_NETWORKS))],
        }
    }
}

/// Measures all loads in turns.
pub(crate) fn run(plan: &Plan) -> Result<Section> {
    let time = match plan.is_quick() {
        true => Duration::from_secs(1),
        false => Duration::from_secs(2),
    };
    let netns = Netns::new()?;
    let etcd = Etcd::start(&netns, 3)?;
    let turns = netns.enter(|| -> Result<Vec<Vec<Turn>>> {
        let runtime = tokio::runtime::Runtime::new()?;
        let mut all = vec![Vec::new(); LOADS.len()];
        for round in 0..plan.rounds {
            progress::round("addresses", round, plan.rounds);
            let turns = turns::round(round, 1, LOADS.len(), |index| {
                let load = LOADS[index];
                let prefix =
                    format!("{round}-{load:?}").replace(|c: char| !c.is_alphanumeric(), "");
                runtime.block_on(turn(&etcd, load, &prefix, time))
            })?;
            for (all, turns) in all.iter_mut().zip(turns) {
                all.extend(turns);
            }
        }
        Ok(all)
    })??;
    Ok(section(&turns))
}

fn section(turns: &[Vec<Turn>]) -> Section {
    let mut section = Section::new(
        "Addresses on etcd",
        "Addresses committed a second by 64 clients, on three members of etcd and by masters that \
         each have a store of their own there, beside plain transactions of one comparison and one \
         write by 64 clients of the same etcd. Members, masters and clients share the processors. \
         Addresses that are asked for at once share a transaction of theirs.",
    );
    let lines = |bar: usize| -> Vec<Line> {
        let line = |(load, turns): (&Load, &Vec<Turn>)| {
            let mut line = Line::new(load.title(), load.bars()[bar]);
            for turn in turns {
                line.figures.push(turn.rate);
            }
            line
        };
        LOADS.iter().zip(turns).map(line).collect()
    };
    section.list("a second", "/s", &lines(0));
    section.compare("a second, beside plain transactions", "/s", &lines(1));
    section
        .body
        .push_str("| | addresses a transaction | conflicts an address |\n| --- | --: | --: |\n");
    for (load, turns) in LOADS.iter().zip(turns).skip(1) {
        let of = |figure: fn(&Turn) -> f64| {
            let figures: Vec<f64> = turns.iter().map(figure).collect();
            median(&figures)
        };
        let (batch, conflicts) = (of(|turn| turn.batch), of(|turn| turn.conflicts));
        let row = format!("| {} | {batch:.1} | {conflicts:.3} |\n", load.title());
        section.body.push_str(&row);
    }
    section.body.push('\n');
    section
}

async fn turn(etcd: &Etcd, load: Load, prefix: &str, time: Duration) -> Result<Turn> {
    match load {
        Load::Plain => plain(etcd, prefix, time).await,
        Load::Masters { masters, networks } => {
            addresses(etcd, masters, networks, prefix, time).await
        }
    }
}

async fn plain(etcd: &Etcd, prefix: &str, time: Duration) -> Result<Turn> {
    let (count, begin) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let endpoints = etcd.endpoints();
    let mut tasks = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        // As many connections as there are members, as with masters.
        let endpoint = &endpoints[client % endpoints.len()];
        let mut etcd = Client::connect([format!("http://{endpoint}")], None).await?;
        let (count, prefix) = (Arc::clone(&count), prefix.to_owned());
        tasks.spawn(async move {
            for n in 0u64.. {
                if begin.elapsed() > time {
                    break;
                }
                let key = format!("/plain/{prefix}/{client}/{n:08}");
                let txn = Txn::new()
                    .when([Compare::mod_revision(key.clone(), CompareOp::Equal, 0)])
                    .and_then([TxnOp::put(key, "x".repeat(80), None)]);
                etcd.txn(txn).await?;
                count.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, etcd_client::Error>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(Turn {
        rate: count.load(Ordering::Relaxed) as f64 / begin.elapsed().as_secs_f64(),
        batch: 1.0,
        conflicts: 0.0,
    })
}

async fn addresses(
    etcd: &Etcd,
    masters: usize,
    networks: usize,
    prefix: &str,
    time: Duration,
) -> Result<Turn> {
    let mut ledgers = Vec::new();
    let mut followers = tokio::task::JoinSet::new();
    for _ in 0..masters {
        let place = EtcdPlace::parse(&format!("{}/{prefix}", etcd.url()))?;
        let store = Arc::new(EtcdStore::open(place, Schema::default()).await?);
        let (ledger, follower) = Ledger::open(store, Arc::default()).await?;
        followers.spawn(follower.run());
        ledgers.push(ledger);
    }
    furnish(&ledgers[0], networks).await?;
    let known = ledgers[0].read().revision();
    for ledger in &ledgers {
        anyhow::ensure!(
            ledger.catch_up(known, Duration::from_secs(10)).await,
            "a master does not follow"
        );
    }
    let before: Vec<Figures> = ledgers.iter().map(|l| l.store().figures()).collect();
    let (count, begin) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let mut tasks = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        let (ledger, count) = (Arc::clone(&ledgers[client % masters]), Arc::clone(&count));
        let request = AddressRequest {
            pool: PoolRef {
                tenant: "default".into(),
                network: format!("n{}", client % networks),
                group: None,
            },
            ipv6: false,
            address: None,
            by: Default::default(),
        };
        tasks.spawn(async move {
            let host = format!("h{client}");
            while begin.elapsed() < time {
                let decide = |image: &Image| request_address(image, u64::MAX, &host, &request);
                match ledger.decide(decide).await {
                    Ok(_) => drop(count.fetch_add(1, Ordering::Relaxed)),
                    Err(netmaster::Error::Busy) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done?.context("an address is not given")?;
    }
    let took = begin.elapsed();
    let all = ledgers.iter().zip(before).map(|(ledger, before)| {
        let now = ledger.store().figures();
        [
            now.commits - before.commits,
            now.flushes - before.flushes,
            now.conflicts - before.conflicts,
        ]
    });
    let [commits, flushes, conflicts] =
        all.fold([0; 3], |sum, one| [0, 1, 2].map(|n| sum[n] + one[n]));
    Ok(Turn {
        rate: count.load(Ordering::Relaxed) as f64 / took.as_secs_f64(),
        batch: commits as f64 / flushes.max(1) as f64,
        conflicts: conflicts as f64 / commits.max(1) as f64,
    })
}

async fn furnish(ledger: &Ledger, networks: usize) -> Result<()> {
    let stamp = |uid: String| Stamp { uid, time: 1 };
    let (global, tenant) = (stamp("g".into()), stamp("t".into()));
    let decide = |image: &Image| bootstrap(image, Presets::default(), &global, &tenant);
    ledger.decide(decide).await?;
    for n in 0..networks {
        let network = Network {
            tenant_name: "default".into(),
            network_name: format!("n{n}"),
            encap: "vxlan".into(),
            subnet: format!("10.{n}.0.0/16"),
            ..Network::default()
        };
        let (stamp, reports) = (stamp(format!("n{n}")), HostReports::default());
        let decide = |image: &Image| put_network(image, &reports, &stamp, &network, None);
        ledger.decide(decide).await?;
    }
    Ok(())
}
