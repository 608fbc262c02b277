//! Several networks of one tenant: separate in `bridge` mode, routed in `routing` mode.

use crate::actor::{Actor, all_reach, all_reach_each_other, none_reaches};
use crate::stage::{Result, Stage, story};

const NETWORKS: usize = 3;

#[test]
fn networks_are_separate_in_bridge_mode() -> Result<()> {
    story(|stage| {
        for encap in ["vxlan", "vlan"] {
            let casts = casts(stage, encap)?;
            none_reaches(&pairs(&casts))?;
            clear(stage)?;
        }
        Ok(())
    })
}

#[test]
fn networks_are_routed_in_routing_mode() -> Result<()> {
    story(|stage| {
        stage.netctl("global set --fwd-mode routing")?;
        for encap in ["vxlan", "vlan"] {
            let casts = casts(stage, encap)?;
            all_reach(&pairs(&casts))?;
            clear(stage)?;
        }
        Ok(())
    })
}

/// Makes the networks, every other one dual-stack, with two containers each that reach each other.
fn casts(stage: &Stage, encap: &str) -> Result<Vec<Vec<Actor>>> {
    let mut casts = Vec::new();
    for n in 0..NETWORKS {
        let mut line = format!("net create net{n} -e {encap} -s 10.1.{n}.0/24 -g 10.1.{n}.254");
        if n % 2 == 0 {
            line += &format!(" --subnetv6 2001:db8:{n}::/120 --gatewayv6 2001:db8:{n}::fe");
        }
        stage.netctl(&line)?;
        let cast = stage.start_many(2, &format!("net{n}-c"), &format!("net{n}"))?;
        assert_eq!(cast[0].ipv6.is_some(), n % 2 == 0);
        all_reach_each_other(&cast)?;
        casts.push(cast);
    }
    Ok(casts)
}

/// One container of each network beside one of each other network.
fn pairs(casts: &[Vec<Actor>]) -> Vec<(&Actor, &Actor)> {
    let each = |from: usize| (0..casts.len()).map(move |to| (from, to));
    let pairs = (0..casts.len())
        .flat_map(each)
        .filter(|(from, to)| from != to);
    pairs
        .map(|(from, to)| (&casts[from][0], &casts[to][1]))
        .collect()
}

fn clear(stage: &Stage) -> Result<()> {
    for n in 0..NETWORKS {
        let names = [format!("net{n}-c1"), format!("net{n}-c2")];
        stage.remove(names.iter().map(String::as_str))?;
        stage.netctl(&format!("net rm net{n}"))?;
    }
    assert!(stage.docker_networks()?.is_empty());
    Ok(())
}
