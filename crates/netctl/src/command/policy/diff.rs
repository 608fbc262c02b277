//! `netctl policy diff`.

use clap::Args;
use contiv_client::Client;
use contiv_model::reach::{DiffChange, DiffTenant, PolicyDiff};

use crate::command::apply::FileFlags;
use crate::failure::Failure;
use crate::output::{InfoFlags, Rows};
use crate::session::Session;

/// Shows which pairs and ports files would open or close, before they are applied.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    netctl policy diff web.yaml\n  \
    netctl policy diff -f intent/ --prune --json")]
pub(crate) struct Diff {
    #[command(flatten)]
    files: FileFlags,
    #[command(flatten)]
    output: InfoFlags,
}

impl Diff {
    pub(crate) async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        let documents = self.files.documents()?;
        let request = self.files.request(&documents);
        let diff = client.policy_diff(&request).await;
        let diff = diff.map_err(|error| FileFlags::placed(&documents, error))?;
        self.output.print(session, &diff, &lines(&diff))
    }
}

fn lines(diff: &PolicyDiff) -> String {
    let mut text = String::new();
    for tenant in &diff.tenants {
        text.push_str(&of_tenant(tenant));
    }
    let changes = || diff.tenants.iter().flat_map(|tenant| &tenant.changes);
    let count = |word: &str| changes().filter(|change| change.change == word).count();
    text.push_str(&format!(
        "Against revision {}: {} opened, {} closed by {} steps of apply; nothing has changed.\n",
        diff.revision,
        count("opens"),
        count("closes"),
        diff.steps.len()
    ));
    text
}

fn of_tenant(tenant: &DiffTenant) -> String {
    let mut rows = Rows::new(&["Change", "From", "To", "Protocol", "Ports"]);
    for change in &tenant.changes {
        let from = end(&change.from, &change.from_addresses);
        let to = end(&change.to, &change.to_addresses);
        let ports = ports(change);
        rows.add([change.change.as_str(), &from, &to, &change.protocol, ports]);
    }
    let cut = match tenant.cut.as_str() {
        "" => String::new(),
        cut => format!("!!! {cut}\n"),
    };
    format!("Tenant {}\n{rows}{cut}", tenant.tenant_name)
}

fn end(name: &str, addresses: &str) -> String {
    match addresses {
        "" => name.to_owned(),
        addresses => format!("{name} at {addresses}"),
    }
}

fn ports(change: &DiffChange) -> &str {
    match change.ports.as_str() {
        "" => "all",
        ports => ports,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_and_what_closes_is_counted_and_named() {
        let change = |word: &str, ports: &str| DiffChange {
            change: word.into(),
            from: "web".into(),
            to: "db".into(),
            from_addresses: "10.1.0.0-10.1.0.63".into(),
            protocol: "tcp".into(),
            ports: ports.into(),
            ..DiffChange::default()
        };
        let diff = PolicyDiff {
            revision: "1.7".into(),
            tenants: vec![DiffTenant {
                tenant_name: "blue".into(),
                changes: vec![change("opens", "80-81"), change("closes", "")],
                cut: "stopped".into(),
            }],
            ..PolicyDiff::default()
        };
        let text = lines(&diff);
        assert!(
            text.contains("opens   web at 10.1.0.0-10.1.0.63  db  tcp       80-81"),
            "{text}"
        );
        assert!(text.contains("!!! stopped"), "{text}");
        assert!(text.ends_with("1 opened, 1 closed by 0 steps of apply; nothing has changed.\n"));
    }
}
