//! An engine whose containers outlive it: they keep their addresses and their connections.

use contiv_testbed::{EngineOptions, Stream, StreamSpec};
use std::time::Duration;

use crate::stage::{Result, story_on};

#[test]
fn containers_keep_address_and_traffic_while_the_engine_is_away() -> Result<()> {
    let options = EngineOptions {
        live_restore: true,
        ..EngineOptions::default()
    };
    story_on(options, &[], |stage| {
        stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254")?;
        let (a, b) = (
            stage.start("ann", "private")?,
            stage.start("ben", "private")?,
        );
        let spec = StreamSpec::to((b.ip, 5000).into());
        let stream = Stream::start(&a.netns, &b.netns, &spec)?;
        stream.flows(100, Duration::from_secs(10))?;
        for crash in [false, true] {
            if crash {
                stage.engine.kill9();
            } else {
                stage.engine.stop()?;
            }
            stream.flows(500, Duration::from_secs(10))?;
            stage.engine.up()?;
            stream.flows(500, Duration::from_secs(10))?;
            let newcomer = stage.start("newcomer", "private")?;
            assert!(
                ![a.ip, b.ip].contains(&newcomer.ip),
                "an address was given twice"
            );
            newcomer.pings(a.ip)?;
            stage.remove(["newcomer"])?;
        }
        assert_eq!(stream.stop().lost, 0);
        Ok(())
    })
}
