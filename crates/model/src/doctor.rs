//! What is found when the fabric is examined, and what helps.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The body of `POST /api/v1/doctor/`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct DoctorRequest {
    /// The hosts to examine; all that are known when empty.
    pub hosts: Vec<String>,
    /// Have what can be repaired without a decision of people repaired.
    pub fix: bool,
}

/// The answer: every check of every host, the worst first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Diagnosis {
    /// `EPOCH.NUMBER` of what was looked at.
    pub revision: String,
    /// The hosts that have answered.
    pub hosts: Vec<String>,
    /// The worst of all findings that are not repaired.
    pub severity: Severity,
    pub findings: Vec<Finding>,
}

/// How bad something is.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    #[default]
    Ok,
    /// Packets flow, and something is slower or weaker than it need be, or soon will be.
    Warning,
    /// Packets that should arrive do not, or ones that should not do.
    Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Finding {
    /// The check's name, such as `tunnel-port`.
    pub check: String,
    pub severity: Severity,
    /// Where it was found; empty when it is about the whole fabric.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// What it is about: a link, a peer, an address; empty when it is the host itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// What is so.
    pub what: String,
    /// What to do about it; empty when nothing is to be done.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remedy: String,
    /// `fix` repairs it.
    #[serde(skip_serializing_if = "is_false")]
    pub fixable: bool,
    /// It was repaired.
    #[serde(skip_serializing_if = "is_false")]
    pub fixed: bool,
}

impl Finding {
    /// Something that is as it should be.
    pub fn ok(check: &str, what: impl Into<String>) -> Finding {
        Finding {
            check: check.to_owned(),
            what: what.into(),
            ..Finding::default()
        }
    }

    /// Something that could be better, and how.
    pub fn warning(check: &str, what: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding {
            severity: Severity::Warning,
            remedy: remedy.into(),
            ..Finding::ok(check, what)
        }
    }

    /// Something that is broken, and what helps.
    pub fn error(check: &str, what: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding {
            severity: Severity::Error,
            ..Finding::warning(check, what, remedy)
        }
    }

    /// The same about something.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Finding {
        self.subject = subject.into();
        self
    }

    /// The same, found on a host.
    #[must_use]
    pub fn on(mut self, host: impl Into<String>) -> Finding {
        self.host = host.into();
        self
    }

    /// The same, which `fix` repairs.
    #[must_use]
    pub fn fixable(mut self) -> Finding {
        self.fixable = true;
        self
    }

    /// Whether somebody has to do something.
    pub fn is_open(&self) -> bool {
        self.severity > Severity::Ok && !self.fixed
    }
}

impl Diagnosis {
    /// Sorts findings, the worst first, and says what the worst is that is not repaired.
    pub fn conclude(&mut self) {
        let place = |f: &Finding| (f.host.clone(), f.check.clone(), f.subject.clone());
        self.findings
            .sort_by_cached_key(|f| (std::cmp::Reverse(f.severity), place(f)));
        let open = self.findings.iter().filter(|finding| finding.is_open());
        self.severity = open.map(|f| f.severity).max().unwrap_or_default();
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_comes_first_and_what_is_repaired_does_not_count() {
        let mut diagnosis = Diagnosis {
            findings: vec![
                Finding::ok("clock", "fine"),
                Finding::warning("jit", "off", "switch it on").on("b"),
                Finding {
                    fixed: true,
                    ..Finding::error("leak", "an address", "free it").on("a")
                },
            ],
            ..Diagnosis::default()
        };
        diagnosis.conclude();
        let checks: Vec<&str> = diagnosis.findings.iter().map(|f| &*f.check).collect();
        assert_eq!(checks, ["leak", "jit", "clock"]);
        assert_eq!(diagnosis.severity, Severity::Warning);
        diagnosis.findings.retain(|f| f.check != "jit");
        diagnosis.conclude();
        assert_eq!(diagnosis.severity, Severity::Ok);
    }
}
