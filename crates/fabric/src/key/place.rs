//! Addresses as text whose order is theirs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All digits, `010.001.001.007` or `fd00:0000:…:0001`.
pub(super) fn text(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let parts = address.octets().map(|part| format!("{part:03}"));
            parts.join(".")
        }
        IpAddr::V6(address) => {
            let parts = address.segments().map(|part| format!("{part:04x}"));
            parts.join(":")
        }
    }
}

/// The address of such a text; none of any other.
pub(super) fn parse(text: &str) -> Option<IpAddr> {
    let address = match text.contains(':') {
        true => IpAddr::from(text.parse::<Ipv6Addr>().ok()?),
        false => {
            let parts = text.split('.').map(|part| part.parse::<u8>().ok());
            let parts: Vec<u8> = parts.collect::<Option<_>>()?;
            IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(parts).ok()?))
        }
    };
    (self::text(address) == text).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_in_the_order_of_addresses() {
        for family in [
            ["9.255.0.1", "10.0.0.9", "10.0.0.10"],
            ["::1", "fd00::a", "fd00::10"],
        ] {
            let all = family.map(|address| address.parse::<IpAddr>().unwrap());
            assert!(all.is_sorted());
            assert!(all.map(text).is_sorted(), "{:?}", all.map(text));
            for address in all {
                assert_eq!(parse(&text(address)), Some(address));
            }
        }
        for other in ["10.1.1.1", "::1", "010.001.001", "x", "256.000.000.000"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
