//! Addresses of networks that the host uses for something else, and links that are nobody's.

use contiv_model::agent::{NetworkView, TakenPrefix};
use contiv_model::doctor::Finding;
use ipnet::IpNet;

use crate::mirror::DEFAULT_TENANT;

/// Networks that overlap what the host has by another way.
pub(super) fn conflicts(taken: &[TakenPrefix], networks: &[NetworkView]) -> Vec<Finding> {
    let mut findings = Vec::new();
    // The host has no part in other networks of other tenants, which may have what addresses they
    // like.
    let reached = |n: &&NetworkView| n.tenant == DEFAULT_TENANT || n.infra;
    for network in networks.iter().filter(reached) {
        let v4 = IpNet::from(network.subnet);
        let subnets = [Some(v4), network.ipv6_subnet.map(IpNet::from)];
        for subnet in subnets.into_iter().flatten() {
            let meets = |taken: &&TakenPrefix| {
                let other = taken.prefix;
                other.prefix_len() > 0
                    && (subnet.contains(&other.network()) || other.contains(&subnet.network()))
            };
            findings.extend(taken.iter().filter(meets).map(|taken| {
                let what = format!(
                    "{subnet} of network {} is in use here by something else: {} ({})",
                    network.name, taken.prefix, taken.by
                );
                let remedy = "free the prefix on this host, or give the network another subnet; \
                              until then the host itself does not reach the network";
                Finding::warning("address-conflict", what, remedy)
                    .about(format!("{}:{}", network.tenant, network.name))
            }));
        }
    }
    if findings.is_empty() {
        let what = "no network overlaps what the host uses for itself";
        findings.push(Finding::ok("address-conflict", what));
    }
    findings
}

/// Links that are named as endpoints' are, and those of them that were removed just now.
pub(super) fn strays(strays: &[String], swept: &[String]) -> Vec<Finding> {
    let finding = |link: &String| {
        let what = format!("{link} is named as an endpoint's link is, and is no endpoint's");
        let remedy = format!("netctl doctor --fix deletes it, or: ip link del {link}");
        let mut finding = Finding::warning("stray-link", what, remedy)
            .about(link)
            .fixable();
        finding.fixed = swept.contains(link);
        finding
    };
    match strays.is_empty() {
        true => vec![Finding::ok("stray-link", "every link is an endpoint's")],
        false => strays.iter().map(finding).collect(),
    }
}

#[cfg(test)]
mod tests {
    use contiv_model::agent::Encap;

    use super::*;

    fn network(subnet: &str) -> NetworkView {
        NetworkView {
            uid: String::new(),
            tenant: DEFAULT_TENANT.into(),
            name: "net".into(),
            number: 1,
            infra: false,
            encap: Encap::Vxlan,
            tag: 1,
            subnet: subnet.parse().unwrap(),
            gateway: None,
            ipv6_subnet: None,
            ipv6_gateway: None,
            network_tag: String::new(),
        }
    }

    #[test]
    fn a_network_that_the_host_has_by_another_way_is_named() {
        let taken = |prefix: &str| TakenPrefix {
            prefix: prefix.parse().unwrap(),
            by: "address of eth1".into(),
        };
        let networks = [network("10.1.0.0/16"), network("10.2.0.0/16")];
        let open = |prefix: &str| {
            let found = conflicts(&[taken(prefix)], &networks).into_iter();
            found.filter(Finding::is_open).count()
        };
        assert_eq!(open("10.1.9.0/24"), 1);
        assert_eq!(open("10.0.0.0/8"), 2);
        assert_eq!((open("10.3.0.0/16"), open("0.0.0.0/0")), (0, 0));
        let others = NetworkView {
            tenant: "blue".into(),
            ..network("10.1.0.0/16")
        };
        let told = conflicts(&[taken("10.1.9.0/24")], &[others]);
        assert!(!told.iter().any(Finding::is_open));
        let told = conflicts(&[taken("10.1.9.0/24")], &networks);
        assert!(told[0].what.contains("eth1") && told[0].subject == "default:net");
    }

    #[test]
    fn a_link_that_was_removed_is_not_open() {
        let links = ["cv1a".to_owned(), "cv2b".to_owned()];
        let found = strays(&links, &links[..1]);
        let open: Vec<&str> = found
            .iter()
            .filter(|f| f.is_open())
            .map(|f| f.subject.as_str())
            .collect();
        assert_eq!(open, ["cv2b"]);
        assert!(!strays(&[], &[]).iter().any(Finding::is_open));
    }
}
