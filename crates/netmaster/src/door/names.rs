//! The names and addresses that a master is reached by.

use std::collections::BTreeSet;
use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;
use rustls::pki_types::ServerName;

use crate::listen::Listen;

/// What its certificate is for.
#[derive(Clone, Debug)]
pub(super) struct Names {
    listen: Vec<IpAddr>,
    advertised: Vec<String>,
}

impl Names {
    pub(super) fn new(listen: &[Listen], advertised: &[String]) -> Names {
        Names {
            listen: listen.iter().map(|listen| listen.address.ip()).collect(),
            advertised: advertised.iter().map(|url| host_of(url)).collect(),
        }
    }

    /// All of them as they are now.
    ///
    /// 1. What `--advertise-url` says, the machine's host name, and `localhost`.
    /// 2. Addresses that are listened at; where that is any address, all that the machine has.
    pub(super) fn now(&self) -> Vec<String> {
        let host_name = std::fs::read_to_string("/proc/sys/kernel/hostname");
        let mut names: BTreeSet<String> = self.advertised.iter().cloned().collect();
        names.insert(host_name.unwrap_or_default().trim().to_owned());
        names.insert("localhost".into());
        for address in &self.listen {
            if !address.is_unspecified() {
                names.insert(address.to_string());
                continue;
            }
            let own = own_addresses().into_iter();
            // Who listens at `::` is reached by IPv4 as well.
            let reached = own.filter(|own| own.is_ipv4() || address.is_ipv6());
            names.extend(reached.map(|own| own.to_string()));
        }
        let usable = |name: &String| ServerName::try_from(name.as_str()).is_ok();
        names.into_iter().filter(usable).collect()
    }
}

fn own_addresses() -> Vec<IpAddr> {
    let interfaces = getifaddrs().into_iter().flatten();
    let addresses = interfaces.filter_map(|interface| {
        let address = interface.address?;
        let ipv4 = address.as_sockaddr_in().map(|a| IpAddr::from(a.ip()));
        ipv4.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::from(a.ip())))
    });
    // An address of the link alone names no machine.
    let routed = |address: &IpAddr| match address {
        IpAddr::V4(address) => !address.is_link_local(),
        IpAddr::V6(address) => !address.is_unicast_link_local(),
    };
    addresses.filter(routed).collect()
}

/// The host of a URL, or of `host:port`, or a host alone.
fn host_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split('/').next().unwrap_or_default();
    if rest.parse::<IpAddr>().is_ok() {
        return rest.to_owned();
    }
    let host = match rest.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => rest,
    };
    host.trim_matches(['[', ']']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_url_is_what_a_certificate_names() {
        for (url, host) in [
            ("https://m1.example:9998/", "m1.example"),
            ("m1:9998", "m1"),
            ("m1", "m1"),
            ("10.0.0.1", "10.0.0.1"),
            ("[fd00::1]:9998", "fd00::1"),
            ("fd00::1", "fd00::1"),
        ] {
            assert_eq!(host_of(url), host);
        }
    }

    #[test]
    fn any_address_means_all_that_the_machine_has() {
        let names = |listen: &str| Names::new(&[listen.parse().unwrap()], &["m1:1".into()]).now();
        let any = names("0.0.0.0:1");
        assert!(
            any.contains(&"m1".into()) && any.contains(&"127.0.0.1".into()),
            "{any:?}"
        );
        let one = names("10.9.8.7:1");
        assert!(one.contains(&"10.9.8.7".into()) && !one.contains(&"127.0.0.1".into()));
    }
}
