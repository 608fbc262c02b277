//! Programs and rules of others that meet packets of ours, and places where ours are missing.

use contiv_datapath::{Foreign, Hook, Inspection};
use contiv_model::doctor::Finding;

pub(super) fn judge(facts: &Inspection) -> Vec<Finding> {
    let mut findings: Vec<Finding> = facts.foreign.iter().map(foreign).collect();
    if findings.is_empty() {
        let what = "no programs of others on the links that packets take";
        findings.push(Finding::ok("foreign-programs", what));
    }
    let bare = facts.bare.iter().map(|link| {
        let what = format!("no program of Contiv's runs at {link}: what comes there is not judged");
        let remedy = "it is attached anew within seconds; if it is not, start netplugin anew, and \
                      find what detaches it";
        Finding::error("programs", what, remedy).about(link)
    });
    let before = findings.len();
    findings.extend(bare);
    if findings.len() == before {
        findings.push(Finding::ok("programs", "every link of Contiv's is guarded"));
    }
    findings
}

fn foreign(foreign: &Foreign) -> Finding {
    let Foreign {
        link,
        hook,
        program,
    } = foreign;
    let what = format!(
        "program {program} of somebody else runs at {link} ({}), and may drop or change packets",
        hook.name()
    );
    let remedy = match hook {
        Hook::Xdp => format!("if it is not wanted: ip link set dev {link} xdp off"),
        Hook::TcIngress => format!("if it is not wanted: tc filter del dev {link} ingress"),
        Hook::TcEgress => format!("if it is not wanted: tc filter del dev {link} egress"),
        Hook::TcxIngress | Hook::TcxEgress => {
            format!("if it is not wanted, end who made it: bpftool net show dev {link}")
        }
    };
    Finding::warning("foreign-programs", what, remedy).about(link)
}

#[cfg(test)]
mod tests {
    use contiv_model::doctor::Severity;

    use super::*;

    #[test]
    fn each_hook_has_its_remedy_and_an_unguarded_link_is_an_error() {
        let hooks = [
            (Hook::Xdp, "xdp off"),
            (Hook::TcxIngress, "bpftool"),
            (Hook::TcxEgress, "bpftool"),
            (Hook::TcIngress, "eth0 ingress"),
            (Hook::TcEgress, "eth0 egress"),
        ];
        for (hook, remedy) in hooks {
            let facts = Inspection {
                foreign: vec![Foreign {
                    link: "eth0".into(),
                    hook,
                    program: "spy".into(),
                }],
                ..Inspection::default()
            };
            let finding = judge(&facts).swap_remove(0);
            assert_eq!(finding.severity, Severity::Warning);
            assert!(finding.what.contains("spy") && finding.what.contains(hook.name()));
            assert!(finding.remedy.contains(remedy), "{finding:?}");
        }
        let facts = Inspection {
            bare: vec!["cv1a".into()],
            ..Inspection::default()
        };
        let worst = judge(&facts).into_iter().max_by_key(|f| f.severity);
        let worst = worst.expect("a finding");
        assert_eq!((worst.severity, &*worst.subject), (Severity::Error, "cv1a"));
        assert!(!judge(&Inspection::default()).iter().any(Finding::is_open));
    }
}
