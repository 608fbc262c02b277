//! What the script that uninstalls finds of ours in Docker, on a machine whose commands are all
//! feigned.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::root;

/// A directory of commands that do nothing but to write down that they were called.
struct Machine(PathBuf);

impl Machine {
    fn new(name: &str) -> Machine {
        let dir = std::env::temp_dir().join(format!("house-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let machine = Machine(dir);
        for command in ["systemctl", "ip", "rm", "nft", "iptables", "xargs"] {
            machine.feign(command, "");
        }
        machine.feign("id", "echo 0");
        for command in ["awk", "sed", "grep"] {
            symlink(Path::new("/usr/bin").join(command), machine.0.join(command)).unwrap();
        }
        machine
    }

    fn feign(&self, command: &str, act: &str) {
        let log = self.0.join("log").display().to_string();
        let text = format!("#!/bin/sh\necho {command} \"$@\" >> {log}\n{act}\n");
        let path = self.0.join(command);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// An engine with one network of this driver, with these containers on it.
    fn engine(&self, driver: &str, containers: &str) {
        let act = format!(
            "case \"$1 $2\" in\n\
             \"network ls\") echo bridge n0; echo {driver} n1 ;;\n\
             \"ps -q\") if [ \"$4\" = network=n1 ]; then echo {containers}; fi ;;\n\
             \"plugin ls\") echo other/plugin:1; echo contiv/netplugin:1 ;;\n\
             esac"
        );
        self.feign("docker", &act);
    }

    fn uninstall(&self, arguments: &[&str]) -> Output {
        let _ = fs::remove_file(self.0.join("log"));
        Command::new("/bin/bash")
            .arg(root().join("packaging/uninstall.sh"))
            .args(arguments)
            .env_clear()
            .env("PATH", &self.0)
            .output()
            .unwrap()
    }

    /// What was called last.
    fn called(&self) -> String {
        fs::read_to_string(self.0.join("log")).unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// An agent that is installed here would be told to clean up in earnest.
fn installed() -> bool {
    let installed = Path::new("/usr/local/bin/netplugin").exists();
    if installed {
        eprintln!("skipped: Contiv is installed on this machine");
    }
    installed
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8(both).unwrap()
}

#[test]
fn running_containers_stop_it_whichever_driver_they_are_on() {
    if installed() {
        return;
    }
    let machine = Machine::new("running");
    for driver in [
        "netplugin",
        "contiv/netplugin:1",
        "registry:5000/contiv/netplugin",
    ] {
        machine.engine(driver, "c1");
        for option in [&[][..], &["--keep-swarm"]] {
            let output = machine.uninstall(option);
            assert_eq!(output.status.code(), Some(1), "{driver}: {}", said(&output));
            assert!(said(&output).contains("containers still run"), "{driver}");
            let called = machine.called();
            let touches = |line: &str| line.starts_with("systemctl") || line.starts_with("rm");
            assert!(!called.lines().any(touches), "{driver}: {called}");
        }
    }
    // Of somebody else.
    machine.engine("not-contiv/netplugin:1", "c1");
    let output = machine.uninstall(&[]);
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn a_swarm_keeps_its_networks_only_when_that_is_said() {
    if installed() {
        return;
    }
    let machine = Machine::new("swarm");
    machine.engine("contiv/netplugin:1", "");
    let output = machine.uninstall(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("docker network rm n1"),
        "{}",
        said(&output)
    );
    assert!(
        !machine.called().contains("systemctl"),
        "{}",
        machine.called()
    );

    let output = machine.uninstall(&["--keep-swarm"]);
    assert!(output.status.success(), "{}", said(&output));
    let plugin = "docker plugin rm --force contiv/netplugin:1";
    assert!(said(&output).contains(plugin), "{}", said(&output));
    assert!(!said(&output).contains("other/plugin"), "{}", said(&output));
    assert!(
        !machine.called().contains("docker network rm"),
        "{}",
        machine.called()
    );

    machine.engine("netplugin", "");
    assert!(machine.uninstall(&[]).status.success());
    assert!(
        machine.called().contains("docker network rm n1"),
        "{}",
        machine.called()
    );
}
