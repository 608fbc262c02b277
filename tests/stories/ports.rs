//! `-p` on a Contiv network is refused with a reason, never silently ignored.

use crate::stage::{Result, story};

#[test]
fn publishing_a_port_is_refused_with_a_reason() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254")?;
        let reason = "an address of its own";
        stage.cannot_run(&["-p", "8080:80", "--network", "private"], reason)?;
        stage.cannot_run(&["--expose", "80", "-P", "--network", "private"], reason)?;
        stage.all_addresses_come_back()?;
        // To expose a port publishes nothing, and is fine.
        stage.start_with("exposed", "private", &["--expose", "80"])?;
        stage.start("plain", "bridge")?;
        Ok(())
    })
}
