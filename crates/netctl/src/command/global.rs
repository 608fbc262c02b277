//! `netctl global`.

use clap::{Args, Subcommand};
use contiv_client::Client;
use contiv_model::object;

use crate::command::edit::edit;
use crate::failure::{Failure, Places};
use crate::output::{DocumentFlags, InfoFlags};
use crate::session::Session;

/// The one global object.
const KEY: &str = "global";

const PLACES: Places = &[
    ("networkInfraType", "--fabric-mode"),
    ("vlans", "--vlan-range"),
    ("vxlans", "--vxlan-range"),
    ("fwdMode", "--fwd-mode"),
    ("arpMode", "--arp-mode"),
    ("pvtSubnet", "--private-subnet"),
    ("vxlanPort", "--vxlan-port"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum Global {
    /// Show the settings.
    Info(Info),
    /// Show the settings, and the tags in use.
    Inspect(DocumentFlags),
    /// Change the settings that are given and keep the others.
    #[command(
        after_help = "Example:\n  netctl global set --fwd-mode routing --vlan-range 100-1000"
    )]
    Set(Set),
}

#[derive(Debug, Args)]
pub(crate) struct Info {
    /// Accepted for old scripts; the settings have no tenant.
    #[arg(short, long, hide = true)]
    tenant: Option<String>,
    /// Accepted for old scripts; the settings have no tenant.
    #[arg(short, long, hide = true)]
    all: bool,
    #[command(flatten)]
    output: InfoFlags,
}

#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Set {
    /// `default`, `aci` or `aci-opflex`.
    #[arg(short, long, value_name = "MODE")]
    fabric_mode: Option<String>,
    /// VLAN tags to choose from, such as 1-4094.
    #[arg(short, long, value_name = "RANGE")]
    vlan_range: Option<String>,
    /// VNIs to choose from, such as 1-10000.
    #[arg(short = 'x', long, value_name = "RANGE")]
    vxlan_range: Option<String>,
    /// `bridge` or `routing`.
    #[arg(short = 'b', long, value_name = "MODE")]
    fwd_mode: Option<String>,
    /// `proxy` or `flood`.
    #[arg(short, long, value_name = "MODE")]
    arp_mode: Option<String>,
    /// The /16 of which every endpoint has an address on its host.
    #[arg(short = 's', long, value_name = "CIDR")]
    private_subnet: Option<String>,
    /// UDP port at which hosts take what others send for their endpoints.
    #[arg(long, value_name = "PORT")]
    vxlan_port: Option<u32>,
}

impl Global {
    pub(crate) async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        match self {
            Global::Info(Info { output, .. }) => {
                let global: object::Global = client.get(KEY).await?;
                let lines = lines(&global);
                output.print(session, &[global], &lines)
            }
            Global::Inspect(output) => {
                output.print(session, &client.inspect::<object::Global>(KEY).await?)
            }
            Global::Set(set) => {
                let change = |global: &mut object::Global| {
                    set.clone().apply(global);
                    Ok(())
                };
                edit(client, KEY, PLACES, change).await
            }
        }
    }
}

impl Set {
    fn apply(self, global: &mut object::Global) {
        global.vxlan_port = self.vxlan_port.or(global.vxlan_port);
        let fields = [
            (&mut global.network_infra_type, self.fabric_mode),
            (&mut global.vlans, self.vlan_range),
            (&mut global.vxlans, self.vxlan_range),
            (&mut global.fwd_mode, self.fwd_mode),
            (&mut global.arp_mode, self.arp_mode),
            (&mut global.pvt_subnet, self.private_subnet),
        ];
        for (field, wish) in fields {
            if let Some(value) = wish {
                *field = value;
            }
        }
    }
}

fn lines(global: &object::Global) -> String {
    format!(
        "Fabric mode: {}\nForward mode: {}\nARP mode: {}\nVlan Range: {}\nVxlan range: {}\nPrivate subnet: {}\n",
        global.network_infra_type,
        global.fwd_mode,
        global.arp_mode,
        global.vlans,
        global.vxlans,
        global.pvt_subnet
    )
}
