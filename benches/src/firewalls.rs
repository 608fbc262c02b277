//! nftables and iptables with the same rules: how each of them slows down as rules become many.
//!
//! ```text
//! client 192.0.2.1 ── router: the rules, in its forward chain ── 198.51.100.2 server
//! ```

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use contiv_testbed::Netns;

use crate::load::{Ends, Load};
use crate::plan::Plan;
use crate::rules::{Size, place};
use crate::section::{Line, Section};
use crate::site::Site;
use crate::{progress, turns};

const COUNTS: [usize; 4] = [1, 100, 1_000, 10_000];

const LOADS: [(Load, &str); 2] = [
    (Load::Connect, "connections, one after the other"),
    (Load::Datagram, "datagrams of 64 bytes"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Firewall {
    Nftables,
    Iptables,
}

/// A router between two ends.
struct Path {
    ends: Ends,
    router: Netns,
}

pub(crate) fn run(plan: &Plan) -> Result<Section> {
    let mut section = Section::new(
        "Beside nftables and iptables, by the number of rules",
        "The same rules in each: single ports of subnets, a deny that none of the packets meets, and \
         last what is allowed; connections that are known are accepted first, as usual. Datagrams that nobody answers make no connection known there, so each one meets all rules. Theirs are \
         in a router's forward chain between two pairs, ours between two containers: what to compare \
         is how each of them changes with the number of rules, so ratios are to one rule of its own.",
    );
    let mut site = Site::new()?;
    let mut contenders: Vec<(&str, Vec<Ends>)> = vec![("Contiv", Vec::new())];
    for (tenant, count) in (2..).zip(COUNTS) {
        site.tenant(tenant, Size::Rules(count).policy())?;
        contenders[0].1.push(site.ends(tenant)?);
    }
    let mut routers = Vec::new();
    for (firewall, name) in [
        (Firewall::Nftables, "nftables"),
        (Firewall::Iptables, "iptables"),
    ] {
        let mut all = Vec::new();
        for count in COUNTS {
            let path = Path::new()?;
            path.fill(firewall, count)?;
            all.push(path.ends.clone());
            routers.push(path.router);
        }
        contenders.push((name, all));
    }
    let all: Vec<(String, &Ends)> = contenders
        .iter()
        .flat_map(|(name, paths)| {
            let title = |count| format!("{name}, {}", Size::Rules(count).title());
            COUNTS.map(title).into_iter().zip(paths)
        })
        .collect();
    for (load, what) in LOADS {
        let mut lines: Vec<Line> = all.iter().map(|(name, _)| Line::new(name, None)).collect();
        progress::say(what);
        // A round that does not count: neighbours are learnt in it.
        for round in 0..=plan.rounds {
            let laps = plan.laps.div_ceil(3);
            let turns = turns::round(round, laps, all.len(), |index| {
                load.run(all[index].1, plan.time)
                    .with_context(|| all[index].0.clone())
            })?;
            for (line, laps) in lines.iter_mut().zip(turns).filter(|_| round > 0) {
                line.figures.push_laps(laps);
            }
        }
        for lines in lines.chunks(COUNTS.len()) {
            section.compare(&format!("{what}, {}", lines[0].name), load.unit(), lines);
        }
    }
    drop((site, routers));
    Ok(section)
}

impl Path {
    fn new() -> Result<Path> {
        let (client, router, server) = (Netns::new()?, Netns::new()?, Netns::new()?);
        client.veth("eth0", &router, "left")?;
        server.veth("eth0", &router, "right")?;
        for (netns, link, address) in [
            (&client, "eth0", "192.0.2.1"),
            (&router, "left", "192.0.2.254"),
            (&server, "eth0", "198.51.100.2"),
            (&router, "right", "198.51.100.254"),
        ] {
            netns.ip(&format!("addr add {address}/24 dev {link}"))?;
        }
        client.ip("route add default via 192.0.2.254")?;
        server.ip("route add default via 198.51.100.254")?;
        router.run("sysctl -qw net.ipv4.ip_forward=1")?;
        let target = [198, 51, 100, 2].into();
        let ends = Ends {
            client,
            server,
            target,
        };
        Ok(Path { ends, router })
    }

    /// The last rule allows, all before it deny; one rule is the last one alone.
    fn fill(&self, firewall: Firewall, count: usize) -> Result<()> {
        let places = (0..count as u32 - 1).map(|number| place(number + 4));
        let (program, text) = match firewall {
            Firewall::Nftables => ("nft", nft(places)),
            Firewall::Iptables => ("iptables-restore", iptables(places)),
        };
        let args: &[&str] = if firewall == Firewall::Nftables {
            &["-f", "-"]
        } else {
            &[]
        };
        let mut command = self.router.command(program);
        command.args(args).stdin(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("start {program}"))?;
        let mut input = child.stdin.take().context("an input")?;
        input.write_all(text.as_bytes())?;
        drop(input);
        let status = child.wait()?;
        ensure!(status.success(), "{program}: {status}");
        Ok(())
    }
}

fn nft(places: impl Iterator<Item = (std::net::Ipv4Addr, u16)>) -> String {
    let mut text = String::from(
        "table ip bench {\n chain forward {\n  type filter hook forward priority 0; policy drop;\n  \
         ct state established,related accept\n",
    );
    for (subnet, port) in places {
        let _ = writeln!(text, "  ip saddr {subnet}/24 tcp dport {port} drop");
    }
    text.push_str("  ip saddr 192.0.2.0/24 accept\n }\n}\n");
    text
}

fn iptables(places: impl Iterator<Item = (std::net::Ipv4Addr, u16)>) -> String {
    let mut text = String::from(
        "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n\
         -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\n",
    );
    for (subnet, port) in places {
        let _ = writeln!(
            text,
            "-A FORWARD -s {subnet}/24 -p tcp -m tcp --dport {port} -j DROP"
        );
    }
    text.push_str("-A FORWARD -s 192.0.2.0/24 -j ACCEPT\nCOMMIT\n");
    text
}
