//! What every story plays: two containers in a group with a policy, and what users do with them.

use std::time::Duration;

use anyhow::{Context, ensure};
use contiv_testbed::{Daemon, Stack, Stream, StreamSpec, TcpEcho, Version, wait_for};

use crate::actor::{Actor, Talk};

pub(crate) use anyhow::Result;

/// The version without clusters, whose tables in the kernel have layout 1.
pub(crate) const OLDER: Version = Version::Older("single");

/// How long something may take that is asked for again until it is so.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) const OPEN: u16 = 8000;
pub(crate) const SHUT: u16 = 8001;

/// Plays a story on a stage whose master (with netctl) and agent are of these versions. What a
/// failing one leaves in the logs is told.
pub(crate) fn story(
    master: Version,
    agent: Version,
    play: impl FnOnce(&mut Stack) -> Result<()>,
) -> Result<()> {
    let mut stack = Stack::start_of("older", master, agent)?;
    let played = play(&mut stack);
    if played.is_err() {
        for (name, daemon) in [("netmaster", stack.master()), ("netplugin", stack.agent())] {
            let log = daemon.map_or_else(|_| "it does not run".into(), |d: &Daemon| d.log_tail(25));
            println!("── {name} ──\n{log}");
        }
    }
    played
}

/// Two containers in a group whose policy leaves one port open, and what goes on between them.
pub(crate) struct Cast {
    pub(crate) ann: Actor,
    pub(crate) ben: Actor,
    talk: Talk,
    stream: Stream,
    _servers: [TcpEcho; 2],
}

impl Cast {
    pub(crate) fn of(stack: &Stack) -> Result<Cast> {
        for line in [
            "net create private -s 10.1.0.0/16 -g 10.1.1.254",
            "policy create p",
            "policy rule-add p 1 -d in -l tcp -j deny",
            "policy rule-add p 2 -d in -l tcp -P 8000 -p 10 -j allow",
            "group create private guarded -p p",
        ] {
            stack.netctl(line)?;
        }
        let (ann, ben) = (start(stack, "ann")?, start(stack, "ben")?);
        let servers = [ben.listens(OPEN)?, ben.listens(SHUT)?];
        let stream = StreamSpec::to((ben.ip, 5000).into());
        let cast = Cast {
            talk: ann.talks_to(ben.ip, OPEN)?,
            stream: Stream::start(&ann.netns, &ben.netns, &stream)?,
            _servers: servers,
            ann,
            ben,
        };
        cast.flows()?;
        Ok(cast)
    }

    fn flows(&self) -> Result<()> {
        self.stream.flows(500, SOON)
    }

    /// Packets flow, the connection lives, and new ones are judged by policy.
    pub(crate) fn holds(&mut self) -> Result<()> {
        self.flows()?;
        self.talk.is_heard()?;
        self.ann.connects(self.ben.ip, OPEN)?;
        self.ann.is_barred(self.ben.ip, SHUT)
    }

    /// All that users do takes effect: rules change, containers come and go.
    pub(crate) fn works(&mut self, stack: &Stack) -> Result<()> {
        self.holds()?;
        stack.netctl("policy rule-add p 3 -d in -l tcp -P 8001 -p 20 -j allow")?;
        self.ann.soon_connects(self.ben.ip, SHUT)?;
        stack.netctl("policy rule-rm p 3")?;
        self.ann.soon_is_barred(self.ben.ip, SHUT)?;
        let cyd = start(stack, "cyd")?;
        cyd.pings(self.ann.ip)?;
        cyd.connects(self.ben.ip, OPEN)?;
        cyd.is_barred(self.ben.ip, SHUT)?;
        stack.engine.docker(&["rm", "-f", "cyd"])?;
        until_in_use(stack, &[&self.ann, &self.ben])?;
        let again = start(stack, "cyd")?;
        ensure!(again.ip == cyd.ip, "{} is not free again", cyd.ip);
        stack.engine.docker(&["rm", "-f", "cyd"])?;
        self.holds()
    }

    /// No packet was lost in all this time. A rule that takes the open port cuts the connection,
    /// and what was made can be removed, of which nothing stays.
    pub(crate) fn ends(mut self, stack: &Stack, what: &str) -> Result<()> {
        let report = self.stream.stop();
        println!("{what}: {report:?}");
        ensure!(
            report.lost == 0 && report.duplicates == 0,
            "{what}: {report:?}"
        );
        stack.netctl("policy rule-add p 4 -d in -l tcp -p 50 -j deny")?;
        self.ann.soon_is_barred(self.ben.ip, OPEN)?;
        self.talk.is_cut()?;
        stack.engine.docker(&["rm", "-f", "ann", "ben"])?;
        until_in_use(stack, &[])?;
        for line in ["group rm guarded", "policy rm p", "net rm private"] {
            stack.netctl(line)?;
        }
        wait_for(SOON, "links and Docker networks to go", || {
            let links = stack.host.netns()?.ip("-br link")?;
            ensure!(!links.lines().any(|line| line.starts_with("cv")), "{links}");
            let line = ["network", "ls", "-q", "--filter", "driver=netplugin"];
            let networks = stack.engine.docker(&line)?;
            ensure!(networks.is_empty(), "{networks}");
            Ok(())
        })
    }
}

fn start(stack: &Stack, name: &str) -> Result<Actor> {
    Actor::of(stack.engine.run(name, "guarded", &[])?, "guarded")
}

/// Waits until nobody but these holds an address.
fn until_in_use(stack: &Stack, actors: &[&Actor]) -> Result<()> {
    let mut wanted: Vec<String> = actors.iter().map(|actor| actor.ip.to_string()).collect();
    wanted.sort();
    wait_for(SOON, "all other addresses to be free", || {
        let listed = stack.api("GET", "/api/v1/addresses/", None)?.body;
        let entries = listed.as_array().context("a list of addresses")?.iter();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or("").to_owned();
        let used = entries.filter(|entry| !text(&entry["owner"]).contains("gateway"));
        let mut used: Vec<String> = used.map(|entry| text(&entry["address"])).collect();
        used.sort();
        ensure!(used == wanted, "in use: {used:?}");
        Ok(())
    })
}

/// The layouts of tables that are pinned on the host.
pub(crate) fn layouts(stack: &Stack) -> Result<Vec<String>> {
    let listed = stack.host.run(&["ls", "/sys/fs/bpf/contiv"])?;
    Ok(listed.lines().map(str::to_owned).collect())
}
