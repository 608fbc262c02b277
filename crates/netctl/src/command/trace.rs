//! `netctl trace`.

mod text;

use clap::Args;
use contiv_client::Client;
use contiv_model::reach::{Trace, TraceRequest};

use crate::command::packets::{PLACES, PacketFlags};
use crate::command::scope::plain;
use crate::failure::Failure;
use crate::output::InfoFlags;
use crate::session::Session;

/// Tells why a connection is allowed or denied.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    netctl trace --from web1 --to db1 --proto tcp --port 5432\n  \
    netctl trace --from web-group --to 10.1.2.3 --port 443 -t blue\n  \
    netctl trace --from host --to db1 --proto icmp\n\n\
    It ends with 3 when the tables of a host say something else than what is configured.")]
pub(crate) struct TraceFlags {
    /// Who opens the connection: a container or endpoint by name, id or the beginning of one, a
    /// group, an address, or host; endpoint:NAME and group:NAME leave no doubt.
    #[arg(long, value_name = "WHO")]
    from: String,
    /// Who receives it: as --from.
    #[arg(long, value_name = "WHO")]
    to: String,
    #[command(flatten)]
    packets: PacketFlags,
    /// Tenant of both.
    #[arg(short, long, default_value = "default")]
    tenant: String,
    #[command(flatten)]
    output: InfoFlags,
}

impl TraceFlags {
    pub(crate) async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        plain("--tenant", &self.tenant)?;
        let PacketFlags {
            protocol,
            port,
            icmp_type,
            icmp_code,
        } = self.packets;
        let request = TraceRequest {
            tenant_name: self.tenant,
            from: self.from,
            to: self.to,
            protocol,
            port,
            icmp_type,
            icmp_code,
        };
        let refused = Failure::with_places(PLACES);
        let trace = client.trace(&request).await.map_err(refused)?;
        self.output.print(session, &trace, &text::lines(&trace))?;
        match trace.disagrees {
            false => Ok(()),
            true => Err(Failure::Invalid(disagreement(&trace))),
        }
    }
}

/// The hosts whose tables are not as they should be.
fn disagreement(trace: &Trace) -> String {
    let tables = trace.cases.iter().flat_map(|case| &case.tables);
    let wrong = tables.filter(|says| !says.agrees);
    let mut hosts: Vec<&str> = wrong.map(|says| says.host.as_str()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    format!(
        "the tables of {} say something else than what is configured; look at netctl host inspect \
         and at the log of netplugin there",
        hosts.join(", ")
    )
}
