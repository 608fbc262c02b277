//! `netctl policy`; what it does to rules is in [`super::rule`].

mod diff;
mod hits;
mod matrix;
mod status;

use clap::{Args, Subcommand};
use contiv_client::Client;
use contiv_model::object;

use crate::command::edit::replace;
use crate::command::rule;
use crate::command::scope::{ScopeFlags, TenantFlag};
use crate::failure::{Failure, Places};
use crate::output::{DocumentFlags, ListFlags, Rows};
use crate::session::Session;

const PLACES: Places = &[
    ("tenantName", "--tenant"),
    ("policyName", "POLICY"),
    ("tier", "--tier"),
    ("order", "--order"),
    ("description", "--description"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// List the policies of a tenant.
    #[command(visible_alias = "list")]
    Ls(Ls),
    /// Create a policy without rules.
    #[command(after_help = "Examples:\n  \
        netctl policy create db-policy\n  \
        netctl policy create lockdown --tier admin --order 10 --staged")]
    Create(Write),
    /// Change what the flags name of a policy: its tier, its order, whether it is enforced.
    #[command(after_help = "Example:\n  netctl policy set lockdown --staged=false")]
    Set(Write),
    /// Delete a policy that no group uses, and its rules.
    #[command(visible_alias = "delete")]
    Rm(Name),
    /// Show a policy and the endpoints it guards.
    Inspect(Inspect),
    /// Show which live hosts enforce which revision of a policy.
    Status(status::Status),
    /// Show what rules have decided: packets, bytes, connections, and rules without any.
    Hits(hits::Hits),
    /// Show who may reach whom on a port: all groups of a tenant, as a table, CSV or a page.
    Matrix(matrix::Matrix),
    /// Show which pairs and ports files would open or close, before they are applied.
    Diff(diff::Diff),
    /// List the rules of a policy, incoming first, by ascending priority.
    RuleLs(rule::Ls),
    /// Add a rule to a policy; an id that exists is refused.
    #[command(after_help = rule::EXAMPLES)]
    RuleAdd(Box<rule::Write>),
    /// Change what the flags name of a rule, in place.
    #[command(after_help = rule::SET_EXAMPLES, visible_alias = "rule-edit")]
    RuleSet(Box<rule::Write>),
    /// Replace a rule by what the flags say; what is not given has the default of rule-add.
    #[command(
        after_help = "Example:\n  netctl policy rule-update db-policy 2 -l tcp -P 6379 -p 20"
    )]
    RuleUpdate(Box<rule::Write>),
    /// Delete a rule.
    RuleRm(rule::Rm),
}

#[derive(Debug, Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    scope: ScopeFlags,
    #[command(flatten)]
    list: ListFlags,
}

#[derive(Debug, Args)]
pub(crate) struct Name {
    /// Name of the policy.
    policy: String,
    #[command(flatten)]
    tenant: TenantFlag,
}

#[derive(Debug, Args)]
pub(crate) struct Write {
    #[command(flatten)]
    name: Name,
    /// `admin`, `normal` or `baseline`: which policies are asked first [default: normal].
    #[arg(long)]
    tier: Option<String>,
    /// From 0 to 16383: within a tier the lower one is asked first [default: 1000].
    #[arg(long)]
    order: Option<u32>,
    /// Count and report what the policy would decide, and enforce nothing.
    #[arg(
        long,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_name = "BOOL"
    )]
    staged: Option<bool>,
    /// What the policy is for.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    #[command(flatten)]
    name: Name,
    #[command(flatten)]
    output: DocumentFlags,
}

