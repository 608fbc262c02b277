//! Policies know connections: replies pass without a rule, and a revoked rule cuts what it let in.

use crate::stage::{Result, story};

#[test]
fn replies_need_no_rule() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254")?;
        stage.netctl("policy create no-entry")?;
        stage.netctl("policy rule-add no-entry 1 -d in -j deny")?;
        stage.netctl("group create private hermits -p no-entry")?;
        let hermit = stage.start("hermit", "hermits")?;
        let server = stage.start("server", "private")?;
        let _tcp = [server.listens(8000)?, hermit.listens(8000)?];
        let _udp = [server.answers(8000)?, hermit.answers(8000)?];
        hermit.talks_to(server.ip, 8000)?.is_heard()?;
        hermit.asks(server.ip, 8000)?;
        hermit.pings(server.ip)?;
        server.is_barred(hermit.ip, 8000)?;
        server.asks_in_vain(hermit.ip, 8000)?;
        server.pings_in_vain(hermit.ip)
    })
}

#[test]
fn a_revoked_rule_cuts_the_connections_that_it_allowed() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254")?;
        stage.netctl("policy create p")?;
        stage.netctl("policy rule-add p 1 -d in -l tcp -j deny")?;
        let allow =
            |id: u8, port: u16| format!("policy rule-add p {id} -d in -l tcp -P {port} -p 10");
        stage.netctl(&allow(2, 8000))?;
        stage.netctl(&allow(3, 8001))?;
        stage.netctl("group create private guarded -p p")?;
        let (a, b) = (
            stage.start("ann", "guarded")?,
            stage.start("ben", "guarded")?,
        );
        let _servers = [b.listens(8000)?, b.listens(8001)?];
        let (mut revoked, mut kept) = (a.talks_to(b.ip, 8000)?, a.talks_to(b.ip, 8001)?);
        revoked.is_heard()?;
        kept.is_heard()?;
        stage.netctl("policy rule-rm p 2")?;
        a.soon_is_barred(b.ip, 8000)?;
        revoked.is_cut()?;
        kept.is_heard()
    })
}

#[test]
fn both_directions_of_a_group_are_guarded_by_its_policy() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254 --subnetv6 2001:db8:1::/64 --gatewayv6 2001:db8:1::fe")?;
        stage.netctl("policy create p")?;
        stage.netctl("policy rule-add p 1 -d out -l tcp -j deny")?;
        stage.netctl("policy rule-add p 2 -d out -l tcp -P 8000 -p 10 -j allow")?;
        stage.netctl("group create private guarded -p p")?;
        let inside = stage.start("inside", "guarded")?;
        let outside = stage.start("outside", "private")?;
        let _servers = [
            outside.listens(8000)?,
            outside.listens(8001)?,
            inside.listens(8001)?,
        ];
        inside.connects(outside.ip, 8000)?;
        inside.is_barred(outside.ip, 8001)?;
        outside.talks_to(inside.ip, 8001)?.is_heard()?;
        // IPv6 is guarded by the same rules.
        let v6 = outside.ipv6.unwrap();
        let _six = [8000, 8001].map(|port| outside.netns.tcp_echo((v6, port).into()));
        inside.connects(v6, 8000)?;
        inside.is_barred(v6, 8001)
    })
}
