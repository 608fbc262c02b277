//! A hail as bytes: VXLAN's header, and a frame of an Ethernet type that nothing else uses.

use std::net::{IpAddr, Ipv6Addr};

use contiv_datapath_abi::packet::ETHERTYPE_HAIL;

use crate::address;

/// What one end says to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hail {
    /// The sender's end of the tunnel, as it says.
    pub from: IpAddr,
    pub kind: HailKind,
    /// The same in a question and in its answer.
    pub nonce: u64,
}

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HailKind {
    Ask,
    Answer,
}

/// The number is valid (RFC 7348).
const VXLAN: [u8; 8] = [0x08, 0, 0, 0, 0, 0, 0, 0];
/// To all, from one that no device has.
const MACS: [u8; 12] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0, 0, 0x48, 0x4c,
];
const SIGN: [u8; 4] = *b"HAIL";
const HEADER: usize = MACS.len() + 2;
const BODY: usize = SIGN.len() + 1 + 16 + 8;

/// What a UDP packet carries, such that the IP packet has this size, or the least that it takes.
pub(super) fn write(hail: &Hail, size: u32) -> Vec<u8> {
    let mut bytes = VXLAN.to_vec();
    bytes.extend(MACS);
    bytes.extend(ETHERTYPE_HAIL.to_be_bytes());
    bytes.extend(SIGN);
    bytes.push(match hail.kind {
        HailKind::Ask => 1,
        HailKind::Answer => 2,
    });
    bytes.extend(address::bytes(hail.from));
    bytes.extend(hail.nonce.to_be_bytes());
    let headers = if hail.from.is_ipv4() { 28 } else { 48 };
    let wanted = (size as usize).saturating_sub(headers);
    bytes.resize(bytes.len().max(wanted), 0);
    bytes
}

/// The hail in a frame, if it is one.
pub(super) fn read(frame: &[u8]) -> Option<Hail> {
    let body = frame.get(HEADER..HEADER + BODY)?;
    let (sign, rest) = body.split_at(SIGN.len());
    if frame[MACS.len()..HEADER] != ETHERTYPE_HAIL.to_be_bytes() || sign != SIGN {
        return None;
    }
    let kind = match rest[0] {
        1 => HailKind::Ask,
        2 => HailKind::Answer,
        _ => return None,
    };
    let from: [u8; 16] = rest[1..17].try_into().ok()?;
    Some(Hail {
        from: Ipv6Addr::from(from).to_canonical(),
        kind,
        nonce: u64::from_be_bytes(rest[17..25].try_into().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hail_is_read_as_it_was_written_and_nothing_else_is() {
        for from in ["192.0.2.1", "fd00::1"] {
            let hail = Hail {
                from: from.parse().unwrap(),
                kind: HailKind::Ask,
                nonce: 0x0123_4567_89ab_cdef,
            };
            let bytes = write(&hail, 0);
            assert_eq!(read(&bytes[VXLAN.len()..]), Some(hail));
            for end in VXLAN.len()..bytes.len() {
                assert_eq!(read(&bytes[VXLAN.len()..end]), None);
            }
            let mut other = bytes[VXLAN.len()..].to_vec();
            other[HEADER] ^= 1;
            assert_eq!(read(&other), None);
        }
    }

    #[test]
    fn a_packet_has_the_size_that_is_asked_for() {
        let of = |from: &str| Hail {
            from: from.parse().unwrap(),
            kind: HailKind::Answer,
            nonce: 1,
        };
        assert_eq!(write(&of("192.0.2.1"), 1500).len() + 28, 1500);
        assert_eq!(write(&of("fd00::1"), 1500).len() + 48, 1500);
    }
}
