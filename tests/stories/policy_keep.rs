//! A connection that a rule with `keepEstablished` has let in outlives the rule.

use crate::stage::{Result, story};

#[test]
fn a_kept_connection_lives_on_where_another_is_cut() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254")?;
        stage.netctl("policy create p")?;
        stage.netctl("policy rule-add p shut -d in -l tcp -j deny")?;
        stage.netctl("policy rule-add p kept -d in -l tcp -P 8000 -p 10 --keep-established")?;
        stage.netctl("policy rule-add p cut -d in -l tcp -P 8001 -p 10")?;
        stage.netctl("group create private guarded -p p")?;
        let (a, b) = (
            stage.start("ann", "guarded")?,
            stage.start("ben", "guarded")?,
        );
        let _servers = [b.listens(8000)?, b.listens(8001)?];
        let (mut kept, mut cut) = (a.talks_to(b.ip, 8000)?, a.talks_to(b.ip, 8001)?);
        kept.is_heard()?;
        cut.is_heard()?;
        stage.netctl("policy rule-rm p kept")?;
        stage.netctl("policy rule-rm p cut")?;
        a.soon_is_barred(b.ip, 8000)?;
        a.soon_is_barred(b.ip, 8001)?;
        cut.is_cut()?;
        kept.is_heard()?;
        // And over every later change.
        stage.netctl("policy rule-add p shutter -d in -l tcp -j deny -p 100")?;
        kept.is_heard()
    })
}
