//! `netctl doctor`.

use clap::Args;
use contiv_client::Client;
use contiv_model::doctor::{Diagnosis, DoctorRequest, Finding, Severity};

use crate::failure::{Failure, Places};
use crate::output::InfoFlags;
use crate::session::Session;

/// Examines the fabric, its hosts and the ways between them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    netctl doctor\n  \
    netctl doctor worker-1 worker-2 --json\n  \
    netctl doctor --fix\n\n\
    It ends with 3 when something is broken; what could merely be better is told and ends with 0.")]
pub(crate) struct Doctor {
    /// The hosts to examine [default: all, and the masters' own state].
    hosts: Vec<String>,
    /// Repair what needs nobody's decision: free addresses that leaked, delete links of no endpoint.
    #[arg(long)]
    fix: bool,
    /// Print what is well, too.
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    output: InfoFlags,
}

const PLACES: Places = &[("hosts", "HOSTS")];

impl Doctor {
    pub(crate) async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        let request = DoctorRequest {
            hosts: self.hosts,
            fix: self.fix,
        };
        let refused = Failure::with_places(PLACES);
        let diagnosis = client.doctor(&request).await.map_err(refused)?;
        let lines = lines(&diagnosis, self.all);
        self.output.print(session, &diagnosis, &lines)?;
        match diagnosis.severity {
            Severity::Ok | Severity::Warning => Ok(()),
            Severity::Error => Err(Failure::Invalid(format!(
                "{} found; what helps is said with each",
                counted(&diagnosis, Severity::Error)
            ))),
        }
    }
}

/// A finding in a line, what helps in the next; at last how many there are.
fn lines(diagnosis: &Diagnosis, all: bool) -> String {
    let mut text = String::new();
    let shown = |f: &&Finding| all || f.severity > Severity::Ok;
    for finding in diagnosis.findings.iter().filter(shown) {
        text.push_str(&line(finding));
    }
    let checked = diagnosis.findings.len();
    let hosts = match diagnosis.hosts.len() {
        1 => "1 host".to_owned(),
        number => format!("{number} hosts"),
    };
    text.push_str(&format!(
        "{checked} checks, {hosts} examined: {}, {}\n",
        counted(diagnosis, Severity::Error),
        counted(diagnosis, Severity::Warning)
    ));
    text
}

fn line(finding: &Finding) -> String {
    let Finding {
        check,
        severity,
        host,
        subject,
        what,
        remedy,
        fixed,
        ..
    } = finding;
    let word = match (severity, fixed) {
        (_, true) => "fixed",
        (Severity::Ok, _) => "ok",
        (Severity::Warning, _) => "warning",
        (Severity::Error, _) => "error",
    };
    let place: Vec<&str> = [host.as_str(), check, subject]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    // What hosts say may hold anything; a line break would forge a finding.
    let clean = |text: &str| text.replace(char::is_control, "?");
    let mut line = format!("{word:<8}{}: {}\n", clean(&place.join(" ")), clean(what));
    if finding.is_open() {
        line.push_str(&format!("        -> {}\n", clean(remedy)));
    }
    line
}

/// `no errors`, `1 error`, `2 errors`.
fn counted(diagnosis: &Diagnosis, severity: Severity) -> String {
    let of = |f: &&Finding| f.is_open() && f.severity == severity;
    let word = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Ok => "check",
    };
    match diagnosis.findings.iter().filter(of).count() {
        0 => format!("no {word}s"),
        1 => format!("1 {word}"),
        number => format!("{number} {word}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_where_what_and_what_helps() {
        let mut diagnosis = Diagnosis {
            hosts: vec!["h1".into()],
            findings: vec![
                Finding::ok("clock", "right").on("h1"),
                Finding::error("tunnel-port", "closed\nby a rule", "open it")
                    .about("h2")
                    .on("h1"),
                Finding {
                    fixed: true,
                    ..Finding::warning("leaked-address", "10.1.0.9 is held", "--fix")
                },
            ],
            ..Diagnosis::default()
        };
        diagnosis.conclude();
        assert_eq!(
            lines(&diagnosis, false),
            "error   h1 tunnel-port h2: closed?by a rule\n        -> open it\n\
             fixed   leaked-address: 10.1.0.9 is held\n\
             3 checks, 1 host examined: 1 error, no warnings\n"
        );
        assert!(lines(&diagnosis, true).contains("ok      h1 clock: right\n"));
    }
}
