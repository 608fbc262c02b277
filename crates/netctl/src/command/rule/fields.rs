//! The flags that say what a rule is about.

use clap::Args;
use contiv_model::object::Rule;

use crate::failure::Failure;

/// What is not given stays as it is, or has its default in a new rule; an empty value takes
/// a condition away.
#[derive(Clone, Debug, Args)]
pub(super) struct Fields {
    /// From 1 to 100; the higher number wins [default: 1].
    #[arg(short, long)]
    priority: Option<u32>,
    /// `in` or `out`, seen from the group that has the policy [default: in].
    #[arg(short, long)]
    direction: Option<String>,
    /// Group that the traffic comes from (direction in).
    #[arg(short = 'g', long, value_name = "GROUP")]
    from_group: Option<String>,
    /// Group that the traffic goes to (direction out).
    #[arg(short = 'e', long, value_name = "GROUP")]
    to_group: Option<String>,
    /// Network that the traffic comes from (direction in), without group or addresses.
    #[arg(short = 'n', long, value_name = "NETWORK")]
    from_network: Option<String>,
    /// Network that the traffic goes to (direction out), without group or addresses.
    #[arg(short = 'o', long, value_name = "NETWORK")]
    to_network: Option<String>,
    /// Addresses, subnets and ranges that the traffic comes from (direction in), such as
    /// 10.1.2.0/24,10.1.3.4-9,fd00::/64.
    #[arg(short = 'i', long, value_name = "CIDRS")]
    from_ip_address: Option<String>,
    /// The same that the traffic goes to; with direction in, addresses that endpoints of the
    /// one group with the policy have already.
    #[arg(short = 's', long, value_name = "CIDRS")]
    to_ip_address: Option<String>,
    /// Exceptions in the same form, inside of --from-ip-address, which is to be given as well.
    #[arg(long, value_name = "CIDRS")]
    from_ip_except: Option<String>,
    /// The same, inside of --to-ip-address.
    #[arg(long, value_name = "CIDRS")]
    to_ip_except: Option<String>,
    /// `tcp`, `udp`, `icmp`, another name, or a number up to 255; every protocol when absent.
    #[arg(short = 'l', long)]
    protocol: Option<String>,
    /// Destination port, with tcp, udp or no protocol; every port when absent.
    #[arg(short = 'P', long)]
    port: Option<u32>,
    /// Destination ports in place of --port, such as 80,443,8000-8100.
    #[arg(long, conflicts_with = "port")]
    ports: Option<String>,
    /// Type of ICMP or ICMPv6; every type when absent.
    #[arg(long, value_name = "NUMBER")]
    icmp_type: Option<Number>,
    /// Code of that type, which is to be given as well; every code when absent.
    #[arg(long, value_name = "NUMBER")]
    icmp_code: Option<Number>,
    /// `allow`, `deny`, or `pass` to the policies of the next tier [default: allow].
    #[arg(short = 'j', long)]
    action: Option<String>,
    /// Report each new connection that the rule decides.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    log: Option<bool>,
    /// Keep connections that the rule has let in when it is revoked.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    keep_established: Option<bool>,
    /// What the rule is for, in one line.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

/// A number, or nothing to take it away.
#[derive(Clone, Copy, Debug)]
struct Number(Option<u32>);

impl std::str::FromStr for Number {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Number, Self::Err> {
        match text {
            "" => Ok(Number(None)),
            text => text.parse().map(|number| Number(Some(number))),
        }
    }
}

impl Fields {
    /// Writes what is given into the rule, and refuses what contradicts itself then.
    pub(super) fn write(self, rule: &mut Rule) -> Result<(), Failure> {
        for (field, given) in [
            (&mut rule.direction, self.direction),
            (&mut rule.from_endpoint_group, self.from_group),
            (&mut rule.to_endpoint_group, self.to_group),
            (&mut rule.from_network, self.from_network),
            (&mut rule.to_network, self.to_network),
            (&mut rule.from_ip_address, self.from_ip_address),
            (&mut rule.to_ip_address, self.to_ip_address),
            (&mut rule.from_ip_except, self.from_ip_except),
            (&mut rule.to_ip_except, self.to_ip_except),
            (&mut rule.protocol, self.protocol),
            (&mut rule.action, self.action),
            (&mut rule.description, self.description),
        ] {
            if let Some(given) = given {
                *field = given;
            }
        }
        if let Some(port) = self.port {
            rule.port = port;
            rule.ports.clear();
        }
        if let Some(ports) = self.ports {
            rule.ports = ports;
            rule.port = 0;
        }
        rule.priority = self.priority.unwrap_or(rule.priority);
        rule.icmp_type = self.icmp_type.map_or(rule.icmp_type, |number| number.0);
        rule.icmp_code = self.icmp_code.map_or(rule.icmp_code, |number| number.0);
        rule.log = self.log.unwrap_or(rule.log);
        rule.keep_established = self.keep_established.unwrap_or(rule.keep_established);
        check(rule)
    }
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