impl Policy {
    pub(crate) async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        match self {
            Policy::Ls(Ls { scope, list }) => {
                let listing = client.list::<object::Policy>();
                let mut policies = scope.list(client, listing, |p| &p.tenant_name).await?;
                policies.sort_by(|a, b| {
                    (&a.tenant_name, &a.policy_name).cmp(&(&b.tenant_name, &b.policy_name))
                });
                list.print(session, &policies, |p| p.policy_name.clone(), table)
            }
            Policy::Create(write) => {
                let wish = write.policy()?;
                session.say(&format!("Creating policy {}", wish.key))?;
                put(client, &wish).await
            }
            Policy::Set(write) => {
                let wish = write.policy()?;
                replace(client, &wish, PLACES).await
            }
            Policy::Rm(name) => {
                let key = name.key()?;
                session.say(&format!("Deleting policy {key}"))?;
                client.delete::<object::Policy>(&key).await?;
                Ok(())
            }
            Policy::Inspect(Inspect { name, output }) => {
                let document = client.inspect::<object::Policy>(&name.key()?).await?;
                output.print(session, &document)
            }
            Policy::Status(status) => status.run(client, session).await,
            Policy::Hits(hits) => hits.run(client, session).await,
            Policy::Matrix(matrix) => matrix.run(client, session).await,
            Policy::Diff(diff) => diff.run(client, session).await,
            Policy::RuleLs(ls) => ls.run(client, session).await,
            Policy::RuleAdd(rule) => rule.add(client).await,
            Policy::RuleSet(rule) => rule.set(client).await,
            Policy::RuleUpdate(rule) => rule.update(client).await,
            Policy::RuleRm(rm) => rm.run(client).await,
        }
    }
}

impl Name {
    fn key(&self) -> Result<String, Failure> {
        self.tenant.key(&self.policy)
    }
}

impl Write {
    /// What the flags do not name, netmaster leaves as it is.
    pub(crate) fn policy(self) -> Result<object::Policy, Failure> {
        Ok(object::Policy {
            key: self.name.key()?,
            tenant_name: self.name.tenant.tenant,
            policy_name: self.name.policy,
            tier: self.tier.unwrap_or_default(),
            order: self.order,
            staged: self.staged,
            description: self.description,
        })
    }
}

async fn put(client: &Client, wish: &object::Policy) -> Result<(), Failure> {
    client
        .put(wish)
        .await
        .map_err(Failure::with_places(PLACES))?;
    Ok(())
}

/// The columns of the original, and others only when a policy has something to say there.
fn table(policies: &[object::Policy]) -> String {
    let placed = policies.iter().any(|p| p.terse() != plain(p));
    let header: &[&str] = match placed {
        false => &["Tenant", "Policy"],
        true => &["Tenant", "Policy", "Tier", "Order", "Staged", "Description"],
    };
    let mut rows = Rows::new(header);
    for policy in policies {
        let full = policy.spelled_out();
        let cells = [
            full.tenant_name,
            full.policy_name,
            full.tier,
            full.order
                .map(|order| order.to_string())
                .unwrap_or_default(),
            full.staged.unwrap_or_default().to_string(),
            full.description.unwrap_or_default(),
        ];
        rows.add_cells(cells.iter().take(header.len()));
    }
    rows.to_string()
}

fn plain(policy: &object::Policy) -> object::Policy {
    object::Policy {
        key: policy.key.clone(),
        tenant_name: policy.tenant_name.clone(),
        policy_name: policy.policy_name.clone(),
        ..object::Policy::default()
    }
}

#[cfg(test)]
mod tests {
    use contiv_model::agent::LAST_ORDER;

    use super::*;

    #[test]
    fn the_help_tells_the_orders_that_netmaster_takes() {
        let mut command = Write::augment_args(clap::Command::new("set"));
        let help = command.render_help().to_string();
        assert!(help.contains(&format!("From 0 to {LAST_ORDER}:")), "{help}");
    }

    #[test]
    fn the_table_is_that_of_the_original_while_all_policies_are_plain() {
        let named = |name: &str| object::Policy {
            tenant_name: "blue".into(),
            policy_name: name.into(),
            ..object::Policy::default()
        };
        let first =
            |policies: &[object::Policy]| table(policies).lines().next().unwrap().to_owned();
        assert_eq!(first(&[named("p")]), "Tenant  Policy");
        let placed = object::Policy {
            tier: "admin".into(),
            ..named("q")
        };
        let text = table(&[named("p"), placed]);
        let cells: Vec<Vec<&str>> = text
            .lines()
            .map(|l| l.split_whitespace().collect())
            .collect();
        assert_eq!(cells[2], ["blue", "p", "normal", "1000", "false"]);
        assert_eq!(cells[3], ["blue", "q", "admin", "1000", "false"]);
    }
}
