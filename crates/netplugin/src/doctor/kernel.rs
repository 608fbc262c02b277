//! Whether the kernel can what the data plane needs.

use contiv_datapath::KernelFacts;
use contiv_model::doctor::Finding;

/// What the data plane needs at least.
const LEAST: (u32, u32) = (6, 1);

pub(super) fn judge(facts: &KernelFacts) -> Vec<Finding> {
    let release = &facts.release;
    let mut findings = vec![match version(release) {
        Some(version) if version < LEAST => Finding::error(
            "kernel",
            format!("Linux {release} lacks what the data plane's programs call"),
            "boot Linux 6.1 or newer",
        ),
        _ if facts.has_tcx && !facts.by_tcx => Finding::ok(
            "kernel",
            format!("Linux {release}; programs are attached by clsact, as --attach says"),
        ),
        _ if facts.by_tcx => Finding::ok(
            "kernel",
            format!("Linux {release}; programs are attached by tcx"),
        ),
        _ => Finding::ok(
            "kernel",
            format!("Linux {release}; programs are attached by clsact, since it has no tcx"),
        ),
    }];
    findings.push(match facts.jit {
        Some(false) => Finding::warning(
            "kernel-jit",
            "programs are interpreted, which costs several times the processor",
            "sysctl -w net.core.bpf_jit_enable=1, and keep it in /etc/sysctl.d",
        ),
        _ => Finding::ok("kernel-jit", "programs are translated to machine code"),
    });
    findings.push(match facts.pins_last {
        true => Finding::ok("kernel-bpf-fs", "pins are on a bpf file system"),
        false => Finding::error(
            "kernel-bpf-fs",
            "pins are not on a bpf file system: programs and connections would end with the agent",
            "mount one, mount -t bpf bpf /sys/fs/bpf, and start netplugin anew",
        ),
    });
    findings.push(match facts.forwards {
        true => Finding::ok("kernel-forwarding", "the host forwards"),
        false => Finding::error(
            "kernel-forwarding",
            "net.ipv4.ip_forward is 0: containers do not reach the world",
            "find what sets it (often a file in /etc/sysctl.d), and \
             sysctl -w net.ipv4.ip_forward=1",
        ),
    });
    findings
}

/// The first two numbers of a release.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use contiv_model::doctor::Severity;

    use super::*;

    fn healthy() -> KernelFacts {
        KernelFacts {
            release: "6.1.0-18-amd64".into(),
            has_tcx: false,
            by_tcx: false,
            jit: Some(true),
            forwards: true,
            pins_last: true,
        }
    }

    fn open(facts: &KernelFacts) -> Vec<(String, Severity)> {
        let findings = judge(facts).into_iter().filter(Finding::is_open);
        findings
            .inspect(|finding| assert!(!finding.remedy.is_empty(), "{finding:?}"))
            .map(|finding| (finding.check, finding.severity))
            .collect()
    }

    #[test]
    fn a_healthy_kernel_has_nothing_open() {
        assert_eq!(open(&healthy()), []);
        let newer = KernelFacts {
            release: "6.18.4".into(),
            has_tcx: true,
            by_tcx: true,
            jit: None,
            ..healthy()
        };
        assert_eq!(open(&newer), []);
        assert!(judge(&newer)[0].what.contains("by tcx"));
    }

    #[test]
    fn each_lack_is_named_with_its_remedy() {
        let lack = |change: fn(&mut KernelFacts)| {
            let mut facts = healthy();
            change(&mut facts);
            open(&facts)
        };
        let of = |check: &str, severity| vec![(check.to_owned(), severity)];
        let old = lack(|facts| facts.release = "5.15.0".into());
        assert_eq!(old, of("kernel", Severity::Error));
        let slow = lack(|facts| facts.jit = Some(false));
        assert_eq!(slow, of("kernel-jit", Severity::Warning));
        let unpinned = lack(|facts| facts.pins_last = false);
        assert_eq!(unpinned, of("kernel-bpf-fs", Severity::Error));
        let shut = lack(|facts| facts.forwards = false);
        assert_eq!(shut, of("kernel-forwarding", Severity::Error));
    }
}
