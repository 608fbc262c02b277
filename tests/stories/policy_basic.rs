//! Deny all TCP at a low priority, allow one port at a high one.

use crate::stage::{Result, Stage, story};

#[test]
fn one_port_is_open_on_a_vxlan_network() -> Result<()> {
    story(|stage| one_port_is_open(stage, "vxlan"))
}

#[test]
fn one_port_is_open_on_a_vlan_network() -> Result<()> {
    story(|stage| one_port_is_open(stage, "vlan"))
}

fn one_port_is_open(stage: &Stage, encap: &str) -> Result<()> {
    stage.netctl(&format!(
        "net create private -e {encap} -s 10.1.0.0/16 -g 10.1.1.254"
    ))?;
    stage.netctl("policy create policy")?;
    stage.netctl("policy rule-add policy 1 -d in --protocol tcp --action deny --priority 1")?;
    stage.netctl(
        "policy rule-add policy 2 -d in --protocol tcp --port 8000 --action allow --priority 100",
    )?;
    stage.netctl("group create private guarded -p policy")?;
    let actors = stage.start_many(3, "c", "guarded")?;
    let outsider = stage.start("outsider", "private")?;
    for to in &actors {
        let _servers = [to.listens(8000)?, to.listens(8001)?];
        let _echo = to.answers(8001)?;
        let insiders = actors.iter().filter(|from| from.name != to.name);
        for from in insiders.chain([&outsider]) {
            from.connects(to.ip, 8000)?;
            from.is_barred(to.ip, 8001)?;
            from.asks(to.ip, 8001)?;
            from.pings(to.ip)?;
        }
    }
    // The group's policy is about the group: outside of it nothing is barred.
    let _server = outsider.listens(8001)?;
    actors[0].connects(outsider.ip, 8001)
}
