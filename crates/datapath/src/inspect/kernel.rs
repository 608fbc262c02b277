//! What the kernel is, and what it can.

use std::fs;

use crate::bpf;
use crate::pins::Pins;

/// The kernel, as far as the data plane depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelFacts {
    /// Such as `6.1.0-18-amd64`.
    pub release: String,
    /// It can attach programs by tcx.
    pub has_tcx: bool,
    /// Ours are attached so.
    pub by_tcx: bool,
    /// Programs are translated to machine code; none where the kernel does not say.
    pub jit: Option<bool>,
    /// It passes on what comes for others.
    pub forwards: bool,
    /// Pins lie on a bpf file system, and outlive the agent.
    pub pins_last: bool,
}

pub(super) fn facts(pins: &Pins, by_tcx: bool) -> KernelFacts {
    let setting = |path: &str| {
        let text = fs::read_to_string(path).ok()?;
        Some(text.trim().to_owned())
    };
    KernelFacts {
        release: setting("/proc/sys/kernel/osrelease").unwrap_or_default(),
        has_tcx: bpf::has_tcx(),
        by_tcx,
        jit: setting("/proc/sys/net/core/bpf_jit_enable").map(|value| value != "0"),
        forwards: setting("/proc/sys/net/ipv4/ip_forward").is_some_and(|value| value == "1"),
        pins_last: pins.last(),
    }
}

/// UDP packets of both families that came with a wrong checksum.
pub(super) fn bad_checksums() -> u64 {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    of_snmp(&read("/proc/net/snmp")) + of_snmp6(&read("/proc/net/snmp6"))
}

/// Names in one line, values in the next, both behind `Udp:`.
fn of_snmp(text: &str) -> u64 {
    let mut lines = text.lines().filter(|line| line.starts_with("Udp:"));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else {
        return 0;
    };
    let mut pairs = names.split_whitespace().zip(values.split_whitespace());
    let found = pairs.find(|(name, _)| *name == "InCsumErrors");
    found
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or_default()
}

fn of_snmp6(text: &str) -> u64 {
    let mut lines = text.lines().map(str::split_whitespace);
    let found = lines.find_map(|mut words| {
        (words.next() == Some("Udp6InCsumErrors")).then(|| words.next()?.parse().ok())
    });
    found.flatten().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_checksums_are_found_among_the_counters() {
        let text = "Tcp: A B\nTcp: 1 2\nUdp: InDatagrams InCsumErrors X\nUdp: 7 3 9\n";
        assert_eq!(of_snmp(text), 3);
        assert_eq!(of_snmp("Udp: InDatagrams\nUdp: 7\n"), 0);
        assert_eq!(of_snmp(""), 0);
        assert_eq!(of_snmp6("Ip6X 1\nUdp6InCsumErrors   5\n"), 5);
        assert_eq!(of_snmp6("Ip6X 1\n"), 0);
    }
}
