//! Containers start, reach each other, and go: again and again, with the same addresses.

use std::net::IpAddr;

use crate::actor::{Actor, all_reach_each_other};
use crate::stage::{Result, Stage, story};

/// More rounds than the group's pool could serve if one address of each leaked.
const ROUNDS: usize = 4;

#[test]
fn containers_start_and_go_on_a_vxlan_network() -> Result<()> {
    story(|stage| start_and_remove(stage, "vxlan"))
}

#[test]
fn containers_start_and_go_on_a_vlan_network() -> Result<()> {
    story(|stage| start_and_remove(stage, "vlan"))
}

fn start_and_remove(stage: &Stage, encap: &str) -> Result<()> {
    stage.netctl(&format!(
        "net create private -e {encap} -p 1001 -s 10.1.0.0/16 -g 10.1.1.254"
    ))?;
    let mut first_round = None;
    for _ in 0..2 {
        let ips = one_round(stage, "private")?;
        assert_eq!(
            *first_round.get_or_insert(ips.clone()),
            ips,
            "the lowest free come first"
        );
    }
    stage.netctl("group create private pool-group -r 10.1.0.1-10.1.0.10")?;
    for round in 0..ROUNDS {
        for ip in one_round(stage, "pool-group")? {
            let IpAddr::V4(v4) = ip else {
                panic!("{ip} is of no pool")
            };
            let [a, b, c, d] = v4.octets();
            assert!(
                [a, b, c] == [10, 1, 0] && (1..=10).contains(&d),
                "round {round}: {ip}"
            );
        }
    }
    Ok(())
}

#[test]
fn a_pool_that_is_spent_refuses_and_gives_again_what_comes_back() -> Result<()> {
    story(|stage| {
        stage.netctl("net create small -s 10.1.0.0/24 -g 10.1.0.254")?;
        stage.netctl("group create small few -r 10.1.0.11-10.1.0.12")?;
        let both = stage.start_many(2, "few", "few")?;
        let ips: Vec<IpAddr> = both.iter().map(|actor| actor.ip).collect();
        assert_eq!(
            ips,
            [IpAddr::from([10, 1, 0, 11]), IpAddr::from([10, 1, 0, 12])]
        );
        stage.cannot_run(
            &["--network", "few"],
            "every address of group default:few is in use",
        )?;
        // The network's own addresses are others: the group's are not given outside of it.
        let outsider = stage.start("outsider", "small")?;
        assert_eq!(outsider.ip, IpAddr::from([10, 1, 0, 1]));
        stage.remove(["few1"])?;
        stage.all_addresses_come_back_but(&["10.1.0.1", "10.1.0.12"])?;
        assert_eq!(
            stage.start("again", "few")?.ip,
            IpAddr::from([10, 1, 0, 11])
        );
        Ok(())
    })
}

/// Starts three, has each reach the others, removes them, and says which addresses they had.
fn one_round(stage: &Stage, network: &str) -> Result<Vec<IpAddr>> {
    let actors = stage.start_many(3, "c", network)?;
    all_reach_each_other(&actors)?;
    let ips: Vec<IpAddr> = actors.iter().map(|actor: &Actor| actor.ip).collect();
    stage.remove(["c1", "c2", "c3"])?;
    stage.all_addresses_come_back()?;
    Ok(ips)
}
