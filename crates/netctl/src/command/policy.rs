//! `netctl policy`; what it does to rules is in [`super::rule`].

use clap::{Args, Subcommand};
use contiv_client::Client;
use contiv_model::object;

use crate::command::rule;
use crate::command::scope::{ScopeFlags, TenantFlag};
use crate::failure::{Failure, Places};
use crate::output::{DocumentFlags, ListFlags, Rows};
use crate::session::Session;

const PLACES: Places = &[("tenantName", "--tenant"), ("policyName", "POLICY")];

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// List the policies of a tenant.
    #[command(visible_alias = "list")]
    Ls(Ls),
    /// Create a policy without rules.
    #[command(after_help = "Example:\n  netctl policy create db-policy")]
    Create(Name),
    /// Delete a policy that no group uses, and its rules.
    #[command(visible_alias = "delete")]
    Rm(Name),
    /// Show a policy and the endpoints it guards.
    Inspect(Inspect),
    /// List the rules of a policy, incoming first, by ascending priority.
    RuleLs(rule::Ls),
    /// Add a rule to a policy; an id that exists is refused.
    #[command(after_help = rule::EXAMPLES)]
    RuleAdd(Box<rule::Add>),
    /// Replace a rule by what the flags say; what is not given has the default of rule-add.
    #[command(
        after_help = "Example:\n  netctl policy rule-update db-policy 2 -l tcp -P 6379 -p 20"
    )]
    RuleUpdate(Box<rule::Add>),
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
pub(crate) struct Inspect {
    /// Name of the policy.
    policy: String,
    #[command(flatten)]
    tenant: TenantFlag,
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
            Policy::Create(Name { policy, tenant }) => {
                let key = tenant.key(&policy)?;
                session.say(&format!("Creating policy {key}"))?;
                let wish = object::Policy {
                    key,
                    tenant_name: tenant.tenant,
                    policy_name: policy,
                };
                client
                    .put(&wish)
                    .await
                    .map_err(Failure::with_places(PLACES))?;
                Ok(())
            }
            Policy::Rm(Name { policy, tenant }) => {
                let key = tenant.key(&policy)?;
                session.say(&format!("Deleting policy {key}"))?;
                client.delete::<object::Policy>(&key).await?;
                Ok(())
            }
            Policy::Inspect(Inspect {
                policy,
                tenant,
                output,
            }) => {
                let document = client
                    .inspect::<object::Policy>(&tenant.key(&policy)?)
                    .await?;
                output.print(session, &document)
            }
            Policy::RuleLs(ls) => ls.run(client, session).await,
            Policy::RuleAdd(add) => add.add(client).await,
            Policy::RuleUpdate(add) => add.update(client).await,
            Policy::RuleRm(rm) => rm.run(client).await,
        }
    }
}

fn table(policies: &[object::Policy]) -> String {
    let mut rows = Rows::new(&["Tenant", "Policy"]);
    for policy in policies {
        rows.add([&policy.tenant_name, &policy.policy_name]);
    }
    rows.to_string()
}
