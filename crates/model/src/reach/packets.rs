//! What the first packet of a connection is like.

use std::fmt;

use crate::Invalid;
use crate::parsed::protocol;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;

/// Type of an echo request.
const ECHO: u8 = 8;
const ECHO_V6: u8 = 128;

/// A protocol, with the port or the message that its packets are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packets {
    pub protocol: u8,
    /// The destination port; of ICMP the type in the higher byte and the code in the lower one.
    pub port: u16,
    /// ICMP without a type: an echo request of either family.
    any_echo: bool,
}

impl Packets {
    /// From the fields of a request, or the first of them that is wrong.
    pub fn parse(
        text: &str,
        port: Option<u16>,
        icmp_type: Option<u8>,
        icmp_code: Option<u8>,
    ) -> Result<Packets, Invalid> {
        let Some(number) = protocol(text)? else {
            let message = "it is missing; name one, such as tcp, udp or icmp";
            return Err(Invalid::new("protocol", message));
        };
        let has_ports = matches!(number, TCP | UDP);
        let is_icmp = matches!(number, ICMP | ICMPV6);
        match port {
            None | Some(0) if has_ports => {
                let message = format!("{text} has ports; give the destination port, 1 to 65535");
                return Err(Invalid::new("port", message));
            }
            Some(port) if !has_ports => {
                let message = format!("{port} makes no sense with {text}, which has no ports");
                return Err(Invalid::new("port", message));
            }
            _ => {}
        }
        let stray = [("icmpType", icmp_type), ("icmpCode", icmp_code)];
        if let Some((field, Some(value))) = stray.iter().find(|(_, v)| v.is_some() && !is_icmp) {
            let message = format!("{value} makes no sense with {text}; give icmp or icmpv6");
            return Err(Invalid::new(field, message));
        }
        if let (None, Some(code)) = (icmp_type, icmp_code) {
            let message = format!("{code} is the code of no type; give icmpType as well");
            return Err(Invalid::new("icmpCode", message));
        }
        let echo = if number == ICMP { ECHO } else { ECHO_V6 };
        let message = [icmp_type.unwrap_or(echo), icmp_code.unwrap_or(0)];
        Ok(Packets {
            protocol: number,
            port: match (is_icmp, port) {
                (true, _) => u16::from_be_bytes(message),
                (false, port) => port.unwrap_or(0),
            },
            any_echo: is_icmp && icmp_type.is_none(),
        })
    }

    /// The packets between addresses of one family: `icmp` says a rule of both.
    #[must_use]
    pub fn between(self, v4: bool) -> Packets {
        let (protocol, kind) = match self.protocol {
            ICMP | ICMPV6 if self.any_echo && v4 => (ICMP, ECHO),
            ICMP | ICMPV6 if self.any_echo => (ICMPV6, ECHO_V6),
            _ => return self,
        };
        Packets {
            protocol,
            port: u16::from_be_bytes([kind, 0]),
            any_echo: true,
        }
    }

    /// Whether it asks for an echo, which a gateway answers.
    pub fn is_echo(self) -> bool {
        let [kind, _] = self.port.to_be_bytes();
        matches!((self.protocol, kind), (ICMP, ECHO) | (ICMPV6, ECHO_V6))
    }
}

impl fmt::Display for Packets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Packets { protocol, port, .. } = *self;
        let [kind, code] = port.to_be_bytes();
        match protocol {
            TCP => write!(f, "tcp port {port}"),
            UDP => write!(f, "udp port {port}"),
            ICMP | ICMPV6 if self.any_echo => write!(f, "icmp echo request"),
            ICMP => write!(f, "icmp type {kind} code {code}"),
            ICMPV6 => write!(f, "icmpv6 type {kind} code {code}"),
            other => write!(f, "protocol {other}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(text: &str, port: Option<u16>, kind: Option<u8>, code: Option<u8>) -> &'static str {
        Packets::parse(text, port, kind, code).unwrap_err().field
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        assert_eq!(field("", None, None, None), "protocol");
        assert_eq!(field("tpc", Some(80), None, None), "protocol");
        assert_eq!(field("tcp", None, None, None), "port");
        assert_eq!(field("udp", Some(0), None, None), "port");
        assert_eq!(field("icmp", Some(80), None, None), "port");
        assert_eq!(field("sctp", Some(80), None, None), "port");
        assert_eq!(field("tcp", Some(80), Some(8), None), "icmpType");
        assert_eq!(field("icmp", None, None, Some(1)), "icmpCode");
    }

    #[test]
    fn a_ping_is_of_the_family_of_its_addresses() {
        let ping = Packets::parse("icmp", None, None, None).unwrap();
        let v6 = ping.between(false);
        assert_eq!((v6.protocol, v6.port), (ICMPV6, 128 << 8));
        assert!(ping.is_echo() && v6.is_echo() && v6.between(true) == ping);
        let fixed = Packets::parse("1", None, Some(3), Some(4)).unwrap();
        assert_eq!(fixed.between(false), fixed);
        assert_eq!(fixed.to_string(), "icmp type 3 code 4");
    }
}
