//! The packets that a question is about.

use clap::Args;

use crate::failure::Places;

/// Flags for the first packet of a connection.
#[derive(Debug, Args)]
pub(crate) struct PacketFlags {
    /// Protocol by name or number.
    #[arg(
        short = 'l',
        long = "proto",
        visible_alias = "protocol",
        default_value = "tcp",
        value_name = "PROTOCOL"
    )]
    pub(crate) protocol: String,
    /// Destination port, with tcp and udp.
    #[arg(short = 'P', long)]
    pub(crate) port: Option<u16>,
    /// Type of the message, with icmp and icmpv6 [default: an echo request].
    #[arg(long, value_name = "TYPE")]
    pub(crate) icmp_type: Option<u8>,
    /// Code of the message, with a type [default: 0].
    #[arg(long, value_name = "CODE")]
    pub(crate) icmp_code: Option<u8>,
}

/// Where the fields of a question come from.
pub(crate) const PLACES: Places = &[
    ("tenantName", "--tenant"),
    ("from", "--from"),
    ("to", "--to"),
    ("protocol", "--proto"),
    ("port", "--port"),
    ("icmpType", "--icmp-type"),
    ("icmpCode", "--icmp-code"),
];
