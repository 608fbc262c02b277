//! The stage that stories are played on: all of Contiv on one host, shared by those that follow.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use contiv_testbed::{
    BUSYBOX_IMAGE, Container, Daemon, EngineOptions, Netns, Reply, Stack, at_exit, map_entries,
    unix_request, wait_for,
};
use serde_json::Value;

use crate::actor::Actor;
use crate::strike::Footprint;

pub(crate) use anyhow::Result;

/// How long something may take that is asked for again until it is so.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// Parts of the names of tables whose entries go by their age.
const AGEING: [&str; 4] = ["flow", "frag", "crowd", "rule_"];

/// The driver's socket, inside the host.
pub(crate) const DRIVER: &str = "/run/docker/plugins/netplugin.sock";

/// All of Contiv on one host; derefs to [`Stack`].
pub(crate) struct Stage {
    stack: Stack,
    /// What a stage looks like on which nothing is played.
    pub(crate) bare: Footprint,
}

static SHARED: Mutex<Option<Stage>> = Mutex::new(None);

/// Plays a story on the shared stage, and cleans up after it.
pub(crate) fn story(play: impl FnOnce(&mut Stage) -> Result<()>) -> Result<()> {
    static CLOSING: Once = Once::new();
    CLOSING.call_once(|| at_exit(close));
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if shared.is_none() {
        *shared = Some(Stage::set("stories", EngineOptions::default(), &[])?);
    }
    perform(&mut shared, play)
}

/// Plays a story on a stage of its own, for which engine and netplugin are started like this.
pub(crate) fn story_on(
    options: EngineOptions,
    agent_args: &[&str],
    play: impl FnOnce(&mut Stage) -> Result<()>,
) -> Result<()> {
    // One story at a time, whatever stage it is played on.
    let _quiet = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let mut own = Some(Stage::set("own", options, agent_args)?);
    perform(&mut own, play)
}

/// A story that fails leaves nothing either: its stage goes, and all that is on it.
fn perform(slot: &mut Option<Stage>, play: impl FnOnce(&mut Stage) -> Result<()>) -> Result<()> {
    let stage = slot.as_mut().context("a stage")?;
    let played = catch_unwind(AssertUnwindSafe(|| {
        play(stage)?;
        stage
            .strike()
            .context("the story is told, but not all of it is gone")
    }));
    if !matches!(played, Ok(Ok(()))) {
        stage.tell();
        *slot = None;
    }
    played.unwrap_or_else(|panic| resume_unwind(panic))
}

extern "C" fn close() {
    drop(SHARED.lock().unwrap_or_else(PoisonError::into_inner).take());
}

impl Stage {
    fn set(label: &str, options: EngineOptions, agent_args: &[&str]) -> Result<Self> {
        let stack = Stack::start_with(label, options, agent_args)?;
        let bare = Footprint::of(&stack)?;
        Ok(Self { stack, bare })
    }

    /// Prints the last words of everything that runs here.
    fn tell(&self) {
        let daemons = [
            ("netmaster", self.master().ok()),
            ("netplugin", self.agent().ok()),
            ("dockerd", self.engine.daemon()),
        ];
        for (name, daemon) in daemons {
            let log = daemon.map_or_else(|| "it does not run".into(), Daemon::log);
            // An engine tells a lot that is none of our concern.
            let told = log.lines().filter(|line| !line.contains("level=info"));
            let told: Vec<&str> = told.collect();
            let last = &told[told.len().saturating_sub(40)..];
            println!("── {name} ──\n{}", last.join("\n"));
        }
    }

    /// Starts a container that waits on `network`.
    pub(crate) fn start(&self, name: &str, network: &str) -> Result<Actor> {
        self.start_with(name, network, &[])
    }

    /// As [`Stage::start`], with further options of `docker run`.
    pub(crate) fn start_with(&self, name: &str, network: &str, args: &[&str]) -> Result<Actor> {
        Actor::of(self.engine.run(name, network, args)?, network)
    }

    /// Starts `count` containers named `prefix1`, `prefix2`, ….
    pub(crate) fn start_many(&self, count: usize, prefix: &str, net: &str) -> Result<Vec<Actor>> {
        let start = |number| self.start(&format!("{prefix}{number}"), net);
        (1..=count).map(start).collect()
    }

    /// A running container, as it now is on `network`.
    pub(crate) fn actor(&self, name: &str, network: &str) -> Result<Actor> {
        Actor::of(self.engine.container(name)?, network)
    }

    /// Removes containers, whether they run or not.
    pub(crate) fn remove<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<()> {
        let mut words = vec!["rm", "-f"];
        words.extend(names);
        self.engine.docker(&words).map(drop)
    }

    /// `docker run` must fail, and say `why`; nothing of the container is left.
    pub(crate) fn cannot_run(&self, args: &[&str], why: &str) -> Result<()> {
        let mut words = vec!["run", "-d", "--name", "refused"];
        words.extend(args);
        words.extend([BUSYBOX_IMAGE, "sleep", "1000000"]);
        let outcome = self.engine.docker(&words);
        self.engine.docker(&["rm", "-f", "refused"]).ok();
        expect_failure(outcome, why).with_context(|| format!("docker {}", words.join(" ")))
    }

