//! Containers on several networks, with addresses of their choice, connected while they run.

use std::net::IpAddr;

use contiv_testbed::wait_for;
use serde_json::json;

use crate::actor::{Actor, all_reach_each_other};
use crate::stage::{Result, SOON, Stage, story};

fn two_networks(stage: &Stage) -> Result<()> {
    stage.netctl("net create one -s 10.1.0.0/24 -g 10.1.0.254")?;
    stage.netctl("net create two -s 10.2.0.0/24 -g 10.2.0.254")?;
    Ok(())
}

#[test]
fn a_container_is_connected_to_a_second_network_and_disconnected() -> Result<()> {
    story(|stage| {
        two_networks(stage)?;
        let (one, two) = (stage.start("one-c", "one")?, stage.start("two-c", "two")?);
        let both = stage.start("both", "one")?;
        both.pings(one.ip)?;
        both.pings_in_vain(two.ip)?;
        stage.docker("network connect two both")?;
        let on_two = stage.actor("both", "two")?;
        both.pings(one.ip)?;
        on_two.pings(two.ip)?;
        two.pings(on_two.ip)?;
        one.pings(both.ip)?;
        // It is in both networks, and no way from one into the other.
        one.pings_in_vain(two.ip)?;
        stage.docker("network disconnect one both")?;
        one.pings_in_vain(both.ip)?;
        two.pings(on_two.ip)?;
        stage.docker("network connect one both")?;
        let again = stage.actor("both", "one")?;
        one.pings(again.ip)?;
        stage.docker("restart -t 0 both")?;
        let restarted = stage.actor("both", "two")?;
        two.pings(restarted.ip)?;
        one.pings(stage.ip_on("both", "one")?)
    })
}

#[test]
fn an_address_and_a_mac_of_ones_choice_are_given() -> Result<()> {
    story(|stage| {
        two_networks(stage)?;
        let plain = stage.start("plain", "one")?;
        let chosen = stage.start_with("chosen", "one", &["--ip", "10.1.0.77"])?;
        assert_eq!(chosen.ip, IpAddr::from([10, 1, 0, 77]));
        chosen.pings(plain.ip)?;
        stage.cannot_run(&["--network", "one", "--ip", "10.1.0.77"], "10.1.0.77")?;
        stage.cannot_run(&["--network", "one", "--ip", "10.1.0.254"], "10.1.0.254")?;
        stage.cannot_run(&["--network", "one", "--ip", "10.9.0.1"], "10.9.0.1")?;
        // A chosen address stays with its container, over a stop too.
        stage.docker("restart -t 0 chosen")?;
        assert_eq!(stage.ip_on("chosen", "one")?, chosen.ip);
        let spec = json!({"MacAddress": "02:42:ac:10:00:07"});
        let other = stage.start_from("mac", "one", spec)?;
        assert_eq!(other.mac, "02:42:ac:10:00:07");
        let shown = other.netns.ip("link show eth0")?;
        assert!(shown.contains("02:42:ac:10:00:07"), "{shown}");
        all_reach_each_other(&[plain, other])
    })
}

#[test]
fn ipv6_is_given_and_chosen() -> Result<()> {
    story(|stage| {
        stage.netctl(
            "net create six -s 10.1.0.0/24 -g 10.1.0.254 \
             --subnetv6 2001:db8:1::/64 --gatewayv6 2001:db8:1::fe",
        )?;
        let plain = stage.start("plain", "six")?;
        let args = ["--ip", "10.1.0.66", "--ip6", "2001:db8:1::66"];
        let chosen = stage.start_with("chosen", "six", &args)?;
        assert_eq!(chosen.ipv6, Some("2001:db8:1::66".parse()?));
        let gateway: IpAddr = "2001:db8:1::fe".parse()?;
        for actor in [&plain, &chosen] {
            actor.soon_pings(gateway)?;
        }
        let v6 = plain.ipv6.unwrap();
        let _server = plain.netns.tcp_echo((v6, 8000).into())?;
        chosen.talks_to(v6, 8000)?.is_heard()?;
        all_reach_each_other(&[plain, chosen])
    })
}

#[test]
fn a_container_cannot_be_in_a_network_twice() -> Result<()> {
    story(|stage| {
        two_networks(stage)?;
        stage.netctl("group create one web")?;
        stage.start("member", "web")?;
        stage.docker_refuses("network connect one member", "")?;
        stage.docker("network connect two member")?;
        stage.actor("member", "web")?.pings("10.1.0.254".parse()?)
    })
}

#[test]
fn tenants_of_one_container_do_not_meet_through_it() -> Result<()> {
    story(|stage| {
        stage.netctl("tenant create blue")?;
        stage.netctl("net create one -s 10.1.0.0/24 -g 10.1.0.254")?;
        stage.netctl("net create -t blue two -s 10.2.0.0/24 -g 10.2.0.254")?;
        let (ours, theirs) = (
            stage.start("ours", "one")?,
            stage.start("theirs", "two/blue")?,
        );
        stage.start("both", "one")?;
        stage.docker("network connect two/blue both")?;
        let in_blue: Actor = stage.actor("both", "two/blue")?;
        in_blue.pings(theirs.ip)?;
        in_blue.pings(ours.ip)?;
        ours.pings_in_vain(theirs.ip)?;
        theirs.pings_in_vain(ours.ip)?;
        stage.remove(["both"])?;
        wait_for(SOON, "both endpoints to go", || {
            let used = stage.addresses_in_use()?;
            anyhow::ensure!(used.len() == 2, "{used:?}");
            Ok(())
        })
    })
}
