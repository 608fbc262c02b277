//! `netctl apply` and `netctl export`: what the fabric is to be like, in files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;
use contiv_client::{Client, Error};
use contiv_model::manifest::{Apply, Change, Declared, Plan, Step};
use contiv_model::object::{EndpointGroup, Global, Keyed, Network, Policy, Rule, Tenant};
use contiv_model::parsed::is_automatic;
use serde_json::Value;

use crate::command::scope::plain;
use crate::documents::{Document, read, read_sources, written};
use crate::failure::Failure;
use crate::session::Session;
use crate::settle::SettleFlags;

/// Makes what there is what the files declare.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    netctl apply -f intent/ --dry-run\n  \
    netctl apply web.yaml db.yaml\n  \
    netctl apply -f intent/ --prune\n  \
    netctl export -t blue > blue.yaml")]
pub(crate) struct ApplyFiles {
    #[command(flatten)]
    files: FileFlags,
    /// Print the plan and change nothing.
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    settle: SettleFlags,
}

/// What is to be, in files.
#[derive(Debug, Args)]
pub(crate) struct FileFlags {
    /// File of YAML, directory of such files, or - for the standard input.
    #[arg(required_unless_present = "file", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The same as PATH; may be given several times.
    #[arg(short, long, value_name = "PATH")]
    file: Vec<PathBuf>,
    /// Remove what the tenants of the files have besides; tenants themselves stay.
    #[arg(long)]
    prune: bool,
}

/// Prints what there is as documents that apply takes.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Only this tenant and what it has.
    #[arg(short, long)]
    tenant: Option<String>,
}

impl ApplyFiles {
    /// Prints the plan first, then does exactly that or nothing.
    pub(crate) async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        let documents = self.files.documents()?;
        let request = self.files.request(&documents);
        let refused = |error| FileFlags::placed(&documents, error);
        let planned = client.apply(&request).await.map_err(refused)?.plan;
        session.print(&text(&planned))?;
        if self.dry_run || planned.steps.is_empty() {
            return Ok(());
        }
        let tenants = tenants(&planned.steps);
        let request = Apply {
            dry_run: false,
            expected: Some(planned.steps),
            ..request
        };
        let applied = client.apply(&request).await.map_err(refused)?;
        session.say(&format!("Applied in revision {}.", applied.revision))?;
        let revision = &applied.revision;
        self.settle.wait_applied(client, revision, &tenants).await
    }
}

impl FileFlags {
    /// The request that changes nothing yet.
    pub(crate) fn request(&self, documents: &[Document]) -> Apply {
        Apply {
            objects: documents.iter().map(|d| d.declared.clone()).collect(),
            prune: self.prune,
            dry_run: true,
            expected: None,
        }
    }

    pub(crate) fn documents(&self) -> Result<Vec<Document>, Failure> {
        let mut documents: Vec<Document> = Vec::new();
        let paths = [self.file.as_slice(), self.paths.as_slice()].concat();
        for source in read_sources(&paths).map_err(Failure::Unreadable)? {
            let read = read(&source).map_err(|wrong| Failure::Invalid(wrong.to_string()))?;
            documents.extend(read);
        }
        let mut seen: BTreeMap<(&str, String), &Document> = BTreeMap::new();
        for document in &documents {
            let (kind, key) = (document.declared.kind(), document.declared.key());
            if let Some(first) = seen.insert((kind, key.clone()), document) {
                let message = format!(
                    "{kind} {key} is declared at {} already; leave one of them out",
                    first.at()
                );
                let wrong = document.wrong("", message);
                return Err(Failure::Invalid(wrong.to_string()));
            }
        }
        if documents.is_empty() {
            let message = "the files declare nothing; give at least one document";
            return Err(Failure::Invalid(message.into()));
        }
        Ok(documents)
    }

    /// A refusal, with the place of the object that it is about: its field is then
    /// `objects[INDEX].FIELD`.
    pub(crate) fn placed(documents: &[Document], error: Error) -> Failure {
        let place = error.field().and_then(|field| {
            let (index, field) = field.strip_prefix("objects[")?.split_once(']')?;
            let document = documents.get(index.parse::<usize>().ok()?)?;
            Some((document, field.trim_start_matches('.').to_owned()))
        });
        match place {
            Some((document, field)) => Failure::Invalid(document.wrong(&field, &error).to_string()),
            None => error.into(),
        }
    }
}

