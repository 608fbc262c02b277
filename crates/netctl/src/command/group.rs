//! `netctl group`.

use clap::{Args, Subcommand};
use contiv_client::Client;
use contiv_model::agent::ObjectKind;
use contiv_model::object::EndpointGroup;

use crate::command::edit::edit;
use crate::command::scope::{ScopeFlags, TenantFlag};
use crate::failure::{Failure, Places};
use crate::output::{DocumentFlags, ListFlags, Rows};
use crate::session::Session;
use crate::settle::{Goal, SettleFlags};

const PLACES: Places = &[
    ("tenantName", "--tenant"),
    ("groupName", "GROUP"),
    ("networkName", "NETWORK"),
    ("policies", "--policy"),
    ("ipPool", "--ip-pool"),
    ("cfgdTag", "--epg-tag"),
    ("defaultActionIn", "--default-action-in"),
    ("defaultActionOut", "--default-action-out"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum Group {
    /// List the endpoint groups of a tenant.
    #[command(visible_alias = "list")]
    Ls(Ls),
    /// Create an endpoint group, or change its policies, and wait until every live host has it.
    #[command(after_help = "Examples:\n  \
        netctl group create contiv-net web\n  \
        netctl group create contiv-net db -p db-policy --ip-pool 10.1.2.100-10.1.2.120")]
    Create(Create),
    /// Change what the flags name of an endpoint group: its policies, its default actions.
    #[command(after_help = "Examples:\n  \
        netctl group set db --default-action-in deny\n  \
        netctl group set db -p db-policy -p lockdown")]
    Set(Set),
    /// Delete an endpoint group and wait until every live host has dropped it.
    #[command(visible_alias = "delete")]
    Rm(Rm),
    /// Show an endpoint group, its endpoints and conditions.
    Inspect(Inspect),
}

#[derive(Debug, Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    scope: ScopeFlags,
    #[command(flatten)]
    list: ListFlags,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Network that the group's endpoints are in.
    network: String,
    /// Name of the group.
    group: String,
    #[command(flatten)]
    tenant: TenantFlag,
    /// Policy of the group; may be given several times.
    #[arg(short, long)]
    policy: Vec<String>,
    /// Range of the network's addresses for this group alone, 10.1.2.100-10.1.2.120.
    #[arg(
        short = 'r',
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "RANGE"
    )]
    ip_pool: String,
    /// Tag that Docker networks of Swarm mode refer to [old spelling: -tag].
    #[arg(
        long,
        alias = "tag",
        default_value = "",
        hide_default_value = true,
        value_name = "TAG"
    )]
    epg_tag: String,
    #[command(flatten)]
    defaults: DefaultFlags,
    #[command(flatten)]
    settle: SettleFlags,
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Name of the group.
    group: String,
    #[command(flatten)]
    tenant: TenantFlag,
    /// Policies of the group from now on; may be given several times, empty for none.
    #[arg(short, long)]
    policy: Option<Vec<String>>,
    #[command(flatten)]
    defaults: DefaultFlags,
}

#[derive(Debug, Args)]
struct DefaultFlags {
    /// `allow` or `deny`: connections to members that no rule decides [default: allow].
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "ACTION"
    )]
    default_action_in: String,
    /// `allow` or `deny`: connections of members that no rule decides [default: allow].
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "ACTION"
    )]
    default_action_out: String,
}

#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// Name of the group.
    group: String,
    #[command(flatten)]
    tenant: TenantFlag,
    #[command(flatten)]
    settle: SettleFlags,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Name of the group.
    group: String,
    #[command(flatten)]
    tenant: TenantFlag,
    #[command(flatten)]
    output: DocumentFlags,
}

impl Group {
    pub(crate) async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        match self {
            Group::Ls(Ls { scope, list }) => {
                let listing = client.list::<EndpointGroup>();
                let mut groups = scope.list(client, listing, |g| &g.tenant_name).await?;
                groups.sort_by(|a, b| {
                    (&a.tenant_name, &a.group_name).cmp(&(&b.tenant_name, &b.group_name))
                });
                list.print(session, &groups, |g| g.group_name.clone(), table)
            }
            Group::Create(create) => create.run(client, session).await,
            Group::Set(set) => set.run(client).await,
            // The original deletes a group silently.
            Group::Rm(Rm {
                group,
                tenant,
                settle,
            }) => {
                let key = tenant.key(&group)?;
                client.delete::<EndpointGroup>(&key).await?;
                settle
                    .wait(client, ObjectKind::Group, &key, Goal::Gone)
                    .await
            }
            Group::Inspect(Inspect {
                group,
                tenant,
                output,
            }) => {
                let document = client
                    .inspect::<EndpointGroup>(&tenant.key(&group)?)
                    .await?;
                output.print(session, &document)
            }
        }
    }
}

impl Create {
    async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        let key = self.tenant.key(&self.group)?;
        let wish = EndpointGroup {
            key: key.clone(),
            tenant_name: self.tenant.tenant,
            group_name: self.group,
            network_name: self.network,
            ip_pool: self.ip_pool,
            policies: self.policy,
            cfgd_tag: self.epg_tag,
            default_action_in: self.defaults.default_action_in,
            default_action_out: self.defaults.default_action_out,
        };
        session.say(&format!("Creating EndpointGroup {key}"))?;
        client
            .put(&wish)
            .await
            .map_err(Failure::with_places(PLACES))?;
        self.settle
            .wait(client, ObjectKind::Group, &key, Goal::Realised)
            .await
    }
}

impl Set {
    /// What the flags do not name stays as it is.
    async fn run(self, client: &Client) -> Result<(), Failure> {
        let named = |policies: Vec<String>| policies.into_iter().filter(|p| !p.is_empty());
        let policies: Option<Vec<String>> = self.policy.map(|given| named(given).collect());
        let defaults = self.defaults;
        let change = |group: &mut EndpointGroup| {
            if let Some(policies) = &policies {
                group.policies.clone_from(policies);
            }
            for (field, given) in [
                (&mut group.default_action_in, &defaults.default_action_in),
                (&mut group.default_action_out, &defaults.default_action_out),
            ] {
                if !given.is_empty() {
                    field.clone_from(given);
                }
            }
            Ok(())
        };
        edit(client, &self.tenant.key(&self.group)?, PLACES, change).await
    }
}

/// The columns of the original, and others only when a group has something to say there.
fn table(groups: &[EndpointGroup]) -> String {
    let header = [
        "Tenant",
        "Group",
        "Network",
        "IP Pool",
        "CfgdTag",
        "Policies",
        "Default In",
        "Default Out",
    ];
    let plain = |g: &EndpointGroup| {
        let terse = g.terse();
        terse.default_action_in.is_empty() && terse.default_action_out.is_empty()
    };
    let columns = match groups.iter().all(plain) {
        true => header.len() - 2,
        false => header.len(),
    };
    let mut rows = Rows::new(&header[..columns]);
    for group in groups {
        let g = group.spelled_out();
        let cells = [
            g.tenant_name,
            g.group_name,
            g.network_name,
            g.ip_pool,
            g.cfgd_tag,
            g.policies.join(","),
            g.default_action_in,
            g.default_action_out,
        ];
        rows.add_cells(cells.iter().take(columns));
    }
    rows.to_string()
}
