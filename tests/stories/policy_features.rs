//! What rules can say: directions, peers of every kind, priorities.

use crate::actor::Actor;
use crate::stage::{Result, Stage, story};

/// `inside` is in group `g` with policy `p`; `peer` in group `other`; `plain` in none.
struct Cast {
    inside: Actor,
    peer: Actor,
    plain: Actor,
    _servers: Vec<contiv_testbed::TcpEcho>,
}

const PORT: u16 = 8000;

fn cast(stage: &Stage) -> Result<Cast> {
    stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254")?;
    stage.netctl("net create elsewhere -s 10.2.0.0/16 -g 10.2.1.254")?;
    stage.netctl("policy create p")?;
    stage.netctl("group create private g -p p")?;
    stage.netctl("group create private other")?;
    let cast = Cast {
        inside: stage.start("inside", "g")?,
        peer: stage.start("peer", "other")?,
        plain: stage.start("plain", "private")?,
        _servers: Vec::new(),
    };
    let _servers = [&cast.inside, &cast.peer, &cast.plain]
        .map(|actor| actor.listens(PORT))
        .into_iter()
        .collect::<Result<_>>()?;
    Ok(Cast { _servers, ..cast })
}

impl Cast {
    fn all_is_open(&self) -> Result<()> {
        for other in [&self.peer, &self.plain] {
            other.soon_connects(self.inside.ip, PORT)?;
            self.inside.soon_connects(other.ip, PORT)?;
        }
        Ok(())
    }
}

/// Adds a rule to `p`, looks, and removes it.
fn under(stage: &Stage, rule: &str, look: impl FnOnce() -> Result<()>) -> Result<()> {
    stage.netctl(&format!("policy rule-add p 1 {rule}"))?;
    look()?;
    stage.netctl("policy rule-rm p 1").map(drop)
}

#[test]
fn without_rules_and_after_the_last_one_all_is_allowed() -> Result<()> {
    story(|stage| {
        let cast = cast(stage)?;
        let (inside, peer) = (&cast.inside, &cast.peer);
        cast.all_is_open()?;
        under(stage, "-d in -l tcp -j deny", || {
            peer.soon_is_barred(inside.ip, PORT)?;
            cast.plain.is_barred(inside.ip, PORT)?;
            inside.connects(peer.ip, PORT)
        })?;
        cast.all_is_open()?;
        under(stage, "-d out -l tcp -j deny", || {
            inside.soon_is_barred(peer.ip, PORT)?;
            inside.is_barred(cast.plain.ip, PORT)?;
            peer.connects(inside.ip, PORT)
        })?;
        cast.all_is_open()
    })
}

#[test]
fn peers_are_named_by_group_network_address_or_subnet() -> Result<()> {
    story(|stage| {
        let cast = cast(stage)?;
        let (inside, peer, plain) = (&cast.inside, &cast.peer, &cast.plain);
        let (peer_ip, plain_ip) = (peer.ip, plain.ip);
        let in_from = |peer: &str| format!("-d in -l tcp {peer} -j deny");
        let out_to = |peer: &str| format!("-d out -l tcp {peer} -j deny");
        for only_peer in [
            "--from-group other".to_owned(),
            format!("--from-ip-address {peer_ip}"),
        ] {
            under(stage, &in_from(&only_peer), || {
                peer.soon_is_barred(inside.ip, PORT)?;
                plain.connects(inside.ip, PORT)
            })?;
            cast.all_is_open()?;
        }
        for only_peer in [
            "--to-group other".to_owned(),
            format!("--to-ip-address {peer_ip}"),
        ] {
            under(stage, &out_to(&only_peer), || {
                inside.soon_is_barred(peer_ip, PORT)?;
                inside.connects(plain_ip, PORT)
            })?;
            cast.all_is_open()?;
        }
        for everyone in ["--from-network private", "--from-ip-address 10.1.0.0/16"] {
            under(stage, &in_from(everyone), || {
                peer.soon_is_barred(inside.ip, PORT)?;
                plain.is_barred(inside.ip, PORT)
            })?;
            cast.all_is_open()?;
        }
        for everyone in ["--to-network private", "--to-ip-address 10.1.0.0/16"] {
            under(stage, &out_to(everyone), || {
                inside.soon_is_barred(peer_ip, PORT)?;
                inside.is_barred(plain_ip, PORT)
            })?;
            cast.all_is_open()?;
        }
        Ok(())
    })
}

#[test]
fn a_rule_about_another_subnet_changes_nothing() -> Result<()> {
    story(|stage| {
        let cast = cast(stage)?;
        for peer in ["--from-network elsewhere", "--from-ip-address 10.2.0.0/16"] {
            stage.netctl(&format!("policy rule-add p 1 -d in -l tcp {peer} -j deny"))?;
            // A rule that does change something tells when both are in the kernel.
            stage.netctl("policy rule-add p 2 -d in -l tcp -P 9 -j deny")?;
            let _server = cast.inside.listens(9)?;
            cast.peer.soon_is_barred(cast.inside.ip, 9)?;
            cast.peer.connects(cast.inside.ip, PORT)?;
            cast.plain.connects(cast.inside.ip, PORT)?;
            stage.netctl("policy rule-rm p 1")?;
            stage.netctl("policy rule-rm p 2")?;
            cast.peer.soon_connects(cast.inside.ip, 9)?;
        }
        Ok(())
    })
}

#[test]
fn the_higher_priority_wins_and_deny_among_equals() -> Result<()> {
    story(|stage| {
        let cast = cast(stage)?;
        let (from, to) = (&cast.peer, cast.inside.ip);
        let rule = |id: u8, priority: u8, action: &str| {
            let line =
                format!("policy rule-add p {id} -d in -l tcp -P 8000 -p {priority} -j {action}");
            stage.netctl(&line).map(drop)
        };
        let forget = |id: u8| stage.netctl(&format!("policy rule-rm p {id}")).map(drop);
        rule(1, 10, "deny")?;
        from.soon_is_barred(to, PORT)?;
        rule(2, 100, "allow")?;
        from.soon_connects(to, PORT)?;
        forget(1)?;
        forget(2)?;
        rule(3, 10, "allow")?;
        rule(4, 100, "deny")?;
        from.soon_is_barred(to, PORT)?;
        forget(4)?;
        from.soon_connects(to, PORT)?;
        rule(5, 10, "deny")?;
        from.soon_is_barred(to, PORT)
    })
}

#[test]
fn icmp_is_denied_and_allowed_by_address() -> Result<()> {
    story(|stage| {
        let cast = cast(stage)?;
        let (inside, peer) = (&cast.inside, &cast.peer);
        under(stage, "-d in -l icmp -j deny", || {
            peer.soon_pings_in_vain(inside.ip)?;
            cast.plain.pings_in_vain(inside.ip)?;
            let allow = format!("-d in -l icmp -i {} -p 10 -j allow", peer.ip);
            stage.netctl(&format!("policy rule-add p 2 {allow}"))?;
            peer.soon_pings(inside.ip)?;
            cast.plain.pings_in_vain(inside.ip)?;
            peer.connects(inside.ip, PORT)?;
            stage.netctl("policy rule-rm p 2").map(drop)
        })?;
        peer.soon_pings(inside.ip)
    })
}