/// The tenants whose policies the steps may change.
fn tenants(steps: &[Step]) -> BTreeSet<String> {
    let within = |step: &&Step| !matches!(step.kind.as_str(), "global" | "network");
    let steps = steps.iter().filter(within);
    let tenant = |step: &Step| step.key.split(':').next().unwrap_or_default().to_owned();
    steps.map(tenant).collect()
}

fn text(plan: &Plan) -> String {
    let mut text: String = plan.steps.iter().map(step_text).collect();
    let count = |change| plan.steps.iter().filter(|s| s.change == change).count();
    text.push_str(&format!(
        "Plan: {} to create, {} to change, {} to remove, {} unchanged.\n",
        count(Change::Create),
        count(Change::Change),
        count(Change::Remove),
        plan.unchanged
    ));
    text
}

fn step_text(step: &Step) -> String {
    let sign = match step.change {
        Change::Create => '+',
        Change::Change => '~',
        Change::Remove => '-',
    };
    let mut text = format!("{sign} {} {}\n", step.kind, step.key);
    for field in &step.fields {
        let value = |value: &Value| match value {
            Value::Null => "(default)".to_owned(),
            value => value.to_string(),
        };
        let (from, to) = (value(&field.from), value(&field.to));
        text.push_str(&format!("    {}: {from} -> {to}\n", field.field));
    }
    text
}

impl Export {
    /// What was made for a Docker network is left out: it is not declared, and comes and goes
    /// with that.
    pub(crate) async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        let mut all = Vec::new();
        match &self.tenant {
            None => all.extend(
                client
                    .list::<Global>()
                    .await?
                    .into_iter()
                    .map(Declared::Global),
            ),
            Some(tenant) => {
                plain("--tenant", tenant)?;
                client.get::<Tenant>(tenant).await?;
            }
        }
        all.extend(sorted(client.list::<Tenant>().await?).map(Declared::Tenant));
        let networks = sorted(client.list::<Network>().await?);
        let declared = networks.filter(|network| !is_automatic(&network.network_name));
        all.extend(declared.map(Declared::Network));
        all.extend(sorted(client.list::<Policy>().await?).map(Declared::Policy));
        all.extend(sorted(client.list::<EndpointGroup>().await?).map(Declared::EndpointGroup));
        all.extend(sorted(client.list::<Rule>().await?).map(Declared::Rule));
        if let Some(tenant) = &self.tenant {
            all.retain(|object| object.tenant() == Some(tenant));
        }
        let texts: Result<Vec<String>, _> = all.iter().map(written).collect();
        let texts = texts.map_err(std::io::Error::other)?;
        session.print(&texts.join("---\n"))
    }
}

fn sorted<O: Keyed>(mut objects: Vec<O>) -> impl Iterator<Item = O> {
    objects.sort_by_key(Keyed::key_of_fields);
    objects.into_iter()
}

#[cfg(test)]
mod tests {
    use contiv_model::manifest::FieldChange;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plan_names_every_step_and_counts_them() {
        let step = |change, kind: &str, key: &str, fields| Step {
            change,
            kind: kind.into(),
            key: key.into(),
            fields,
        };
        let ports = FieldChange {
            field: "ports".into(),
            from: json!("80"),
            to: json!("80,443"),
        };
        let tier = FieldChange {
            field: "tier".into(),
            from: Value::Null,
            to: json!("admin"),
        };
        let plan = Plan {
            steps: vec![
                step(Change::Remove, "network", "blue:old", vec![]),
                step(Change::Create, "network", "blue:web", vec![]),
                step(Change::Change, "rule", "blue:p:1", vec![ports, tier]),
            ],
            unchanged: 3,
        };
        assert_eq!(
            text(&plan),
            "- network blue:old\n+ network blue:web\n~ rule blue:p:1\n    \
             ports: \"80\" -> \"80,443\"\n    tier: (default) -> \"admin\"\n\
             Plan: 1 to create, 1 to change, 1 to remove, 3 unchanged.\n"
        );
    }
}
