//! The rules of a policy: `netctl policy rule-ls`, `rule-add`, `rule-set`, `rule-update`,
//! `rule-rm`.

mod fields;
mod table;

use clap::Args;
use contiv_client::{Client, Expect};
use contiv_model::object::{Policy, Rule};

use crate::command::edit::{edit, replace};
use crate::command::scope::{TenantFlag, plain};
use crate::failure::{Failure, Places};
use crate::output::ListFlags;
use crate::session::Session;
use fields::Fields;
use table::tables;

pub(crate) const EXAMPLES: &str = "Examples:\n  \
    netctl policy rule-add db-policy 1 -d in --protocol tcp --action deny\n  \
    netctl policy rule-add db-policy 2 -d in --protocol tcp --port 6379 --from-group web \
    --action allow --priority 10\n  \
    netctl policy rule-add db-policy 3 -l tcp --ports 80,443,8000-8100 -i 10.0.0.0/8,fd00::/64 \
    --from-ip-except 10.9.0.0/16 --log";

pub(crate) const SET_EXAMPLES: &str = "Examples:\n  \
    netctl policy rule-set db-policy 2 --ports 6379,6380\n  \
    netctl policy rule-set db-policy 2 --from-group \"\" --log=false";

const PLACES: Places = &[
    ("tenantName", "--tenant"),
    ("policyName", "POLICY"),
    ("ruleId", "RULE_ID"),
    ("priority", "--priority"),
    ("direction", "--direction"),
    ("fromEndpointGroup", "--from-group"),
    ("toEndpointGroup", "--to-group"),
    ("fromNetwork", "--from-network"),
    ("toNetwork", "--to-network"),
    ("fromIpAddress", "--from-ip-address"),
    ("toIpAddress", "--to-ip-address"),
    ("fromIpExcept", "--from-ip-except"),
    ("toIpExcept", "--to-ip-except"),
    ("protocol", "--protocol"),
    ("port", "--port"),
    ("ports", "--ports"),
    ("icmpType", "--icmp-type"),
    ("icmpCode", "--icmp-code"),
    ("action", "--action"),
    ("description", "--description"),
];

#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Name of the policy.
    policy: String,
    #[command(flatten)]
    tenant: TenantFlag,
    #[command(flatten)]
    list: ListFlags,
}

#[derive(Debug, Args)]
pub(crate) struct Rm {
    #[command(flatten)]
    name: Name,
}

#[derive(Debug, Args)]
pub(crate) struct Write {
    #[command(flatten)]
    name: Name,
    #[command(flatten)]
    fields: Fields,
}

#[derive(Debug, Args)]
struct Name {
    /// Name of the policy.
    policy: String,
    /// Name or number of the rule, unique in its policy.
    rule_id: String,
    #[command(flatten)]
    tenant: TenantFlag,
}

impl Ls {
    pub(crate) async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        // A policy that does not exist is an error, not one without rules.
        client
            .get::<Policy>(&self.tenant.key(&self.policy)?)
            .await?;
        let mut rules: Vec<Rule> = client.list().await?;
        rules.retain(|r| r.tenant_name == self.tenant.tenant && r.policy_name == self.policy);
        rules.sort_by(|a, b| (a.priority, &a.rule_id).cmp(&(b.priority, &b.rule_id)));
        self.list
            .print(session, &rules, |r| r.rule_id.clone(), tables)
    }
}

impl Rm {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        client.delete::<Rule>(&self.name.key()?).await?;
        Ok(())
    }
}

impl Name {
    fn key(&self) -> Result<String, Failure> {
        plain("RULE_ID", &self.rule_id)?;
        Ok(format!(
            "{}:{}",
            self.tenant.key(&self.policy)?,
            self.rule_id
        ))
    }

    /// The rule of this name that says nothing but what rule-add takes for granted.
    fn plain_rule(self) -> Result<Rule, Failure> {
        Ok(Rule {
            key: self.key()?,
            tenant_name: self.tenant.tenant,
            policy_name: self.policy,
            rule_id: self.rule_id,
            direction: "in".into(),
            priority: 1,
            action: "allow".into(),
            ..Rule::default()
        })
    }
}

impl Write {
    /// Adds the rule; netmaster would take an id that is known for an edit.
    pub(crate) async fn add(self, client: &Client) -> Result<(), Failure> {
        let rule = self.rule()?;
        match client.put_if(&rule, &Expect::Absent).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_precondition_failed() => Err(Failure::Invalid(format!(
                "RULE_ID: rule {} of policy {}:{} exists; choose another id, or change it with `netctl policy rule-set`",
                rule.rule_id, rule.tenant_name, rule.policy_name
            ))),
            Err(error) => Err(Failure::with_places(PLACES)(error)),
        }
    }

    /// Replaces the rule, which must exist.
    pub(crate) async fn update(self, client: &Client) -> Result<(), Failure> {
        replace(client, &self.rule()?, PLACES).await
    }

    /// Changes what the flags name of the rule, which must exist.
    pub(crate) async fn set(self, client: &Client) -> Result<(), Failure> {
        let Write { name, fields } = self;
        let change = |rule: &mut Rule| fields.clone().write(rule);
        edit(client, &name.key()?, PLACES, change).await
    }

    pub(crate) fn rule(self) -> Result<Rule, Failure> {
        let mut rule = self.name.plain_rule()?;
        self.fields.write(&mut rule)?;
        Ok(rule)
    }
}
