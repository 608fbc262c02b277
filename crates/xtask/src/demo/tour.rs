//! The chapters of the tutorial.

use anyhow::Result;

use super::guide::{Expect, Guide};
use crate::image::BUSYBOX;

const PAIR: &str = "--subnet=10.1.2.0/24 --gateway=10.1.2.254";
const INSPECT: &str = "docker network inspect --format '{{.Driver}} {{.IPAM.Driver}} \
{{range .IPAM.Config}}{{.Subnet}} {{.Gateway}}{{end}} tenant={{.IPAM.Options.tenant}} \
network={{.IPAM.Options.network}}'";
const ADDRESSES: &str = "docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.MacAddress}}{{end}}'";

/// Walks all of it; the first surprise is the error.
pub(crate) fn walk(guide: &mut Guide) -> Result<()> {
    leftovers(guide)?;
    plain_docker(guide)?;
    first_network(guide)?;
    two_tenants(guide)?;
    policy(guide)?;
    living_rules(guide)
}

/// A second tour starts where the first one did.
fn leftovers(guide: &mut Guide) -> Result<()> {
    guide.chapter("Clean slate");
    let line = "docker ps -aq --filter label=contiv.demo | xargs -r docker rm -f; \
for group in db-group; do netctl group rm $group; done; netctl policy rm db-policy; \
netctl net rm contiv-net; netctl net rm -t blue contiv-net; netctl tenant rm blue; true";
    let line = format!("({line}) >/dev/null 2>&1");
    guide.step(
        &line,
        "what an earlier tour left is removed, if any",
        &Expect::Success,
    )
}

fn plain_docker(guide: &mut Guide) -> Result<()> {
    guide.chapter("1. Docker's own networks");
    guide.step(
        "docker network ls",
        "the networks that every engine has: bridge, host and none",
        &prints(&["bridge bridge local", "host host local", "none null local"]),
    )?;
    guide.step(
        &format!("docker run --rm --label contiv.demo {BUSYBOX} ip -4 addr show eth0"),
        "a container on Docker's bridge has an address of that bridge",
        &prints(&["inet 172."]),
    )
}

fn first_network(guide: &mut Guide) -> Result<()> {
    guide.chapter("2. A network");
    guide.step(
        &format!("netctl net create contiv-net {PAIR}"),
        "the network is made, and realised on this host",
        &prints(&["Creating network default:contiv-net"]),
    )?;
    guide.step(
        "netctl net ls",
        "the network is listed with its subnet and gateway",
        &prints(&["contiv-net", "10.1.2.0/24", "10.1.2.254"]),
    )?;
    guide.soon(
        "docker network ls --filter name=contiv-net",
        "the same network is a Docker network, of driver netplugin",
        &prints(&["contiv-net netplugin"]),
    )?;
    guide.step(
        &format!("{INSPECT} contiv-net"),
        "driver and address driver are netplugin, with the subnet, tenant and network",
        &says("netplugin netplugin 10.1.2.0/24 10.1.2.254 tenant=default network=contiv-net"),
    )?;
    for (name, number) in [("contiv-c1", 1), ("contiv-c2", 2)] {
        start(guide, name, "contiv-net", number)?;
    }
    ping(
        guide,
        "contiv-c1",
        "10.1.2.2",
        "c1 reaches c2 by its address",
    )?;
    ping(guide, "contiv-c2", "10.1.2.1", "and c2 reaches c1")?;
    ping(guide, "contiv-c1", "10.1.2.254", "the gateway answers")?;
    guide.soon(
        "netctl endpoint ls",
        "both endpoints are listed",
        &prints(&["10.1.2.1", "10.1.2.2", "contiv-net"]),
    )
}

fn two_tenants(guide: &mut Guide) -> Result<()> {
    guide.chapter("3. A second tenant with the same network and the same addresses");
    guide.step(
        "netctl tenant create blue",
        "the tenant is made",
        &Expect::Success,
    )?;
    guide.step(
        &format!("netctl net create -t blue contiv-net {PAIR}"),
        "the same name and subnet are fine in another tenant",
        &prints(&["Creating network blue:contiv-net"]),
    )?;
    guide.soon(
        &format!("{INSPECT} contiv-net/blue"),
        "Docker knows it as contiv-net/blue",
        &says("netplugin netplugin 10.1.2.0/24 10.1.2.254 tenant=blue network=contiv-net"),
    )?;
    for number in 1..=3 {
        start(
            guide,
            &format!("contiv-blue-c{number}"),
            "contiv-net/blue",
            number,
        )?;
    }
    ping(
        guide,
        "contiv-blue-c1",
        "10.1.2.3",
        "inside blue, c1 reaches c3",
    )?;
    guide.step(
        "docker exec contiv-c1 ping -c 2 -W 1 10.1.2.3",
        "no answer: 10.1.2.3 exists in blue only, and tenants never meet",
        &Expect::Failure,
    )?;
    listen(guide, "contiv-c1", 8000, "I am c1 of default")?;
    listen(guide, "contiv-blue-c1", 8000, "I am c1 of blue")?;
    guide.soon(
        &talk("contiv-c2", "10.1.2.1", 8000),
        "in default, 10.1.2.1 is default's c1",
        &says("I am c1 of default"),
    )?;
    guide.soon(
        &talk("contiv-blue-c2", "10.1.2.1", 8000),
        "in blue, 10.1.2.1 is blue's c1",
        &says("I am c1 of blue"),
    )
}

