//! A cluster is upgraded program by program, masters first, while containers of its hosts talk.

use anyhow::{Context, ensure};
use contiv_testbed::{Cluster, Daemon, Stream, StreamSpec, TcpEcho, Version, wait_for};

use crate::actor::{Actor, all_reach_each_other};
use crate::scene::{OPEN, Result, SHUT, SOON};

/// The version that has several hosts, and masters on etcd.
const CLUSTER: Version = Version::Older("cluster");

const HOSTS: usize = 2;

#[test]
fn a_cluster_is_upgraded_one_program_after_the_other() -> Result<()> {
    let mut cluster = Cluster::start_of(HOSTS, CLUSTER)?;
    let played = play(&mut cluster);
    if played.is_err() {
        for node in &cluster.nodes {
            for (what, daemon) in [("netmaster", node.master()), ("netplugin", node.agent())] {
                let log =
                    daemon.map_or_else(|_| "it does not run".into(), |d: &Daemon| d.log_tail(25));
                println!("── {what} of {} ──\n{log}", node.name);
            }
        }
    }
    played
}

fn play(cluster: &mut Cluster) -> Result<()> {
    let cast = Cast::of(cluster)?;
    cast.works(cluster, 0)?;
    for host in 0..HOSTS {
        cluster.nodes[host].kill_master();
        cast.holds()?;
        cluster.nodes[host].master_version = Version::This;
        cluster.nodes[host].start_master()?;
        until_live(cluster, host)?;
        // Hosts of the older version, and masters of which one is older at first.
        cast.works(cluster, host)?;
    }
    for host in 0..HOSTS {
        cluster.nodes[host].kill_agent();
        cast.holds()?;
        cluster.nodes[host].agent_version = Version::This;
        cluster.start_agent(host)?;
        // Hosts of both versions at first.
        cast.works(cluster, 0)?;
    }
    cast.ends(cluster)
}

/// Waits until a master knows all hosts as live, with what it last wrote.
fn until_live(cluster: &Cluster, master: usize) -> Result<()> {
    wait_for(SOON * 2, "all hosts to be live and up to date", || {
        for node in &cluster.nodes {
            let entry = cluster.nodes[master].host_entry(&node.name)?;
            ensure!(entry["live"] == true && entry["lag"] == 0, "{entry}");
        }
        Ok(())
    })
}

/// A container on each host, in a group whose policy leaves one port open.
struct Cast {
    actors: Vec<Actor>,
    streams: Vec<Stream>,
    _servers: Vec<TcpEcho>,
}

impl Cast {
    fn of(cluster: &Cluster) -> Result<Cast> {
        for line in [
            "net create wide -s 10.1.0.0/16 -g 10.1.1.254",
            "policy create p",
            "policy rule-add p 1 -d in -l tcp -j deny",
            "policy rule-add p 2 -d in -l tcp -P 8000 -p 10 -j allow",
            "group create wide guarded -p p",
        ] {
            cluster.nodes[0].netctl(line)?;
        }
        let start = |host: usize| start(cluster, host, &format!("w{}", host + 1));
        let actors = (0..HOSTS).map(start).collect::<Result<Vec<_>>>()?;
        let mut servers = Vec::new();
        for actor in &actors {
            servers.extend([actor.listens(OPEN)?, actor.listens(SHUT)?]);
        }
        let stream = |from: &Actor, to: &Actor| {
            let spec = StreamSpec::to((to.ip, 5000).into());
            Stream::start(&from.netns, &to.netns, &spec)
        };
        let [a, b] = &actors[..] else {
            anyhow::bail!("two hosts");
        };
        let streams = vec![stream(a, b)?, stream(b, a)?];
        let cast = Cast {
            actors,
            streams,
            _servers: servers,
        };
        cast.holds()?;
        Ok(cast)
    }

    /// Packets flow, and new connections are judged by policy.
    fn holds(&self) -> Result<()> {
        for stream in &self.streams {
            stream.flows(500, SOON)?;
        }
        for (from, to) in self.pairs() {
            from.connects(to.ip, OPEN)?;
            from.is_barred(to.ip, SHUT)?;
        }
        Ok(())
    }

    fn pairs(&self) -> [(&Actor, &Actor); 2] {
        let [a, b] = [&self.actors[0], &self.actors[1]];
        [(a, b), (b, a)]
    }

    /// What is asked of this master takes effect on all hosts.
    fn works(&self, cluster: &Cluster, master: usize) -> Result<()> {
        self.holds()?;
        let master = &cluster.nodes[master];
        master.netctl("policy rule-add p 3 -d in -l tcp -P 8001 -p 20 -j allow")?;
        for (from, to) in self.pairs() {
            from.soon_connects(to.ip, SHUT)?;
        }
        master.netctl("policy rule-rm p 3")?;
        for (from, to) in self.pairs() {
            from.soon_is_barred(to.ip, SHUT)?;
        }
        let late = |host: usize| start(cluster, host, &format!("late{}", host + 1));
        let late = (0..HOSTS).map(late).collect::<Result<Vec<_>>>()?;
        let taken = |actor: &Actor| self.actors.iter().any(|other| other.ip == actor.ip);
        ensure!(!late.iter().any(taken), "an address was given twice");
        wait_for(SOON, "newcomers to be known", || {
            all_reach_each_other(&late)
        })?;
        for (host, actor) in late.iter().enumerate() {
            self.actors[(host + 1) % HOSTS].soon_pings(actor.ip)?;
            cluster.nodes[host]
                .engine
                .docker(&["rm", "-f", &actor.name])?;
        }
        self.holds()
    }

    /// No packet was lost in all this time.
    fn ends(self, cluster: &Cluster) -> Result<()> {
        for stream in self.streams {
            let report = stream.stop();
            println!("a cluster upgraded: {report:?}");
            ensure!(report.lost == 0 && report.duplicates == 0, "{report:?}");
        }
        for (host, actor) in self.actors.iter().enumerate() {
            cluster.nodes[host]
                .engine
                .docker(&["rm", "-f", &actor.name])?;
        }
        wait_for(SOON, "all addresses to be free", || {
            let listed = cluster.nodes[0].get("/api/v1/addresses/")?;
            let mut used = listed.as_array().context("a list of addresses")?.iter();
            let gateway = |entry: &serde_json::Value| {
                entry["owner"]
                    .as_str()
                    .is_some_and(|owner| owner.contains("gateway"))
            };
            ensure!(used.all(gateway), "{listed}");
            Ok(())
        })
    }
}

fn start(cluster: &Cluster, host: usize, name: &str) -> Result<Actor> {
    let container = cluster.nodes[host].engine.run(name, "guarded", &[])?;
    Actor::of(container, "guarded")
}