    /// A `docker` command line (split at blanks) must fail, and say `why`.
    pub(crate) fn docker_refuses(&self, line: &str, why: &str) -> Result<()> {
        let words: Vec<&str> = line.split_whitespace().collect();
        expect_failure(self.engine.docker(&words), why).with_context(|| format!("docker {line}"))
    }

    /// A netctl command line must fail, and say `why`.
    pub(crate) fn netctl_refuses(&self, line: &str, why: &str) -> Result<()> {
        expect_failure(self.netctl(line), why).with_context(|| format!("netctl {line}"))
    }

    /// A `docker` command line (split at blanks) must succeed.
    pub(crate) fn docker(&self, line: &str) -> Result<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.engine.docker(&words)
    }

    /// The names of the engine's networks of driver netplugin.
    pub(crate) fn docker_networks(&self) -> Result<Vec<String>> {
        let line = "network ls --filter driver=netplugin --format {{.Name}}";
        Ok(self.docker(line)?.lines().map(str::to_owned).collect())
    }

    /// The host's own network.
    pub(crate) fn host_netns(&self) -> Result<Netns> {
        self.host.netns()
    }

    /// A `GET` of netmaster's API that must succeed.
    pub(crate) fn get(&self, target: &str) -> Result<Value> {
        let reply = self.api("GET", target, None)?;
        ensure!(
            reply.status == 200,
            "GET {target}: {} {}",
            reply.status,
            reply.text
        );
        Ok(reply.body)
    }

    /// The inspect document of an object, such as `networks`, `default:contiv-net`.
    pub(crate) fn inspect(&self, plural: &str, key: &str) -> Result<Value> {
        self.get(&format!("/api/v1/inspect/{plural}/{key}/"))
    }

    /// Who holds which address: the address and its owner, without the gateways.
    pub(crate) fn addresses_in_use(&self) -> Result<Vec<String>> {
        let listed = self.get("/api/v1/addresses/")?;
        let entries = listed.as_array().context("a list of addresses")?.iter();
        let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or("").to_owned();
        let used = entries.filter(|entry| !text(entry, "owner").contains("gateway"));
        Ok(used.map(|entry| text(entry, "address")).collect())
    }

    /// Waits until nobody holds an address, but for gateways.
    pub(crate) fn all_addresses_come_back(&self) -> Result<()> {
        self.all_addresses_come_back_but(&[])
    }

    /// Waits until exactly these addresses are held, besides gateways.
    pub(crate) fn all_addresses_come_back_but(&self, kept: &[&str]) -> Result<()> {
        wait_for(SOON, "all other addresses to be free", || {
            let mut used = self.addresses_in_use()?;
            used.sort();
            ensure!(used == kept, "in use: {used:?}");
            Ok(())
        })
    }

    /// Makes one call of the driver protocol, as an engine would.
    pub(crate) fn driver_call(&self, call: &str, body: &Value) -> Result<Reply> {
        let socket = self.host.path(DRIVER);
        let target = format!("/{call}");
        unix_request(
            &socket,
            "POST",
            &target,
            Some(body),
            Duration::from_secs(10),
        )
    }

    /// How full the kernel's tables are, but for those of flows and of what rules have decided, which
    /// age by themselves.
    pub(crate) fn map_entries(&self) -> Result<BTreeMap<String, usize>> {
        let mut entries = map_entries(&self.host.path("/sys/fs/bpf"))?;
        entries.retain(|name, _| !AGEING.iter().any(|part| name.to_lowercase().contains(part)));
        Ok(entries)
    }

    /// A container made over the engine's API, for what its client cannot say.
    pub(crate) fn start_from(&self, name: &str, network: &str, mut spec: Value) -> Result<Actor> {
        spec["Image"] = BUSYBOX_IMAGE.into();
        spec["Cmd"] = serde_json::json!(["sleep", "1000000"]);
        spec["StopTimeout"] = 0.into();
        spec["HostConfig"]["NetworkMode"] = network.into();
        let target = format!("/containers/create?name={name}");
        self.engine.api_ok("POST", &target, Some(&spec))?;
        self.engine
            .api_ok("POST", &format!("/containers/{name}/start"), None)?;
        self.actor(name, network)
    }

    /// The address of a container that may be on several networks.
    pub(crate) fn ip_on(&self, container: &str, network: &str) -> Result<IpAddr> {
        let found: Container = self.engine.container(container)?;
        found.ip_on(network)
    }
}

impl Deref for Stage {
    type Target = Stack;

    fn deref(&self) -> &Stack {
        &self.stack
    }
}

impl DerefMut for Stage {
    fn deref_mut(&mut self) -> &mut Stack {
        &mut self.stack
    }
}

fn expect_failure(outcome: Result<String>, why: &str) -> Result<()> {
    match outcome {
        Ok(output) => bail!("it should have been refused, but printed {output:?}"),
        Err(error) => {
            let said = format!("{error:#}");
            ensure!(said.contains(why), "refused, but not for {why:?}: {said}");
            Ok(())
        }
    }
}
