//! Whose process speaks at the plain loopback.
//!
//! Whoever reaches the loopback is trusted with what Contiv decides, and not with the cluster's keys:
//! these outlive every other right, and are good from every other machine. So what gives them away is
//! for root, or the user that netmaster runs as. The kernel says who owns a connection's other end:
//! `/proc/net/tcp` has the owner of each socket of the network namespace (proc_net_tcp.rst).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;

use axum::http::StatusCode;

use crate::api::Problem;

/// What gives the cluster away: all it holds, a token that is good for everything, and one that makes
/// another machine a host.
const SECRET: [&str; 3] = [
    "/api/v1/snapshot",
    "/api/v1/tokens/admin",
    "/api/v1/tokens/join",
];

/// Whether a route, with or without its last slash, gives the cluster away.
pub(super) fn is_secret(route: &str) -> bool {
    SECRET.contains(&route.trim_end_matches('/'))
}

/// Refuses processes of other users; `peer` is the other end of the connection.
pub(super) async fn check(peer: Option<SocketAddr>) -> Result<(), Problem> {
    let look = move || {
        let tables = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];
        let rows: Vec<u32> = tables
            .iter()
            .filter_map(|table| std::fs::read_to_string(table).ok())
            .flat_map(|table| peer.map_or_else(Vec::new, |peer| owners(&table, peer)))
            .collect();
        let own = std::fs::metadata("/proc/self").map(|me| me.uid()).ok();
        // Others may hold sockets at the same end, to elsewhere: then nobody is believed.
        !rows.is_empty() && rows.iter().all(|uid| *uid == 0 || Some(*uid) == own)
    };
    if tokio::task::spawn_blocking(look)
        .await
        .is_ok_and(|right| right)
    {
        return Ok(());
    }
    let message = "this gives the cluster's keys away, so that on the loopback it is for root alone: \
                   run netmaster snapshot save, netmaster token or netctl host token as root on this \
                   machine; \
                   or show the administrator's token, Authorization: Bearer TOKEN";
    Err(Problem::new(StatusCode::FORBIDDEN, "", message))
}

/// The users that own sockets whose own end is `local`.
fn owners(table: &str, local: SocketAddr) -> Vec<u32> {
    let rows = table.lines().skip(1);
    let owner = |row: &str| {
        let mut words = row.split_whitespace();
        let end = address(words.nth(1)?)?;
        let uid = words.nth(5)?.parse().ok()?;
        (end == (local.ip().to_canonical(), local.port())).then_some(uid)
    };
    rows.filter_map(owner).collect()
}

/// An address as the table has it: words in the byte order of the machine, then the port.
fn address(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for start in (0..address.len()).step_by(8) {
        let word = address.get(start..start + 8)?;
        bytes.extend(u32::from_str_radix(word, 16).ok()?.to_ne_bytes());
    }
    let ip = match bytes.len() {
        4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        _ => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
    };
    Some((ip.to_canonical(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:270F 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 25733 1
   1: 0100007F:D431 0100007F:270F 01 00000000:00000000 00:00000000 00000000  1000        0 25734 1
   2: 0000000000000000FFFF00000100007F:D432 0000000000000000FFFF00000100007F:270F 01 00000000:00000000 00:00000000 00000000    33        0 25735 1
   3: 00000000000000000000000001000000:D433 00000000000000000000000001000000:270F 01 00000000:00000000 00:00000000 00000000     0        0 25736 1
";

    #[test]
    #[cfg(target_endian = "little")]
    fn the_owner_of_a_connections_other_end_is_found() {
        let of = |end: &str| owners(TABLE, end.parse().unwrap());
        assert_eq!(of("127.0.0.1:54321"), [1000]);
        assert_eq!(of("127.0.0.1:54322"), [33]);
        assert_eq!(of("[::1]:54323"), [0]);
        assert_eq!(of("127.0.0.1:54323"), [0; 0]);
        assert!(is_secret("/api/v1/snapshot/") && is_secret("/api/v1/tokens/admin"));
        assert!(is_secret("/api/v1/tokens/join/"));
        assert!(!is_secret("/api/v1/tenants/") && !is_secret(""));
    }

    #[tokio::test]
    async fn who_cannot_be_found_is_refused() {
        assert!(check(None).await.is_err());
        assert!(check(Some("127.0.0.1:1".parse().unwrap())).await.is_err());
    }
}
