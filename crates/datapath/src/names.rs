//! Names of what is ours in the kernel.

/// The host's door to its containers: what the host sends here, the programs deliver.
pub(crate) use contiv_datapath_abi::programs::HOST_LINK as DOOR;
/// The other end of the door, where the programs take over.
pub(crate) use contiv_datapath_abi::programs::HOST_LINK_INNER as DOOR_INSIDE;

/// The tunnel's link on this host.
pub(crate) use contiv_datapath_abi::programs::TUNNEL_LINK as TUNNEL;

/// The names of an endpoint's links, derived from its id alone.
///
/// The host keeps `cvXXXXXXXXXXXXX`, the container is given `ccXXXXXXXXXXXXX`
/// (13 digits of the endpoint's id, or of a hash of one that is no row of digits; interface names
/// have at most 15 bytes).
pub fn link_names(endpoint_id: &str) -> (String, String) {
    let is_digits = endpoint_id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let digits = match is_digits {
        true => endpoint_id.chars().take(13).collect(),
        false => format!("{:013x}", hash(endpoint_id) >> 12),
    };
    (format!("cv{digits}"), format!("cc{digits}"))
}

/// The same for all agents of all time (FNV-1a, 64 bits).
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Whether a link is one of ours, by its name.
pub(crate) fn is_ours(link: &str) -> bool {
    [DOOR, DOOR_INSIDE, TUNNEL].contains(&link) || endpoint_digits(link).is_some()
}

/// What an endpoint's link is named by, on either end.
pub(crate) fn endpoint_digits(link: &str) -> Option<&str> {
    let digits = link
        .strip_prefix("cv")
        .or_else(|| link.strip_prefix("cc"))?;
    let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    (!digits.is_empty() && hex).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_links_are_told_from_others() {
        for ours in ["contiv0", "contiv1", "contivvx0", "cv1a", "cc0012"] {
            assert!(is_ours(ours), "{ours}");
        }
        for theirs in ["contiv10", "cv", "cvx", "eth0", "ccm0x", "veth12"] {
            assert!(!is_ours(theirs), "{theirs}");
        }
    }

    #[test]
    fn both_ends_are_named_by_the_endpoint() {
        let (host, container) = link_names("0123456789abcdef0123");
        assert_eq!(
            (host.as_str(), container.as_str()),
            ("cv0123456789abc", "cc0123456789abc")
        );
        let [a, b] = ["default:contivh1@h1", "default:contivh1@h2"].map(|id| link_names(id).0);
        assert!(a != b && is_ours(&a) && a.len() == 15, "{a} {b}");
    }
}
