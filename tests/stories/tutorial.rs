//! The tutorial: a network, a second tenant with the same addresses, a policy, rules that change.

use std::net::IpAddr;

use contiv_testbed::TcpEcho;

use crate::actor::{Actor, all_reach_each_other, at_once};
use crate::stage::{Result, Stage, story};

const PAIR: &str = "--subnet=10.1.2.0/24 --gateway=10.1.2.254";
const CLOSED: [u16; 4] = [22, 80, 4001, 8889];

#[test]
fn the_tutorial_happens_for_real() -> Result<()> {
    story(|stage| {
        let plain = two_containers_of_a_network(stage)?;
        let [c1, c2] = &plain[..] else {
            unreachable!("two were started")
        };
        a_tenant_with_equal_addresses(stage, c1, c2)?;
        a_group_with_a_policy(stage, c1)
    })
}

fn two_containers_of_a_network(stage: &Stage) -> Result<Vec<Actor>> {
    stage.netctl(&format!("net create contiv-net {PAIR}"))?;
    let seen = stage.docker("network inspect contiv-net")?;
    let seen: serde_json::Value = serde_json::from_str(&seen)?;
    let seen = &seen[0];
    assert_eq!(seen["Driver"], "netplugin");
    assert_eq!(seen["IPAM"]["Driver"], "netplugin");
    assert_eq!(seen["IPAM"]["Config"][0]["Subnet"], "10.1.2.0/24");
    assert_eq!(seen["IPAM"]["Config"][0]["Gateway"], "10.1.2.254");
    assert_eq!(seen["IPAM"]["Options"]["tenant"], "default");
    assert_eq!(seen["IPAM"]["Options"]["network"], "contiv-net");
    let plain = stage.start_many(2, "c", "contiv-net")?;
    assert_eq!(plain[0].ip, IpAddr::from([10, 1, 2, 1]));
    assert_eq!(plain[1].ip, IpAddr::from([10, 1, 2, 2]));
    assert_eq!(plain[0].mac, "02:02:0a:01:02:01");
    // What VXLAN adds fits into the packets of the host's own link.
    let link = plain[0].netns.ip("link show eth0")?;
    assert!(link.contains("mtu 1450"), "{link}");
    all_reach_each_other(&plain)?;
    plain[0].pings([10, 1, 2, 254].into())?;
    Ok(plain)
}

fn a_tenant_with_equal_addresses(stage: &Stage, c1: &Actor, c2: &Actor) -> Result<()> {
    stage.netctl("tenant create blue")?;
    stage.netctl(&format!("net create -t blue contiv-net {PAIR}"))?;
    assert_eq!(stage.docker_networks()?, ["contiv-net", "contiv-net/blue"]);
    let blue = stage.start_many(3, "blue-c", "contiv-net/blue")?;
    assert_eq!((blue[0].ip, blue[1].ip), (c1.ip, c2.ip));
    all_reach_each_other(&blue)?;
    // The third address exists in blue alone.
    c1.pings_in_vain(blue[2].ip)?;
    let (ours, theirs) = (c1.listens(8000)?, blue[0].listens(8000)?);
    c2.talks_to(c1.ip, 8000)?.is_heard()?;
    assert_eq!((ours.accepted(), theirs.accepted()), (1, 0));
    blue[1].talks_to(blue[0].ip, 8000)?.is_heard()?;
    assert_eq!((ours.accepted(), theirs.accepted()), (1, 1));
    Ok(())
}

fn a_group_with_a_policy(stage: &Stage, outsider: &Actor) -> Result<()> {
    stage.netctl("policy create db-policy")?;
    stage.netctl("policy rule-add db-policy 1 -d in --protocol tcp --action deny")?;
    stage.netctl(
        "policy rule-add db-policy 2 -d in --protocol tcp --port 8888 --action allow --priority 10",
    )?;
    stage.netctl("group create contiv-net db-group -p db-policy")?;
    let db = stage.start_many(3, "db-c", "db-group")?;
    let ports = || CLOSED.into_iter().chain([8888]);
    let _servers: Vec<TcpEcho> = db
        .iter()
        .flat_map(|actor| ports().map(|port| actor.listens(port)))
        .collect::<Result<_>>()?;
    all_reach_each_other(&db)?;
    for (from, to) in [(&db[0], &db[1]), (&db[1], &db[2]), (outsider, &db[0])] {
        from.connects(to.ip, 8888)?;
        at_once(&CLOSED, |port| from.is_barred(to.ip, *port))?;
    }
    let (from, to) = (&db[0], db[1].ip);
    stage.netctl(
        "policy rule-add db-policy 3 -d in --protocol tcp --port 4001 --action allow --priority 10",
    )?;
    from.soon_connects(to, 4001)?;
    stage.netctl("policy rule-rm db-policy 3")?;
    from.soon_is_barred(to, 4001)?;
    from.connects(to, 8888)
}
