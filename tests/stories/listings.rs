//! Endpoints are listed and inspected with what the engine and the kernel know of them.

use anyhow::{Context, ensure};
use contiv_testbed::wait_for;
use serde_json::Value;

use crate::stage::{Result, SOON, Stage, story};

#[test]
fn endpoints_are_shown_with_names_and_labels() -> Result<()> {
    story(|stage| {
        stage.netctl("tenant create blue")?;
        stage.netctl("net create -t blue private -s 10.1.0.0/16 -g 10.1.1.254")?;
        stage.netctl("group create -t blue private web")?;
        let web = stage.start_with("web-1", "web/blue", &["--label", "role=front"])?;
        let row = wait_for(SOON, "the endpoint with its name", || {
            let listed = stage.netctl("endpoint ls -t blue")?;
            let row = listed.lines().find(|line| line.contains("web-1"));
            row.map(str::to_owned).with_context(|| listed.clone())
        })?;
        let endpoint = &web.container.networks["web/blue"].endpoint_id;
        for part in [
            &endpoint[..12],
            "blue",
            "private",
            "web",
            &web.ip.to_string(),
            &web.mac,
        ] {
            assert!(row.contains(part), "{part} is not in {row}");
        }
        assert!(
            !stage.netctl("endpoint ls")?.contains("web-1"),
            "blue is not default"
        );
        for name in [&endpoint[..], "web-1", &web.container.id] {
            let shown: Value =
                serde_json::from_str(&stage.netctl(&format!("endpoint inspect {name}"))?)?;
            let oper = &shown["Oper"];
            assert_eq!(oper["endpointID"], **endpoint, "{shown}");
            assert_eq!(oper["containerName"], "web-1");
            assert_eq!(oper["containerID"], *web.container.id);
            assert_eq!(oper["serviceName"], "web");
            assert_eq!(oper["homingHost"], stage.host.name());
            assert!(oper["labels"].to_string().contains("front"), "{shown}");
        }
        let network = stage.inspect("networks", "blue:private")?;
        assert!(
            network["Oper"].to_string().contains(&endpoint[..]),
            "{network}"
        );
        stage.remove(["web-1"])?;
        wait_for(SOON, "the endpoint to go", || {
            let listed = stage.netctl("endpoint ls -t blue")?;
            ensure!(!listed.contains("web-1"), "{listed}");
            Ok(())
        })
    })
}

#[test]
fn a_renamed_container_is_shown_by_its_new_name() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254")?;
        stage.start("before", "private")?;
        stage.docker("rename before after")?;
        wait_for(SOON, "the new name", || {
            let listed = stage.netctl("endpoint ls")?;
            ensure!(listed.contains("after"), "{listed}");
            Ok(())
        })
    })
}

#[test]
fn drops_are_counted_by_reason() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254")?;
        stage.netctl("policy create p")?;
        stage.netctl("policy rule-add p 1 -d in -l tcp -j deny")?;
        stage.netctl("group create private guarded -p p")?;
        let (a, b) = (
            stage.start("sender", "guarded")?,
            stage.start("receiver", "guarded")?,
        );
        // Names come later than endpoints.
        let before = wait_for(SOON, "both by their names", || drops(stage))?;
        assert_eq!(before, 0, "before anything was dropped");
        let _server = b.listens(8000)?;
        a.is_barred(b.ip, 8000)?;
        wait_for(SOON, "the drops to be shown", || {
            ensure!(drops(stage)? > 0, "none yet");
            let metrics = stage.metrics(true)?;
            let line = metrics.lines().find(|line| {
                line.starts_with("contiv_netplugin_dropped_packets{") && !line.ends_with(" 0")
            });
            line.map(drop).with_context(|| metrics.clone())
        })
    })
}

/// Packets dropped at all endpoints, for any reason.
fn drops(stage: &Stage) -> Result<u64> {
    let mut sum = 0;
    for name in ["sender", "receiver"] {
        let shown = stage.get(&format!("/api/v1/inspect/endpoints/{name}/"))?;
        let drops = shown["Oper"]["drops"].as_object();
        sum += drops
            .into_iter()
            .flatten()
            .filter_map(|(_, n)| n.as_u64())
            .sum::<u64>();
    }
    Ok(sum)
}
