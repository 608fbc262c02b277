//! What a rule says about protocols, ports and the types of ICMP.

use crate::invalid::Invalid;
use crate::object::Rule;
use crate::parsed::Ports;
use crate::parsed::subnet::decimal;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;

/// Protocols by name; the first name of a number is the one that is printed.
const NAMES: [(&str, u8); 15] = [
    ("tcp", TCP),
    ("udp", UDP),
    ("icmp", ICMP),
    ("icmpv6", ICMPV6),
    ("icmp6", ICMPV6),
    ("sctp", 132),
    ("igmp", 2),
    ("ipip", 4),
    ("dccp", 33),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("ospf", 89),
    ("pim", 103),
    ("vrrp", 112),
];

/// The number of a protocol, by name or number; none for an empty text, which means all.
pub fn protocol(text: &str) -> Result<Option<u8>, Invalid> {
    if text.is_empty() {
        return Ok(None);
    }
    let named = NAMES.iter().find(|(name, _)| *name == text);
    match named.map(|(_, number)| *number).or_else(|| decimal(text)) {
        Some(number) => Ok(Some(number)),
        None => {
            let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
            Err(Invalid::new(
                "protocol",
                format!(
                    "{text:?} is not known; give {}, a number from 0 to 255, or nothing for every \
                     protocol",
                    names.join(", ")
                ),
            ))
        }
    }
}

/// The destination ports, of `port` or of `ports`; none means every one.
pub(super) fn ports(rule: &Rule, protocol: Option<u8>) -> Result<Ports, Invalid> {
    let (field, given) = match (rule.port, rule.ports.as_str()) {
        (0, "") => return Ok(Ports::default()),
        (0, text) => ("ports", format!("{text:?}")),
        (port, "") => ("port", port.to_string()),
        (port, text) => {
            let message = format!("{text:?} and port {port} exclude each other; give one of them");
            return Err(Invalid::new("ports", message));
        }
    };
    if let Some(port) = Some(rule.port).filter(|port| *port > 65535) {
        return Err(Invalid::new(
            field,
            format!("{port} is too high; ports go from 1 to 65535, and 0 means every port"),
        ));
    }
    let ports = match field {
        "port" => Ports::parse(field, &given)?,
        _ => Ports::parse(field, &rule.ports)?,
    };
    match protocol {
        None | Some(TCP | UDP) => Ok(ports),
        Some(_) => Err(Invalid::new(
            field,
            format!(
                "{given} makes no sense with protocol {}: rules have ports for tcp and udp alone; \
                 leave it out",
                rule.protocol
            ),
        )),
    }
}

/// The type and the code of ICMP.
pub(super) fn icmp(rule: &Rule, protocol: Option<u8>) -> Result<(Option<u8>, Option<u8>), Invalid> {
    let byte = |field, number: Option<u32>| match number.map(u8::try_from) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => Err(Invalid::new(
            field,
            format!(
                "{} is too high; give one from 0 to 255",
                number.unwrap_or_default()
            ),
        )),
    };
    let kind = byte("icmpType", rule.icmp_type)?;
    let code = byte("icmpCode", rule.icmp_code)?;
    let (field, number) = match (kind, code) {
        (None, None) => return Ok((None, None)),
        (None, Some(code)) => {
            let message = format!("{code} is the code of no type; give icmpType as well");
            return Err(Invalid::new("icmpCode", message));
        }
        (Some(kind), _) => ("icmpType", kind),
    };
    match protocol {
        Some(ICMP | ICMPV6) => Ok((kind, code)),
        _ => Err(Invalid::new(
            field,
            format!(
                "{number} makes no sense with protocol {:?}; give icmp or icmpv6, or leave it out",
                rule.protocol
            ),
        )),
    }
}
