//! `netctl policy hits`.

use clap::Args;
use contiv_client::Client;
use contiv_model::inspect::{HitsDocument, RuleHits};
use contiv_model::object::Tenant;

use crate::command::scope::plain;
use crate::failure::Failure;
use crate::output::{InfoFlags, Rows, moment};
use crate::session::Session;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    netctl policy hits db-policy -t blue\n  \
    netctl policy hits --unused --all")]
pub(crate) struct Hits {
    /// Name of the policy [default: every policy of the tenant].
    policy: Option<String>,
    /// Tenant whose rules are shown.
    #[arg(short, long, default_value = "default")]
    tenant: String,
    /// Show the rules of every tenant.
    #[arg(short, long, conflicts_with = "policy")]
    all: bool,
    /// Only rules that have not decided anything.
    #[arg(short, long)]
    unused: bool,
    #[command(flatten)]
    output: InfoFlags,
}

impl Hits {
    pub(crate) async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        let tenant = match self.all {
            true => None,
            false => {
                plain("--tenant", &self.tenant)?;
                client.get::<Tenant>(&self.tenant).await?;
                Some(self.tenant.as_str())
            }
        };
        if let Some(policy) = &self.policy {
            plain("POLICY", policy)?;
        }
        let mut document = client.hits(tenant, self.policy.as_deref()).await?;
        if self.unused {
            document.rules.retain(|rule| !rule.is_hit());
        }
        let lines = lines(&document, self.all);
        self.output.print(session, &document, &lines)
    }
}

fn lines(document: &HitsDocument, all: bool) -> String {
    let staged = document.rules.iter().any(|r| !would(r).is_empty());
    let mut header = vec![
        "Policy",
        "Rule",
        "Direction",
        "Action",
        "Packets",
        "Bytes",
        "Connections",
        "Last hit",
        "Hosts",
    ];
    if staged {
        header.push("Staged");
    }
    if all {
        header.insert(0, "Tenant");
    }
    let mut rows = Rows::new(&header);
    for rule in &document.rules {
        let policy = match rule.policy.as_str() {
            "" => "-",
            policy => policy,
        };
        let mut cells = vec![
            policy.to_owned(),
            rule.rule.clone(),
            rule.direction.clone(),
            rule.action.clone(),
            rule.packets.to_string(),
            rule.bytes.to_string(),
            rule.connections.to_string(),
            last(rule),
            rule.hosts.join(","),
        ];
        if staged {
            cells.push(would(rule));
        }
        if all {
            cells.insert(0, rule.tenant.clone());
        }
        rows.add_cells(cells);
    }
    format!("{}{rows}", since(document))
}

fn since(document: &HitsDocument) -> String {
    match (document.since, document.hosts.len()) {
        (Some(since), 1) => format!("Counted on 1 host since {}\n", moment(since)),
        (Some(since), hosts) => format!("Counted on {hosts} hosts since {}\n", moment(since)),
        (None, _) => "No host has counted anything yet\n".into(),
    }
}

/// A rule that nothing has met is what people look for.
fn last(rule: &RuleHits) -> String {
    match rule.last_hit {
        Some(time) => moment(time),
        None if rule.is_hit() => "earlier".into(),
        None => "never".into(),
    }
}

/// What a staged rule would have done, in words.
fn would(rule: &RuleHits) -> String {
    if rule.staged_connections == 0 && rule.staged_packets == 0 {
        return match rule.staged {
            true => "would change nothing".into(),
            false => String::new(),
        };
    }
    let connections = match rule.staged_connections {
        1 => "1 connection".into(),
        many => format!("{many} connections"),
    };
    format!("would {} {connections}", rule.action)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: &str) -> RuleHits {
        RuleHits {
            tenant: "blue".into(),
            policy: "db".into(),
            rule: id.into(),
            direction: "in".into(),
            action: "deny".into(),
            ..RuleHits::default()
        }
    }

    #[test]
    fn a_rule_without_a_hit_is_shown_as_such() {
        let hit = RuleHits {
            packets: 12,
            bytes: 720,
            connections: 3,
            last_hit: Some(1_700_000_000_123),
            hosts: vec!["h1".into(), "h2".into()],
            ..rule("1")
        };
        let old = RuleHits {
            packets: 1,
            ..rule("3")
        };
        let document = HitsDocument {
            since: Some(1_700_000_000_000),
            hosts: vec!["h1".into(), "h2".into()],
            rules: vec![hit, rule("2"), old],
        };
        let text = lines(&document, false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "Counted on 2 hosts since 2023-11-14T22:13:20.000Z"
        );
        let cells: Vec<&str> = lines[3].split_whitespace().collect();
        assert_eq!(
            cells,
            [
                "db",
                "1",
                "in",
                "deny",
                "12",
                "720",
                "3",
                "2023-11-14T22:13:20.123Z",
                "h1,h2"
            ]
        );
        assert!(
            lines[4].contains(" 0  ") && lines[4].contains("never"),
            "{text}"
        );
        assert!(lines[5].contains("earlier"), "{text}");
        assert!(
            !text.contains("Staged") && !text.contains("Tenant"),
            "{text}"
        );
    }

    #[test]
    fn a_policy_on_trial_says_what_it_would_do() {
        let met = RuleHits {
            staged: true,
            staged_connections: 2,
            staged_packets: 9,
            ..rule("1")
        };
        let idle = RuleHits {
            staged: true,
            ..rule("2")
        };
        let document = HitsDocument {
            rules: vec![met, idle],
            ..HitsDocument::default()
        };
        let text = lines(&document, true);
        assert!(text.starts_with("No host"), "{text}");
        assert!(text.contains("would deny 2 connections"), "{text}");
        assert!(text.contains("would change nothing"), "{text}");
        assert!(text.contains("blue"), "{text}");
    }
}
