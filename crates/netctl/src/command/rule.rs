//! The rules of a policy: `netctl policy rule-ls`, `rule-add`, `rule-update`, `rule-rm`.

use clap::Args;
use contiv_client::Client;
use contiv_model::object::{Policy, Rule};

use crate::command::scope::{TenantFlag, plain};
use crate::failure::{Failure, Places};
use crate::output::{ListFlags, Rows};
use crate::session::Session;

pub(crate) const EXAMPLES: &str = "Examples:\n  \
    netctl policy rule-add db-policy 1 -d in --protocol tcp --action deny\n  \
    netctl policy rule-add db-policy 2 -d in --protocol tcp --port 6379 --from-group web \
    --action allow --priority 10";

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
    ("protocol", "--protocol"),
    ("port", "--port"),
    ("action", "--action"),
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
    /// Name of the policy.
    policy: String,
    /// Name or number of the rule, unique in its policy.
    rule_id: String,
    #[command(flatten)]
    tenant: TenantFlag,
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Name of the policy.
    policy: String,
    /// Name or number of the rule, unique in its policy.
    rule_id: String,
    #[command(flatten)]
    tenant: TenantFlag,
    /// From 1 to 100; the higher number wins.
    #[arg(short, long, default_value_t = 1)]
    priority: u32,
    /// `in` or `out`, seen from the group that has the policy.
    #[arg(short, long, default_value = "in")]
    direction: String,
    /// Group that the traffic comes from (direction in).
    #[arg(
        short = 'g',
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "GROUP"
    )]
    from_group: String,
    /// Group that the traffic goes to (direction out).
    #[arg(
        short = 'e',
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "GROUP"
    )]
    to_group: String,
    /// Network that the traffic comes from (direction in).
    #[arg(
        short = 'n',
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "NETWORK"
    )]
    from_network: String,
    /// Network that the traffic goes to (direction out).
    #[arg(
        short = 'o',
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "NETWORK"
    )]
    to_network: String,
    /// Address or subnet that the traffic comes from (direction in).
    #[arg(
        short = 'i',
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "CIDR"
    )]
    from_ip_address: String,
    /// Address or subnet that the traffic goes to.
    #[arg(
        short = 's',
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "CIDR"
    )]
    to_ip_address: String,
    /// `tcp`, `udp`, `icmp` or a protocol's number; every protocol when absent.
    #[arg(short = 'l', long, default_value = "", hide_default_value = true)]
    protocol: String,
    /// Destination port; every port when absent.
    #[arg(short = 'P', long, default_value_t = 0, hide_default_value = true)]
    port: u32,
    /// `allow` or `deny`.
    #[arg(short = 'j', long, default_value = "allow")]
    action: String,
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
        plain("RULE_ID", &self.rule_id)?;
        let key = format!("{}:{}", self.tenant.key(&self.policy)?, self.rule_id);
        client.delete::<Rule>(&key).await?;
        Ok(())
    }
}

impl Add {
    /// Adds the rule; netmaster would take an id that is known for an edit.
    pub(crate) async fn add(self, client: &Client) -> Result<(), Failure> {
        let rule = self.rule()?;
        match client.get::<Rule>(&rule.key).await {
            Err(error) if error.is_not_found() => put(client, &rule).await,
            Err(error) => Err(error.into()),
            Ok(_) => Err(Failure::Invalid(format!(
                "RULE_ID: rule {} of policy {}:{} exists; choose another id, or change it with `netctl policy rule-update`",
                rule.rule_id, rule.tenant_name, rule.policy_name
            ))),
        }
    }

    /// Replaces the rule, which must exist.
    pub(crate) async fn update(self, client: &Client) -> Result<(), Failure> {
        let rule = self.rule()?;
        client.get::<Rule>(&rule.key).await?;
        put(client, &rule).await
    }

    fn rule(self) -> Result<Rule, Failure> {
        plain("RULE_ID", &self.rule_id)?;
        let rule = Rule {
            key: format!("{}:{}", self.tenant.key(&self.policy)?, self.rule_id),
            tenant_name: self.tenant.tenant,
            policy_name: self.policy,
            rule_id: self.rule_id,
            direction: self.direction,
            priority: self.priority,
            from_endpoint_group: self.from_group,
            to_endpoint_group: self.to_group,
            from_network: self.from_network,
            to_network: self.to_network,
            from_ip_address: self.from_ip_address,
            to_ip_address: self.to_ip_address,
            protocol: self.protocol,
            port: self.port,
            action: self.action,
        };
        check(&rule)?;
        Ok(rule)
    }
}

async fn put(client: &Client, rule: &Rule) -> Result<(), Failure> {
    client
        .put(rule)
        .await
        .map_err(Failure::with_places(PLACES))?;
    Ok(())
}

/// The contradictions that need no master to see:
///
/// 1. an incoming rule has no destination group or network,
/// 2. an outgoing rule has no source,
/// 3. a peer is given by its group or by its network, not by both.
fn check(rule: &Rule) -> Result<(), Failure> {
    let given = |value: &str| !value.is_empty();
    let refuse = |message: &str| Err(Failure::Usage(message.to_owned()));
    match rule.direction.as_str() {
        "in" if given(&rule.to_endpoint_group) || given(&rule.to_network) => refuse(
            "--to-group and --to-network make no sense for an incoming rule; give --direction out, or --from-group or --from-network",
        ),
        "out"
            if given(&rule.from_endpoint_group)
                || given(&rule.from_network)
                || given(&rule.from_ip_address) =>
        {
            refuse(
                "--from-group, --from-network and --from-ip-address make no sense for an outgoing rule; give --direction in, or --to-group, --to-network or --to-ip-address",
            )
        }
        _ if given(&rule.from_endpoint_group) && given(&rule.from_network) => {
            refuse("--from-group and --from-network exclude each other; give one of them")
        }
        _ if given(&rule.to_endpoint_group) && given(&rule.to_network) => {
            refuse("--to-group and --to-network exclude each other; give one of them")
        }
        _ => Ok(()),
    }
}

fn tables(rules: &[Rule]) -> String {
    let mut incoming = Rows::new(&[
        "Rule",
        "Priority",
        "From EndpointGroup",
        "From Network",
        "From IpAddress",
        "To IpAddress",
        "Protocol",
        "Port",
        "Action",
    ]);
    let mut outgoing = Rows::new(&[
        "Rule",
        "Priority",
        "To EndpointGroup",
        "To Network",
        "To IpAddress",
        "Protocol",
        "Port",
        "Action",
    ]);
    for r in rules {
        let (priority, port) = (r.priority.to_string(), r.port.to_string());
        if r.direction == "in" {
            incoming.add([
                &r.rule_id,
                &priority,
                &r.from_endpoint_group,
                &r.from_network,
                &r.from_ip_address,
                &r.to_ip_address,
                &r.protocol,
                &port,
                &r.action,
            ]);
        } else {
            outgoing.add([
                &r.rule_id,
                &priority,
                &r.to_endpoint_group,
                &r.to_network,
                &r.to_ip_address,
                &r.protocol,
                &port,
                &r.action,
            ]);
        }
    }
    format!("Incoming Rules:\n{incoming}Outgoing Rules:\n{outgoing}")
}
