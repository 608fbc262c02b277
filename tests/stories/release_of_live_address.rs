//! An engine may release an address whose container lives: the address stays with it.

use serde_json::json;

use crate::stage::{Result, Stage, story};

#[test]
fn a_released_address_stays_with_its_live_container() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.1-10.1.0.3/24")?;
        let (a, b) = (
            stage.start("ann", "private")?,
            stage.start("ben", "private")?,
        );
        for _ in 0..2 {
            release(stage, "default/private|v4", &a.ip.to_string())?;
        }
        // The engine writes an address with or without its prefix length.
        release(stage, "default/private|v4", &format!("{}/24", a.ip))?;
        let c = stage.start("cyd", "private")?;
        assert_eq!(c.ip.to_string(), "10.1.0.3");
        stage.cannot_run(
            &["--network", "private", "--ip", &a.ip.to_string()],
            &a.ip.to_string(),
        )?;
        b.pings(a.ip)?;
        c.pings(a.ip)?;
        // Once the container is gone, the address is free.
        stage.remove(["ann"])?;
        stage.all_addresses_come_back_but(&["10.1.0.2", "10.1.0.3"])?;
        assert_eq!(stage.start("dan", "private")?.ip, a.ip);
        Ok(())
    })
}

#[test]
fn a_gateway_is_never_released_by_an_engine() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.1-10.1.0.3/24 -g 10.1.0.1")?;
        release(stage, "default/private|v4", "10.1.0.1")?;
        let a = stage.start("ann", "private")?;
        assert_eq!(a.ip.to_string(), "10.1.0.2");
        a.pings("10.1.0.1".parse()?)
    })
}

fn release(stage: &Stage, pool: &str, address: &str) -> Result<()> {
    let body = json!({"PoolID": pool, "Address": address});
    let reply = stage.driver_call("IpamDriver.ReleaseAddress", &body)?;
    assert_eq!((reply.status, reply.text.as_str()), (200, "{}"));
    Ok(())
}
