//! `netctl doctor`: a clean bill of health, and what it says and mends when something is wrong.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use contiv_testbed::{Daemon, Host, World, bin, wait_for};
use serde_json::{Value, json};

use crate::stage::{Result, SOON, Stage, story};

/// An examination hails other hosts, and puts up with their silence for a while.
const EXAMINED: Duration = Duration::from_secs(60);

/// What is open, as JSON, whatever netctl ends with.
fn open(output: &[u8]) -> Result<Vec<Value>> {
    let diagnosis: Value = serde_json::from_slice(output).context("a diagnosis")?;
    let findings = diagnosis["findings"].as_array().context("findings")?;
    let is_open = |f: &&Value| f["severity"] != "ok" && f["fixed"] != true;
    Ok(findings.iter().filter(is_open).cloned().collect())
}

pub(crate) fn examine(stage: &Stage, flags: &str) -> Result<Vec<Value>> {
    open(&stage.try_netctl(&format!("doctor --json {flags}"))?.stdout)
}

pub(crate) fn checks(found: &[Value]) -> Vec<&str> {
    found.iter().filter_map(|f| f["check"].as_str()).collect()
}

#[test]
fn a_healthy_host_is_well_and_what_leaks_is_freed() -> Result<()> {
    story(|stage| {
        stage.netctl("net create net -s 10.1.0.0/16 -g 10.1.1.254")?;
        let web = stage.start("web1", "net")?;
        wait_for(SOON, "a clean bill of health", || {
            let found = examine(stage, "")?;
            ensure!(found.is_empty(), "{found:?}");
            Ok(())
        })?;

        let pool = json!({"tenant": "default", "network": "net", "group": null});
        let body = json!({"pool": pool, "ipv4": "10.1.9.9", "ipv6": null, "mac": null});
        let path = "/agent/v1/hosts/ghost/endpoints/0123456789abcdef";
        let made = stage.api("PUT", path, Some(&body))?;
        ensure!(made.status == 200, "{} {}", made.status, made.text);
        // Named as an endpoint's is; what else is in the way of `cv` stays.
        let host = stage.host_netns()?;
        for (end, other) in [("cvdead", "ccdead"), ("cv-mine", "cc-mine")] {
            host.ip(&format!("link add {end} type veth peer name {other}"))?;
        }
        let found = examine(stage, "")?;
        for (check, named) in [("leaked-address", "10.1.9.9"), ("stray-link", "cvdead")] {
            let of = |f: &&Value| f["check"] == check && f.to_string().contains(named);
            ensure!(found.iter().filter(of).count() == 1, "{check}: {found:?}");
        }
        ensure!(found.len() == 2, "{found:?}");
        ensure!(examine(stage, "--fix")?.is_empty());
        let links = host.ip("-br link")?;
        ensure!(!links.contains("cvdead"), "{links}");
        ensure!(links.contains("cv-mine"), "{links}");
        host.ip("link del cv-mine")?;
        ensure!(examine(stage, "")?.is_empty());
        stage.all_addresses_come_back_but(&[&web.ip.to_string()])?;
        stage.remove(["web1"])?;
        stage.netctl("net rm net").map(drop)
    })
}

#[test]
fn what_others_take_away_is_put_back_and_told() -> Result<()> {
    story(|stage| {
        stage.netctl("net create net -s 10.1.0.0/16 -g 10.1.1.254")?;
        let (a, b) = (stage.start("web1", "net")?, stage.start("web2", "net")?);
        a.soon_pings(b.ip)?;
        let host = stage.host_netns()?;
        host.ip("route del 10.1.0.0/16 dev contiv0")?;
        wait_for(SOON, "the route to come back", || {
            let routes = host.ip("route show dev contiv0")?;
            ensure!(routes.contains("10.1.0.0/16"), "{routes}");
            Ok(())
        })?;
        host.ip("link del contiv0")?;
        wait_for(SOON, "contiv0 to come back", || {
            host.ip("link show contiv0").map(drop)
        })?;
        let told = |what: &str| {
            wait_for(SOON, "an event", || {
                let events = stage.netctl("events --kind repair")?;
                ensure!(events.contains(what), "{events}");
                Ok(())
            })
        };
        told("the route to 10.1.0.0/16")?;
        told("link contiv0")?;
        a.soon_pings(b.ip)?;
        stage.remove(["web1", "web2"])?;
        stage.netctl("net rm net").map(drop)
    })
}

