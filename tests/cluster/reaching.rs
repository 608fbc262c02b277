//! Containers of different hosts reach each other, and nobody else.

use std::net::IpAddr;

use anyhow::{Context, ensure};

use crate::actor::{Actor, all_reach_each_other, at_once, none_reaches};
use crate::stage::{Result, SOON, story};
use contiv_testbed::wait_for;

const PORT: u16 = 8000;

#[test]
fn containers_of_three_hosts_reach_each_other_in_every_way() -> Result<()> {
    story(|stage| {
        stage.netctl(
            "net create wide -s 10.1.0.0/16 -g 10.1.1.254 --subnetv6 fd00:1::/120 \
             --gatewayv6 fd00:1::fe",
        )?;
        let actors = stage.start_everywhere("w", "wide")?;
        let ips: Vec<IpAddr> = actors.iter().map(|actor| actor.ip).collect();
        ensure!(
            ips.iter()
                .all(|ip| ips.iter().filter(|other| *other == ip).count() == 1)
        );
        all_reach_each_other(&actors)?;
        let mut servers = Vec::new();
        for actor in &actors {
            let v6 = actor.ipv6.context("an address of IPv6")?;
            servers.push((actor.listens(PORT)?, actor.answers(PORT)?));
            servers.push((
                actor.netns.tcp_echo((v6, PORT).into())?,
                actor.netns.udp_echo((v6, PORT).into())?,
            ));
        }
        at_once(&actors, |from| {
            for to in actors.iter().filter(|to| to.name != from.name) {
                for ip in [to.ip, to.ipv6.context("an address of IPv6")?] {
                    from.connects(ip, PORT)?;
                    from.asks(ip, PORT)?;
                    // More than fits into one packet of the tunnel.
                    let pings = from.netns.ping_with(ip, 1, &["-s", "4000"])?;
                    ensure!(pings.all(), "{} to {ip}: {pings:?}", from.name);
                }
            }
            Ok(())
        })
    })
}

#[test]
fn tenants_with_equal_addresses_stay_apart_across_hosts() -> Result<()> {
    story(|stage| {
        let mut all: Vec<Vec<Actor>> = Vec::new();
        for tenant in ["blue", "red"] {
            stage.netctl(&format!("tenant create {tenant}"))?;
            stage.netctl(&format!(
                "net create -t {tenant} same -s 10.1.0.0/16 -g 10.1.1.254"
            ))?;
            stage.netctl(&format!(
                "net create -t {tenant} other -s 10.9.0.0/16 -g 10.9.1.254"
            ))?;
            let network = format!("same/{tenant}");
            all.push(stage.start_everywhere(tenant, &network)?);
        }
        let [blue, red] = &all[..] else {
            anyhow::bail!("two tenants")
        };
        for (blue, red) in blue.iter().zip(red) {
            ensure!(blue.ip == red.ip, "{} and {}", blue.ip, red.ip);
        }
        all_reach_each_other(blue)?;
        all_reach_each_other(red)?;
        // The same address is each tenant's own container, on whatever host.
        let (of_red, of_blue) = (red[2].listens(PORT)?, blue[2].listens(PORT)?);
        for (from, to) in [(&blue[0], &blue[2]), (&red[0], &red[2]), (&red[1], &red[2])] {
            from.connects(to.ip, PORT)?;
        }
        wait_for(SOON, "both servers to accept", || {
            let accepted = (of_red.accepted(), of_blue.accepted());
            ensure!(accepted == (2, 1), "by red and blue: {accepted:?}");
            Ok(())
        })?;
        // One whose neighbour of that address is gone reaches nobody in its place.
        let gone = blue[1].ip;
        stage.remove(1, &["blue2"])?;
        wait_for(SOON, "nobody to answer", || blue[0].pings_in_vain(gone))?;
        red[0].pings(gone)?;
        // Networks of one tenant are apart in this mode, wherever they are.
        let other = stage.start(1, "other1", "other/blue")?;
        none_reaches(&[(&blue[0], &other), (&other, &blue[2])])
    })
}
