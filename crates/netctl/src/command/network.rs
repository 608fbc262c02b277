//! `netctl network`.

use clap::{Args, Subcommand};
use contiv_client::Client;
use contiv_model::agent::ObjectKind;
use contiv_model::object;

use crate::command::scope::{ScopeFlags, TenantFlag};
use crate::failure::{Failure, Places};
use crate::output::{DocumentFlags, ListFlags, Rows};
use crate::session::Session;
use crate::settle::{Goal, SettleFlags};

const PLACES: Places = &[
    ("tenantName", "--tenant"),
    ("networkName", "NETWORK"),
    ("nwType", "--nw-type"),
    ("encap", "--encap"),
    ("pktTag", "--pkt-tag"),
    ("subnet", "--subnet"),
    ("gateway", "--gateway"),
    ("ipv6Subnet", "--subnetv6"),
    ("ipv6Gateway", "--gatewayv6"),
    ("cfgdTag", "--nw-tag"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum Network {
    /// List the networks of a tenant.
    #[command(visible_alias = "list")]
    Ls(Ls),
    /// Create a network and wait until every live host has it.
    #[command(after_help = "Examples:\n  \
        netctl network create contiv-net --subnet=10.1.2.0/24 --gateway=10.1.2.254\n  \
        netctl network create web -t blue -e vlan -p 112 -s 10.1.2.10-10.1.2.20/24\n  \
        netctl network create six -s 10.2.0.0/16 --subnetv6 2001:db8::/64 --gatewayv6 2001:db8::1")]
    Create(Box<Create>),
    /// Delete a network and wait until every live host has dropped it.
    #[command(visible_alias = "delete")]
    Rm(Rm),
    /// Show a network, its addresses, endpoints and conditions.
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
    /// Name of the network.
    network: String,
    #[command(flatten)]
    tenant: TenantFlag,
    /// `data` for containers, `infra` for hosts, each of which gets an interface of that name.
    #[arg(short, long, default_value = "data", value_name = "TYPE")]
    nw_type: String,
    /// `vlan` or `vxlan`.
    #[arg(short, long, default_value = "vxlan")]
    encap: String,
    /// VLAN tag or VNI; the lowest free one when absent.
    #[arg(
        short,
        long,
        default_value_t = 0,
        hide_default_value = true,
        value_name = "TAG"
    )]
    pkt_tag: u32,
    /// Subnet, such as 10.1.2.0/24, or a range of it, 10.1.2.10-10.1.2.20/24.
    #[arg(short, long)]
    subnet: String,
    /// IPv4 gateway, an address of the subnet.
    #[arg(short, long, default_value = "", hide_default_value = true)]
    gateway: String,
    /// IPv6 subnet [old spelling: -s6].
    #[arg(long, alias = "s6", default_value = "", hide_default_value = true)]
    subnetv6: String,
    /// IPv6 gateway, an address of the IPv6 subnet [old spelling: -g6].
    #[arg(long, alias = "g6", default_value = "", hide_default_value = true)]
    gatewayv6: String,
    /// Tag that Docker networks of Swarm mode refer to [old spelling: -tag].
    #[arg(
        long,
        alias = "tag",
        default_value = "",
        hide_default_value = true,
        value_name = "TAG"
    )]
    nw_tag: String,
    #[command(flatten)]
    settle: SettleFlags,
}

#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// Name of the network.
    network: String,
    #[command(flatten)]
    tenant: TenantFlag,
    #[command(flatten)]
    settle: SettleFlags,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Name of the network.
    network: String,
    #[command(flatten)]
    tenant: TenantFlag,
    #[command(flatten)]
    output: DocumentFlags,
}

impl Network {
    pub(crate) async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        match self {
            Network::Ls(Ls { scope, list }) => {
                let listing = client.list::<object::Network>();
                let mut networks = scope.list(client, listing, |n| &n.tenant_name).await?;
                networks.sort_by(|a, b| {
                    (&a.tenant_name, &a.network_name).cmp(&(&b.tenant_name, &b.network_name))
                });
                list.print(session, &networks, |n| n.network_name.clone(), table)
            }
            Network::Create(create) => create.run(client, session).await,
            Network::Rm(Rm {
                network,
                tenant,
                settle,
            }) => {
                let key = tenant.key(&network)?;
                session.say(&format!("Deleting network {key}"))?;
                client.delete::<object::Network>(&key).await?;
                settle
                    .wait(client, ObjectKind::Network, &key, Goal::Gone)
                    .await
            }
            Network::Inspect(Inspect {
                network,
                tenant,
                output,
            }) => {
                let document = client
                    .inspect::<object::Network>(&tenant.key(&network)?)
                    .await?;
                output.print(session, &document)
            }
        }
    }
}

impl Create {
    async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        let key = self.tenant.key(&self.network)?;
        let wish = object::Network {
            key: key.clone(),
            tenant_name: self.tenant.tenant,
            network_name: self.network,
            nw_type: self.nw_type,
            encap: self.encap,
            pkt_tag: self.pkt_tag,
            subnet: self.subnet,
            gateway: self.gateway,
            ipv6_subnet: self.subnetv6,
            ipv6_gateway: self.gatewayv6,
            cfgd_tag: self.nw_tag,
        };
        session.say(&format!("Creating network {key}"))?;
        client
            .put(&wish)
            .await
            .map_err(Failure::with_places(PLACES))?;
        self.settle
            .wait(client, ObjectKind::Network, &key, Goal::Realised)
            .await
    }
}

fn table(networks: &[object::Network]) -> String {
    let mut rows = Rows::new(&[
        "Tenant",
        "Network",
        "Nw Type",
        "Encap type",
        "Packet tag",
        "Subnet",
        "Gateway",
        "IPv6Subnet",
        "IPv6Gateway",
        "Cfgd Tag",
    ]);
    for n in networks {
        rows.add([
            &n.tenant_name,
            &n.network_name,
            &n.nw_type,
            &n.encap,
            &n.pkt_tag.to_string(),
            &n.subnet,
            &n.gateway,
            &n.ipv6_subnet,
            &n.ipv6_gateway,
            &n.cfgd_tag,
        ]);
    }
    rows.to_string()
}