/// Two agents and a master, on two hosts of one underlay.
struct Pair {
    hosts: [Host; 2],
    _daemons: Vec<Daemon>,
    _world: World,
}

const NAMES: [&str; 2] = ["near", "far"];

impl Pair {
    fn start() -> Result<Pair> {
        let world = World::new()?;
        let hosts = [Host::new("near")?, Host::new("far")?];
        let address = world.attach(&hosts[0])?;
        world.attach(&hosts[1])?;
        let mut command = Command::new(bin("netmaster")?);
        command.args(["--listen-url", "127.0.0.1:9999,0.0.0.0:9998"]);
        let mut daemons = vec![hosts[0].spawn("netmaster", command)?];
        let netmaster = bin("netmaster")?;
        for (host, name) in hosts.iter().zip(NAMES) {
            let words = [netmaster.as_os_str(), "token".as_ref(), "create".as_ref()];
            let token = wait_for(SOON, "a token", || hosts[0].run(&words))?;
            let mut command = Command::new(bin("netplugin")?);
            let url = format!("https://{address}:9998");
            command.args(["--netmaster", &url, "--host-label", name]);
            command.args(["--join-token", token.trim()]);
            daemons.push(host.spawn("netplugin", command)?);
        }
        Ok(Pair {
            hosts,
            _daemons: daemons,
            _world: world,
        })
    }

    fn examine(&self) -> Result<Vec<Value>> {
        let mut command = Command::new(bin("netctl")?);
        command.args(["doctor", "--json", "--netmaster", "http://127.0.0.1:9999"]);
        let output = self.hosts[0].output_of(command)?.stdout;
        let diagnosis: Value = serde_json::from_slice(&output).context("a diagnosis")?;
        let hosts = diagnosis["hosts"].as_array().map_or(0, Vec::len);
        ensure!(hosts == NAMES.len(), "not all have answered: {diagnosis}");
        open(&output)
    }

    fn until(&self, what: &str, is: impl Fn(&[Value]) -> bool) -> Result<Vec<Value>> {
        wait_for(EXAMINED, what, || {
            let found = self.examine()?;
            match is(&found) {
                true => Ok(found),
                false => bail!("{found:?}"),
            }
        })
    }
}

#[test]
fn a_port_that_is_closed_between_hosts_is_named_with_the_pair_and_the_rule() -> Result<()> {
    let pair = Pair::start()?;
    pair.until("both hosts to be well", <[Value]>::is_empty)?;
    let far = pair.hosts[1].netns()?;
    for line in [
        "nft add table inet fw",
        "nft add chain inet fw in { type filter hook input priority 0; }",
        "nft add rule inet fw in udp dport 4789 drop",
    ] {
        far.run(line)?;
    }
    let closed = |found: &[Value]| checks(found).contains(&"tunnel-port");
    let found = pair.until("the closed port to be found", closed)?;
    for (host, other) in [("near", "far"), ("far", "near")] {
        let of_pair =
            |f: &&Value| f["check"] == "tunnel-port" && f["host"] == host && f["subject"] == other;
        let finding = found
            .iter()
            .find(of_pair)
            .context("a finding of the pair")?;
        let text = |field: &str| finding[field].as_str().unwrap_or_default().to_owned();
        ensure!(finding["severity"] == "error", "{finding}");
        ensure!(text("what").contains("UDP port 4789"), "{finding}");
        ensure!(text("remedy").contains("4789"), "{finding}");
    }
    let rule = found.iter().find(|f| f["check"] == "tunnel-firewall");
    let rule = rule.context("the rule")?;
    ensure!(rule["host"] == "far", "{rule}");
    // The remedy is one that can be run as it is said.
    far.run(rule["remedy"].as_str().context("a remedy")?)?;
    pair.until("the port to be open again", <[Value]>::is_empty)?;

    let wire = pair.hosts[1].netns()?;
    wire.ip("link set eth0 mtu 1400")?;
    let narrow = |found: &[Value]| checks(found).contains(&"path-mtu");
    pair.until("the narrow path to be found", narrow).map(drop)
}
