//! The virtual machine: what it runs, and what it says on its serial line.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// How a line begins that tells a suite's end.
const MARK: &str = "guest-suite:";

/// How long the machine may run, start to end.
const LIMIT: &str = "60m";

/// The guest's first process.
pub(super) fn init(suites: &BTreeSet<String>, filter: &str) -> String {
    let mut script = String::from(
        "#!/bin/sh\n\
         export PATH=/bin:/sbin HOME=/ TMPDIR=/tmp PROPTEST_CASES=24 CONTIV_GUEST=1\n\
         mount -t proc proc /proc\n\
         mount -t sysfs sysfs /sys\n\
         mount -t devtmpfs dev /dev\n\
         mount -t tmpfs tmpfs /run\n\
         mount -t tmpfs tmpfs /tmp\n\
         mount -t bpf bpf /sys/fs/bpf\n\
         mkdir -p /var/lib /run/netns /sys/fs/cgroup\n\
         mount -t cgroup2 cgroup2 /sys/fs/cgroup\n\
         ip link set lo up\n\
         for module in veth bridge vxlan sch_ingress cls_bpf nf_tables nft_ct nft_masq nft_chain_nat \
         br_netfilter ip_tables iptable_filter xt_conntrack; do\n\
           modprobe $module 2>/dev/null\n\
         done\n\
         uname -r\n\
         cd /tmp\n",
    );
    for suite in suites {
        script.push_str(&format!(
            "echo; echo '── {suite}'; /tests/{suite} {filter} --test-threads=2; echo \"{MARK} {suite} $?\"\n"
        ));
    }
    script.push_str("sync; poweroff -f\n");
    script
}

/// Boots, shows the serial line, and fails unless every suite ended well.
pub(super) fn boot(kernel: &Path, initrd: &Path, suites: &BTreeSet<String>) -> Result<Vec<String>> {
    println!("  boot (emulated: it takes minutes)");
    let mut child = Command::new("timeout")
        .args([
            LIMIT,
            "qemu-system-x86_64",
            "-nographic",
            "-no-reboot",
            "-nic",
            "none",
        ])
        .args([
            "-accel",
            "tcg,thread=multi",
            "-cpu",
            "max",
            "-smp",
            "2",
            "-m",
            "1536",
        ])
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(initrd)
        .args(["-append", "console=ttyS0 quiet panic=-1"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("start qemu")?;
    let serial = child.stdout.take().context("the serial line")?;
    let mut ended = BTreeMap::new();
    for line in BufReader::new(serial).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).trim_end().to_owned();
        println!("  │ {line}");
        if let Some((suite, code)) = verdict(&line) {
            ended.insert(suite, code);
        }
    }
    child.wait()?;
    for suite in suites {
        match ended.get(suite) {
            Some(0) => println!("PASS {suite}"),
            Some(code) => println!("FAIL {suite} (exit code {code})"),
            None => println!("FAIL {suite} (it did not end)"),
        }
    }
    if suites.iter().any(|suite| ended.get(suite) != Some(&0)) {
        bail!("not every suite passed in the guest");
    }
    Ok(suites.iter().cloned().collect())
}

fn verdict(line: &str) -> Option<(String, i32)> {
    let (suite, code) = line.strip_prefix(MARK)?.trim().split_once(' ')?;
    Some((suite.to_owned(), code.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_how_a_suite_ended() {
        assert_eq!(
            verdict("guest-suite: policy 101"),
            Some(("policy".into(), 101))
        );
        assert_eq!(verdict("test policy ... ok"), None);
        assert_eq!(verdict("guest-suite: policy"), None);
    }

    #[test]
    fn the_guest_runs_each_suite_and_ends() {
        let script = init(
            &BTreeSet::from(["one".to_owned(), "two".to_owned()]),
            "life",
        );
        assert!(
            script.contains("/tests/one life --test-threads=2") && script.contains("/tests/two")
        );
        assert!(script.ends_with("poweroff -f\n"));
    }
}
