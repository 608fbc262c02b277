//! A port that is open to one group only.

use crate::stage::{Result, story};

#[test]
fn a_port_is_open_from_one_group_only() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254")?;
        stage.netctl("group create private common")?;
        stage.netctl("group create private others")?;
        stage.netctl("policy create policy")?;
        stage.netctl("policy rule-add policy 1 -d in --protocol tcp --action deny --priority 1")?;
        stage.netctl(
            "policy rule-add policy 2 -d in --protocol tcp --port 8001 --from-group common \
             --action allow --priority 100",
        )?;
        stage.netctl("group create private servers -p policy")?;
        let server = stage.start("server", "servers")?;
        let friend = stage.start("friend", "common")?;
        let strangers = [
            stage.start("other", "others")?,
            stage.start("peer", "servers")?,
            stage.start("plain", "private")?,
        ];
        let _ports = [server.listens(8000)?, server.listens(8001)?];
        friend.connects(server.ip, 8001)?;
        friend.is_barred(server.ip, 8000)?;
        for stranger in &strangers {
            stranger.is_barred(server.ip, 8001)?;
            stranger.pings(server.ip)?;
        }
        // A container that comes later is of the group as well, and one that has gone is not.
        let late = stage.start("late", "common")?;
        late.connects(server.ip, 8001)?;
        stage.remove(["late"])?;
        let heir = stage.start_with("heir", "others", &["--ip", &late.ip.to_string()])?;
        assert_eq!(heir.ip, late.ip);
        heir.is_barred(server.ip, 8001)
    })
}

#[test]
fn groups_of_the_policy_tutorial_stop_pinging_each_other() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254")?;
        stage.netctl("group create private epg-a")?;
        stage.netctl("policy create policy-ab")?;
        stage.netctl("group create private epg-b -p policy-ab")?;
        let (a, b) = (stage.start("ann", "epg-a")?, stage.start("ben", "epg-b")?);
        a.pings(b.ip)?;
        b.pings(a.ip)?;
        stage.netctl(
            "policy rule-add policy-ab 1 -d in --protocol icmp --from-group epg-a --action deny",
        )?;
        a.soon_pings_in_vain(b.ip)?;
        // What b asks is answered: the rule is about who begins.
        b.pings(a.ip)
    })
}
