//! Networks without a gateway: their containers reach each other and nobody else.

use std::net::IpAddr;

use contiv_testbed::World;

use crate::actor::all_reach_each_other;
use crate::stage::{Result, story};

#[test]
fn without_a_gateway_containers_reach_their_network_alone() -> Result<()> {
    story(|stage| {
        stage.netctl("net create one -s 10.1.1.0/24")?;
        stage.netctl("net create two -s 10.1.2.0/24 --subnetv6 2001:db8:2::/120")?;
        let (one, two) = (
            stage.start_many(2, "one-c", "one")?,
            stage.start_many(2, "two-c", "two")?,
        );
        all_reach_each_other(&one)?;
        all_reach_each_other(&two)?;
        assert!(two[0].ipv6.is_some());
        for cast in [&one, &two] {
            let routes = cast[0].netns.ip("route")?;
            assert!(!routes.contains("default"), "{routes}");
            // Docker's own gateway bridge would be a way out, past all policy.
            let links = cast[0].netns.ip("-br link")?;
            assert!(!links.contains("eth1"), "{links}");
            cast[0].pings_in_vain(IpAddr::from(World::ADDRESS))?;
        }
        one[0].pings_in_vain(two[0].ip)?;
        two[0].pings_in_vain(one[0].ip)
    })
}

#[test]
fn every_address_is_for_containers_where_there_is_no_gateway() -> Result<()> {
    story(|stage| {
        stage.netctl("net create tiny -s 10.1.1.1-10.1.1.3/24")?;
        let all = stage.start_many(3, "c", "tiny")?;
        assert_eq!(all[2].ip, IpAddr::from([10, 1, 1, 3]));
        all_reach_each_other(&all)?;
        stage.cannot_run(&["--network", "tiny"], "tiny")
    })
}
