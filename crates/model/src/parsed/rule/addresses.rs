//! The addresses that a rule names.
//!
//! `a.b.c.d`, `a.b.c.d/len`, `a.b.c.d-N` (the last octet ends at N), `a.b.c.d-e.f.g.h`,
//! and the same in IPv6 but for the third.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::agent::AddressRange;
use crate::invalid::Invalid;
use crate::parsed::subnet::decimal;

/// The ranges that the field names; none when it is empty.
pub(super) fn parse(field: &'static str, text: &str) -> Result<Vec<AddressRange>, Invalid> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let Some(range) = range(text) else {
        return Err(Invalid::new(
            field,
            format!(
                "{text:?} is not an address; write 10.1.2.3, 10.1.2.0/24, 10.1.2.3-9, \
                 10.1.2.3-10.1.4.5, 2001:db8::1 or 2001:db8::/64"
            ),
        ));
    };
    if range.first > range.last {
        return Err(Invalid::new(
            field,
            format!("{text:?} ends before it begins; write the lower address first"),
        ));
    }
    Ok(vec![range])
}

fn range(text: &str) -> Option<AddressRange> {
    if let Some((_, bits)) = text.split_once('/') {
        decimal(bits)?;
        let net: IpNet = text.parse().ok()?;
        return Some(AddressRange {
            first: net.network(),
            last: net.broadcast(),
        });
    }
    let Some((first, last)) = text.split_once('-') else {
        let address: IpAddr = text.parse().ok()?;
        return Some(AddressRange {
            first: address,
            last: address,
        });
    };
    let first: IpAddr = first.parse().ok()?;
    let last = match (first, decimal(last)) {
        (IpAddr::V4(first), Some(octet)) => {
            let [a, b, c, _] = first.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, octet))
        }
        _ => last.parse().ok()?,
    };
    (first.is_ipv4() == last.is_ipv4()).then_some(AddressRange { first, last })
}
