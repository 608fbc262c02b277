//! Rules are added and removed while the containers they are about run.

use crate::stage::{Result, story};

#[test]
fn rules_come_and_go_under_running_containers() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254")?;
        stage.netctl("policy create policy")?;
        stage.netctl("policy rule-add policy 1 -d in --protocol tcp --action deny --priority 1")?;
        stage.netctl(
            "policy rule-add policy 2 -d in --protocol tcp --port 8000 --action allow --priority 100",
        )?;
        stage.netctl("group create private guarded -p policy")?;
        let (a, b) = (
            stage.start("ann", "guarded")?,
            stage.start("ben", "guarded")?,
        );
        let _servers = [b.listens(8000)?, b.listens(8001)?];
        a.connects(b.ip, 8000)?;
        a.is_barred(b.ip, 8001)?;
        for _ in 0..2 {
            stage.netctl(
                "policy rule-add policy 3 -d in --protocol tcp --port 8001 --action allow --priority 100",
            )?;
            a.soon_connects(b.ip, 8001)?;
            a.connects(b.ip, 8000)?;
            stage.netctl("policy rule-rm policy 3")?;
            a.soon_is_barred(b.ip, 8001)?;
            a.connects(b.ip, 8000)?;
        }
        Ok(())
    })
}

#[test]
fn a_rule_that_exists_is_changed_by_update_alone() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254")?;
        stage.netctl("policy create policy")?;
        let rule = "policy 1 -d in --protocol tcp --port 8000";
        stage.netctl(&format!("policy rule-add {rule} --action deny"))?;
        stage.netctl_refuses(&format!("policy rule-add {rule} --action allow"), "exists")?;
        stage.netctl("group create private guarded -p policy")?;
        let (a, b) = (
            stage.start("ann", "guarded")?,
            stage.start("ben", "guarded")?,
        );
        let _server = b.listens(8000)?;
        a.is_barred(b.ip, 8000)?;
        stage.netctl(&format!("policy rule-update {rule} --action allow"))?;
        a.soon_connects(b.ip, 8000)
    })
}

#[test]
fn a_policy_is_taken_from_and_given_to_a_living_group() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254")?;
        stage.netctl("policy create closed")?;
        stage.netctl("policy rule-add closed 1 -d in --protocol tcp --action deny")?;
        stage.netctl("group create private g -p closed")?;
        let (a, b) = (stage.start("ann", "g")?, stage.start("ben", "g")?);
        let _server = b.listens(8000)?;
        a.is_barred(b.ip, 8000)?;
        stage.netctl("group create private g")?;
        a.soon_connects(b.ip, 8000)?;
        stage.netctl("group create private g -p closed")?;
        a.soon_is_barred(b.ip, 8000)
    })
}
