//! Several tenants with the same names and the same addresses.

use crate::actor::{Actor, all_reach_each_other};
use crate::stage::{Result, Stage, story};

const TENANTS: [&str; 3] = ["red", "green", "blue"];

#[test]
fn tenants_share_names_and_addresses_and_never_meet() -> Result<()> {
    story(|stage| {
        for encap in ["vxlan", "vlan"] {
            tenants_never_meet(stage, encap)?;
        }
        Ok(())
    })
}

#[test]
fn tenants_never_meet_when_the_forwarding_mode_changes() -> Result<()> {
    story(|stage| {
        for mode in ["routing", "bridge"] {
            stage.netctl(&format!("global set --fwd-mode {mode}"))?;
            tenants_never_meet(stage, "vxlan")?;
        }
        Ok(())
    })
}

fn tenants_never_meet(stage: &Stage, encap: &str) -> Result<()> {
    let mut casts = Vec::new();
    for (n, tenant) in TENANTS.iter().enumerate() {
        stage.netctl(&format!("tenant create {tenant}"))?;
        stage.netctl(&format!(
            "net create -t {tenant} net -e {encap} -s 10.1.0.0/16 -g 10.1.1.254"
        ))?;
        // One container more than in the tenant before: its address exists nowhere else.
        let cast = stage.start_many(n + 2, &format!("{tenant}-c"), &format!("net/{tenant}"))?;
        all_reach_each_other(&cast)?;
        casts.push(cast);
    }
    let loner = casts[2].last().unwrap().ip;
    casts[0][0].pings_in_vain(loner)?;
    casts[1][0].pings_in_vain(loner)?;
    for_each_its_own(&casts)?;
    for (cast, tenant) in casts.iter().zip(TENANTS) {
        stage.remove(cast.iter().map(|actor| actor.name.as_str()))?;
        stage.netctl(&format!("net rm -t {tenant} net"))?;
        stage.netctl(&format!("tenant rm {tenant}"))?;
    }
    Ok(())
}

/// Equal addresses, and each asks whom its own tenant has there.
fn for_each_its_own(casts: &[Vec<Actor>]) -> Result<()> {
    let servers = casts.iter().map(|cast| cast[0].listens(8000));
    let servers: Vec<_> = servers.collect::<Result<_>>()?;
    for (n, cast) in casts.iter().enumerate() {
        assert_eq!(cast[0].ip, casts[0][0].ip);
        cast[1].talks_to(cast[0].ip, 8000)?.is_heard()?;
        let heard: Vec<u64> = servers
            .iter()
            .map(contiv_testbed::TcpEcho::accepted)
            .collect();
        let expected: Vec<u64> = (0..casts.len()).map(|m| u64::from(m <= n)).collect();
        assert_eq!(heard, expected);
    }
    Ok(())
}
