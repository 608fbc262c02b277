//! Hosts join a master over the network by one command, and people log in to it.

use std::process::{Command, Output};

use anyhow::{Context, ensure};
use contiv_testbed::{Daemon, Host, World, bin, wait_for};
use serde_json::Value;

use crate::stage::{Result, SOON};

/// A master that both hosts reach, on the first of them.
struct Cluster {
    near: Host,
    far: Host,
    url: String,
    _master: Daemon,
    _world: World,
}

impl Cluster {
    fn start() -> Result<Cluster> {
        let world = World::new()?;
        let (near, far) = (Host::new("near")?, Host::new("far")?);
        let address = world.attach(&near)?;
        world.attach(&far)?;
        let mut command = Command::new(bin("netmaster")?);
        command.args(["--listen-url", "127.0.0.1:9999,0.0.0.0:9998"]);
        let master = near.spawn("netmaster", command)?;
        let cluster = Cluster {
            near,
            far,
            url: format!("https://{address}:9998"),
            _master: master,
            _world: world,
        };
        wait_for(SOON, "a token", || cluster.token())?;
        Ok(cluster)
    }

    fn token(&self) -> Result<String> {
        let netmaster = bin("netmaster")?;
        let words = [netmaster.as_os_str(), "token".as_ref(), "create".as_ref()];
        Ok(self.near.run(&words)?.trim().to_owned())
    }

    fn agent(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(bin("netplugin")?);
        command.args(["--netmaster", &self.url, "--host-label", "far"]);
        command.args(arguments);
        Ok(command)
    }

    fn until_live(&self, live: bool) -> Result<()> {
        let limit = std::time::Duration::from_secs(5);
        let master = ([127, 0, 0, 1], 9999).into();
        wait_for(SOON, "the master to take note of the host", || {
            let near = self.near.netns()?;
            let hosts = near
                .http(master, "GET", "/api/v1/hosts/", None, limit)?
                .body;
            let of = |host: &&Value| host["name"] == "far";
            let far = hosts.as_array().and_then(|hosts| hosts.iter().find(of));
            let is = far.is_some_and(|far| far["live"] == true);
            ensure!(is == live, "{hosts}");
            Ok(())
        })
    }

    fn netctl(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = Command::new(bin("netctl")?);
        command
            .args(arguments)
            .env("CONTIV_CONFIG", "/var/lib/netctl.config");
        self.far.output_of(command)
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_host_joins_by_one_command_and_comes_back_without_it() -> Result<()> {
    let cluster = Cluster::start()?;
    let refused = cluster.far.output_of(cluster.agent(&[])?)?;
    ensure!(refused.status.code() == Some(22), "{}", said(&refused));
    ensure!(
        said(&refused).contains("--join-token"),
        "{}",
        said(&refused)
    );

    let token = cluster.token()?;
    let agent = cluster.agent(&["--join-token", &token])?;
    let agent = cluster.far.spawn("netplugin", agent)?;
    cluster
        .until_live(true)
        .with_context(|| agent.log_tail(15))?;
    drop(agent);
    cluster.until_live(false)?;
    let agent = cluster.far.spawn("netplugin", cluster.agent(&[])?)?;
    cluster
        .until_live(true)
        .with_context(|| agent.log_tail(15))?;

    // Another machine gets neither in by the same token nor by the same name.
    let posing = cluster.agent(&["--join-token", &token])?;
    let refused = cluster.near.output_of(posing)?;
    ensure!(
        said(&refused).contains("used by host far"),
        "{}",
        said(&refused)
    );
    let posing = cluster.agent(&["--join-token", &cluster.token()?])?;
    let refused = cluster.near.output_of(posing)?;
    ensure!(
        said(&refused).contains("has joined already"),
        "{}",
        said(&refused)
    );
    cluster.until_live(true)
}

#[test]
fn people_log_in_from_another_host() -> Result<()> {
    let cluster = Cluster::start()?;
    let refused = cluster.netctl(&["net", "ls", "--netmaster", &cluster.url])?;
    ensure!(
        said(&refused).contains("netctl login"),
        "{}",
        said(&refused)
    );

    let kept = |file: &str| cluster.near.path(format!("/var/lib/contiv/{file}"));
    let token = std::fs::read_to_string(kept("admin.token"))?;
    std::fs::copy(kept("ca.pem"), cluster.far.path("/var/lib/ca.pem"))?;
    let url = ["--netmaster", &cluster.url];
    let flags = ["login", "--ca", "/var/lib/ca.pem", "--token"];
    let wrong = cluster.netctl(&[&flags[..], &["contiv-admin.0"], &url].concat())?;
    ensure!(said(&wrong).contains("token rotate"), "{}", said(&wrong));
    let right = cluster.netctl(&[&flags[..], &[token.trim()], &url].concat())?;
    ensure!(right.status.success(), "{}", said(&right));
    for line in [&["net", "ls"][..], &["host", "token"]] {
        let done = cluster.netctl(line)?;
        ensure!(done.status.success(), "{line:?}: {}", said(&done));
    }
    Ok(())
}
