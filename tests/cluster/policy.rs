//! Policy holds between hosts, and is checked at both ends.

use anyhow::ensure;
use contiv_testbed::{Reach, wait_for};

use crate::actor::Actor;
use crate::stage::{Result, SOON, Stage, story};

const OPEN: u16 = 8000;
const SHUT: u16 = 8001;

/// Containers on three hosts: `web` on the first, `db` on the second, and on the third one that
/// is in no group.
struct Cast {
    web: Actor,
    db: Actor,
    plain: Actor,
    _servers: Vec<contiv_testbed::TcpEcho>,
}

impl Cast {
    fn of(stage: &Stage) -> Result<Cast> {
        stage.netctl("net create wide -s 10.1.0.0/16 -g 10.1.1.254")?;
        for group in ["web", "db"] {
            stage.netctl(&format!("policy create of-{group}"))?;
            stage.netctl(&format!("group create wide {group} -p of-{group}"))?;
        }
        let mut cast = Cast {
            web: stage.start(0, "web", "web")?,
            db: stage.start(1, "db", "db")?,
            plain: stage.start(2, "plain", "wide")?,
            _servers: Vec::new(),
        };
        for actor in [&cast.web, &cast.db, &cast.plain] {
            for port in [OPEN, SHUT] {
                cast._servers.push(actor.listens(port)?);
            }
        }
        Ok(cast)
    }
}

#[test]
fn rules_about_groups_and_subnets_hold_between_hosts() -> Result<()> {
    story(|stage| {
        let cast = Cast::of(stage)?;
        let Cast { web, db, plain, .. } = &cast;
        for line in [
            "of-db all -d in -l tcp -j deny".to_owned(),
            format!("of-db web -d in -l tcp -P {OPEN} --from-group web -j allow -p 10"),
        ] {
            stage.netctl(&format!("policy rule-add {line}"))?;
        }
        web.soon_connects(db.ip, OPEN)?;
        web.soon_is_barred(db.ip, SHUT)?;
        plain.soon_is_barred(db.ip, OPEN)?;
        db.connects(web.ip, SHUT)?;
        plain.pings(db.ip)?;
        // A subnet with just one of them in it.
        stage.netctl(&format!(
            "policy rule-add of-db cidr -d in -l tcp --from-ip-address {}/32 -j allow -p 20",
            plain.ip
        ))?;
        plain.soon_connects(db.ip, SHUT)?;
        web.is_barred(db.ip, SHUT)?;
        // What goes out is judged by the sender's host.
        stage.netctl(&format!(
            "policy rule-add of-web out -d out -l tcp -P {OPEN} --to-group db -j deny -p 50"
        ))?;
        web.soon_is_barred(db.ip, OPEN)?;
        web.connects(plain.ip, OPEN)?;
        stage.netctl("policy rule-rm of-web out")?;
        web.soon_connects(db.ip, OPEN)?;
        stage.netctl("policy rule-rm of-db web")?;
        stage.netctl("policy rule-rm of-db all")?;
        web.soon_connects(db.ip, SHUT)
    })
}

/// Hosts whose agents are away keep the policy that they had: so one end can be looked at alone.
#[test]
fn each_end_judges_by_itself() -> Result<()> {
    story(|stage| {
        let cast = Cast::of(stage)?;
        let Cast { web, db, .. } = &cast;
        web.soon_connects(db.ip, OPEN)?;
        // The sender's host does not hear of the rule: the receiver's host drops.
        stage.nodes[0].kill_agent();
        stage.netctl("policy rule-add of-db in -d in -l tcp -j deny")?;
        web.soon_is_barred(db.ip, OPEN)?;
        stage.start_agent(0)?;
        web.is_barred(db.ip, OPEN)?;
        stage.netctl("policy rule-rm of-db in")?;
        web.soon_connects(db.ip, OPEN)?;
        // The receiver's host does not hear of the rule: the sender's host drops.
        stage.nodes[1].kill_agent();
        stage.netctl("policy rule-add of-web out -d out -l tcp -j deny")?;
        web.soon_is_barred(db.ip, OPEN)?;
        stage.start_agent(1)
    })
}

#[test]
fn a_revoked_rule_cuts_what_it_allowed_between_hosts() -> Result<()> {
    story(|stage| {
        let cast = Cast::of(stage)?;
        let Cast { web, db, plain, .. } = &cast;
        stage.netctl("policy rule-add of-db all -d in -l tcp -j deny")?;
        stage.netctl("policy rule-add of-db web -d in -l tcp --from-group web -j allow -p 10")?;
        let (mut talk, mut other) = (web.talks_to(db.ip, OPEN)?, db.talks_to(plain.ip, OPEN)?);
        talk.is_heard()?;
        stage.netctl("policy rule-rm of-db web")?;
        wait_for(SOON, "the connection to be cut", || talk.is_cut())?;
        other.is_heard()?;
        let reach = web.netns.tcp_connect((db.ip, OPEN).into(), SOON / 20)?;
        ensure!(reach == Reach::Filtered, "{reach:?}");
        // What comes back is let through again.
        stage.netctl("policy rule-add of-db web -d in -l tcp --from-group web -j allow -p 10")?;
        web.soon_connects(db.ip, OPEN)
    })
}