fn policy(guide: &mut Guide) -> Result<()> {
    guide.chapter("4. A policy for a group");
    guide.step(
        "netctl policy create db-policy",
        "the policy is made",
        &Expect::Success,
    )?;
    guide.step(
        "netctl policy rule-add db-policy 1 -d in --protocol tcp --action deny",
        "incoming TCP is denied, at priority 1",
        &Expect::Success,
    )?;
    guide.step(
        "netctl policy rule-add db-policy 2 -d in --protocol tcp --port 8888 --action allow --priority 10",
        "but port 8888 is allowed, at the higher priority 10",
        &Expect::Success,
    )?;
    guide.step(
        "netctl policy rule-ls db-policy",
        "both rules are listed",
        &prints(&["Incoming Rules:", "deny", "8888 allow"]),
    )?;
    guide.step(
        "netctl group create contiv-net db-group -p db-policy",
        "a group of contiv-net with that policy is made",
        &Expect::Success,
    )?;
    guide.soon(
        "docker network ls --filter name=db-group",
        "the group is a Docker network too",
        &prints(&["db-group netplugin"]),
    )?;
    for number in 1..=3 {
        let name = format!("contiv-db-c{number}");
        start(guide, &name, "db-group", number + 2)?;
        for port in [8888, 4001, 22, 80, 8889] {
            listen(guide, &name, port, &format!("db-c{number} on {port}"))?;
        }
    }
    for (from, to, number) in [
        ("contiv-db-c1", "10.1.2.4", 2),
        ("contiv-db-c2", "10.1.2.5", 3),
        ("contiv-c1", "10.1.2.3", 1),
    ] {
        guide.soon(
            &talk(from, to, 8888),
            "the allowed port is open",
            &says(&format!("db-c{number} on 8888")),
        )?;
        for port in [4001, 22, 80, 8889] {
            guide.step(
                &talk(from, to, port),
                "every other port is closed, though somebody listens there",
                &Expect::Failure,
            )?;
        }
        ping(guide, from, to, "no rule speaks of ICMP, so it passes")?;
    }
    Ok(())
}

fn living_rules(guide: &mut Guide) -> Result<()> {
    guide.chapter("5. Rules that change while containers run");
    guide.step(
        "netctl policy rule-add db-policy 3 -d in --protocol tcp --port 4001 --action allow --priority 10",
        "port 4001 is allowed as well",
        &Expect::Success,
    )?;
    let line = talk("contiv-db-c1", "10.1.2.4", 4001);
    guide.soon(&line, "it is open at once", &says("db-c2 on 4001"))?;
    guide.step(
        "netctl policy rule-rm db-policy 3",
        "the rule is removed",
        &Expect::Success,
    )?;
    guide.soon(&line, "and the port is closed again", &Expect::Failure)?;
    guide.soon(
        &talk("contiv-db-c1", "10.1.2.4", 8888),
        "port 8888 stayed open all the while",
        &says("db-c2 on 8888"),
    )
}

/// Starts a container that waits, and checks the address and the MAC that it got.
fn start(guide: &mut Guide, name: &str, network: &str, number: u8) -> Result<()> {
    guide.step(
        &format!("docker run -d --name {name} --label contiv.demo --network {network} {BUSYBOX} sleep 1000000"),
        &format!("{name} starts"),
        &Expect::Success,
    )?;
    guide.step(
        &format!("{ADDRESSES} {name}"),
        "it has the lowest free address, and a MAC made from it",
        &says(&format!("10.1.2.{number} 02:02:0a:01:02:{number:02x}")),
    )
}

fn ping(guide: &mut Guide, from: &str, to: &str, why: &str) -> Result<()> {
    let line = format!("docker exec {from} ping -c 2 -W 2 {to}");
    guide.step(&line, why, &prints(&[" 0% packet loss"]))
}

/// Has a container answer every connection to `port` with one line.
fn listen(guide: &mut Guide, name: &str, port: u16, answer: &str) -> Result<()> {
    let line = format!("docker exec -d {name} nc -ll -p {port} -e echo '{answer}'");
    guide.step(
        &line,
        &format!("{name} listens on port {port}"),
        &Expect::Success,
    )
}

/// Connects for two seconds at most and prints what the far end says.
fn talk(from: &str, to: &str, port: u16) -> String {
    format!("docker exec {from} sh -c 'nc -w 2 {to} {port} </dev/null'")
}

fn prints(parts: &[&str]) -> Expect {
    Expect::Prints(parts.iter().map(|part| (*part).to_owned()).collect())
}

fn says(text: &str) -> Expect {
    Expect::Says(text.to_owned())
}
