//! `docker network create -d netplugin`, by hand.

use crate::actor::all_reach_each_other;
use crate::stage::{Result, story};

const DRIVERS: &str = "-d netplugin --ipam-driver netplugin";

#[test]
fn a_second_docker_network_for_a_network_of_ours() -> Result<()> {
    story(|stage| {
        stage.netctl("tenant create blue")?;
        stage.netctl("net create -t blue one -s 10.1.0.0/24 -g 10.1.0.254")?;
        stage.netctl("group create -t blue one web")?;
        let to = "--subnet 10.1.0.0/24 --ipam-opt tenant=blue --ipam-opt network=one \
                  -o tenant=blue -o network=one";
        stage.docker(&format!("network create {DRIVERS} {to} mine"))?;
        let group = "--subnet 10.1.0.0/24 --ipam-opt tenant=blue --ipam-opt group=web \
                     -o tenant=blue -o group=web";
        stage.docker(&format!("network create {DRIVERS} {group} mine-web"))?;
        let actors = [
            stage.start("ann", "mine")?,
            stage.start("ben", "mine-web")?,
            stage.start("cyd", "one/blue")?,
        ];
        all_reach_each_other(&actors)?;
        let member = stage.inspect("endpointGroups", "blue:web")?;
        assert!(
            member.to_string().contains(&actors[1].ip.to_string()),
            "{member}"
        );
        Ok(())
    })
}

#[test]
fn a_subnet_alone_makes_a_network_that_goes_with_the_docker_network() -> Result<()> {
    story(|stage| {
        stage.docker(&format!(
            "network create {DRIVERS} --subnet 10.9.0.0/24 --gateway 10.9.0.9 fresh"
        ))?;
        let both = stage.start_many(2, "c", "fresh")?;
        all_reach_each_other(&both)?;
        both[0].pings("10.9.0.9".parse()?)?;
        let listed = stage.netctl("net ls")?;
        assert!(
            listed.contains("10.9.0.0/24") && listed.contains("docker-"),
            "{listed}"
        );
        stage.remove(["c1", "c2"])?;
        stage.docker("network rm fresh")?;
        let listed = stage.netctl("net ls")?;
        assert!(!listed.contains("10.9.0.0/24"), "{listed}");
        Ok(())
    })
}

#[test]
fn a_subnet_of_a_network_of_ours_means_that_network() -> Result<()> {
    story(|stage| {
        stage.netctl("net create one -s 10.1.0.0/24 -g 10.1.0.254")?;
        stage.docker(&format!(
            "network create {DRIVERS} --subnet 10.1.0.0/24 same"
        ))?;
        let both = [stage.start("ann", "one")?, stage.start("ben", "same")?];
        all_reach_each_other(&both)?;
        assert_eq!(stage.netctl("net ls -q")?.split_whitespace().count(), 1);
        Ok(())
    })
}

#[test]
fn addresses_of_dockers_own_driver_are_fine() -> Result<()> {
    story(|stage| {
        stage.docker("network create -d netplugin --subnet 10.9.0.0/24 half")?;
        let both = stage.start_many(2, "c", "half")?;
        all_reach_each_other(&both)?;
        stage.remove(["c1", "c2"])?;
        stage.docker("network rm half").map(drop)
    })
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() -> Result<()> {
    story(|stage| {
        stage.netctl("net create one -s 10.1.0.0/24 -g 10.1.0.254")?;
        let one = "--subnet 10.1.0.0/24 --ipam-opt network=one -o network=one";
        for (options, reason) in [
            ("", "which Contiv network"),
            ("--ipam-opt network=nosuch -o network=nosuch", "nosuch"),
            (
                "--ipam-opt network=one -o network=one",
                "give --subnet 10.1.0.0/24",
            ),
            (
                "--ipam-opt network=one -o network=one --subnet 10.1.7.0/24",
                "give --subnet 10.1.0.0/24",
            ),
            (
                "--ipam-opt network=one --subnet 10.1.0.0/24",
                "say the same to the network driver",
            ),
            (&format!("{one} --ipam-opt colour=red"), "colour"),
            (&format!("{one} -o colour=red"), "colour"),
            (&format!("{one} --internal"), "--internal"),
            (&format!("{one} --ip-range 10.1.0.0/28"), "--ip-range"),
            (&format!("{one} --gateway 10.1.0.7"), "10.1.0.254"),
        ] {
            let line = format!("network create {DRIVERS} {options} refused");
            stage.docker_refuses(&line, reason)?;
        }
        assert_eq!(stage.docker_networks()?, ["one"]);
        Ok(())
    })
}
