//! Between two hosts: Contiv's tunnel, flannel-style VXLAN, and the bare underlay below both.
//!
//! Every contender has an underlay of its own, all alike: two hosts, each joined by a veth pair to
//! one bridge.
//!
//! ```text
//! container ── host ── eth0 ── underlay ── eth0 ── host ── container
//! ```

mod contiv;
mod flannel;

use anyhow::{Context, Result, ensure};
use contiv_testbed::Netns;

use crate::load::{Ends, Load};
use crate::plan::Plan;
use crate::section::{Line, Section};
use crate::suite::Bar;
use crate::{path, progress, turns};

/// Rules of the policy that both ends are in, as in `traffic`.
const RULES: usize = 100;

/// What Contiv is held to, as a part of flannel-style.
fn bar(load: Load) -> Bar {
    match load {
        Load::Stream => Bar::AtLeast(1.05),
        Load::Datagram => Bar::AtLeast(1.2),
        Load::RoundTrip => Bar::AtMost(1.0),
        Load::Connect => Bar::AtLeast(1.03),
    }
}

pub(crate) fn run(plan: &Plan) -> Result<Section> {
    let mut section = Section::new(
        "Between hosts",
        "From a container on one host to one on another host. Flannel-style is what flannel sets up \
         for VXLAN, by hand and without its firewall rules: on each host a bridge with a veth pair \
         for each container, a VXLAN device that learns nothing, and a route, a neighbour and a \
         forwarding entry for the other host. Contiv is its data plane, with a policy of 100 rules \
         for both ends that is judged at both. The underlay is loaded from host to host, without \
         containers; each contender has one of its own, all alike: a bridge and a veth pair a host.",
    );
    let underlay = path::underlay()?;
    let flannel = flannel::Pair::new()?;
    let contiv = contiv::Pair::new(RULES)?;
    let contenders: [(&str, &Ends); 3] = [
        ("flannel-style VXLAN", &flannel.ends),
        ("the underlay", &underlay.ends),
        ("Contiv, 100 rules", &contiv.ends),
    ];
    for (name, ends) in contenders {
        let mtu = path::mtu(ends).context(name)?;
        section.body.push_str(&format!("- {name}: MTU {mtu}\n"));
    }
    section.body.push('\n');
    for load in Load::ALL {
        let what = load.title();
        let mut lines = contenders.map(|(name, _)| Line::new(name, None));
        lines[2].bar = Some(bar(load));
        progress::say(what);
        // A round that does not count: neighbours are learnt in it.
        for round in 0..=plan.rounds {
            let turns = turns::round(round, plan.laps, contenders.len(), |index| {
                let (name, ends) = contenders[index];
                load.run(ends, plan.time).context(name)
            })?;
            for (line, laps) in lines.iter_mut().zip(turns).filter(|_| round > 0) {
                line.figures.push_laps(laps);
            }
        }
        let heading = format!("{what} ({})", load.meaning());
        section.compare(&heading, load.unit(), &lines);
        let [flannel, underlay, mut contiv] = lines;
        contiv.bar = None;
        let heading = format!("{what}, beside the underlay");
        section.compare(&heading, load.unit(), &[underlay, flannel, contiv]);
    }
    ensure!(
        flannel.tunnelled()? > 0,
        "flannel-style: nothing took the tunnel"
    );
    ensure!(contiv.tunnelled()? > 0, "Contiv: nothing took the tunnel");
    Ok(section)
}

/// Packets that have left by a link.
fn sent(netns: &Netns, link: &str) -> Result<u64> {
    let text = netns.ip(&format!("-j -s link show {link}"))?;
    let links: serde_json::Value = serde_json::from_str(&text)?;
    let count = links[0]["stats64"]["tx"]["packets"].as_u64();
    count.context("a count of packets")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_load_crosses_every_contender() {
        let (underlay, flannel) = (path::underlay().unwrap(), flannel::Pair::new().unwrap());
        let contiv = contiv::Pair::new(RULES).unwrap();
        for ends in [&underlay.ends, &flannel.ends, &contiv.ends] {
            for load in Load::ALL {
                let figure = load.run(ends, Duration::from_millis(100)).unwrap();
                assert!(figure > 0.0, "{load:?}");
            }
        }
        assert_eq!(path::mtu(&underlay.ends).unwrap(), 1500);
        assert_eq!(path::mtu(&flannel.ends).unwrap(), 1450);
        assert_eq!(path::mtu(&contiv.ends).unwrap(), 1450);
        assert!(flannel.tunnelled().unwrap() > 0, "packets took the tunnel");
        assert!(contiv.tunnelled().unwrap() > 0, "packets took the tunnel");
    }
}
