//! Where this host is among the others: the addresses of `--vtep-ip` and `--ctrl-ip`, or
//! what the host's own routes say.

use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;

use tokio::net::{UdpSocket, lookup_host};

/// Any address that is far away (RFC 5737): what leads there is the default route.
const FAR: &str = "192.0.2.1:9";

/// This host's addresses.
#[derive(Debug, Default)]
pub struct Underlay {
    tunnel: Option<IpAddr>,
    control: Option<IpAddr>,
    port: Option<u16>,
    /// `host:port` of each master.
    masters: Vec<String>,
    /// Found once: others know the host by it.
    found: OnceLock<IpAddr>,
}

impl Underlay {
    /// The underlay with what the operator says of it, and the masters' addresses as URLs.
    pub fn new(
        tunnel: Option<IpAddr>,
        control: Option<IpAddr>,
        port: Option<u16>,
        masters: impl IntoIterator<Item = String>,
    ) -> Underlay {
        let place = |url: String| {
            let place = url.split_once("://").map(|(_, place)| place.to_owned());
            place.unwrap_or(url)
        };
        Underlay {
            tunnel,
            control,
            port,
            masters: masters.into_iter().map(place).collect(),
            found: OnceLock::new(),
        }
    }

    /// The UDP port that the operator named.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Where the other hosts send to: the address that was given, that of `--ctrl-ip`, the one
    /// that the masters are reached from, or the one that the world is reached from.
    pub async fn tunnel(&self) -> Option<IpAddr> {
        if self.known().is_none()
            && let Some(found) = self.find().await
        {
            tracing::info!(address = %found, "other hosts reach this one here");
            let _ = self.found.set(found);
        }
        self.known()
    }

    /// Where people find the host.
    pub async fn control(&self) -> Option<IpAddr> {
        match self.control {
            Some(control) => Some(control),
            None => self.find().await,
        }
    }

    /// The tunnel address, once it is known.
    pub fn known(&self) -> Option<IpAddr> {
        let given = self.tunnel.or(self.control);
        given.or_else(|| self.found.get().copied())
    }

    async fn find(&self) -> Option<IpAddr> {
        for master in &self.masters {
            let Ok(addresses) = lookup_host(master).await else {
                continue;
            };
            for address in addresses {
                if let Some(own) = source_to(address).await {
                    return Some(own);
                }
            }
        }
        source_to(FAR.parse().ok()?).await
    }
}

/// The address from which this host reaches another; none for itself.
async fn source_to(other: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = match other {
        SocketAddr::V4(_) => [0; 4].into(),
        SocketAddr::V6(_) => [0; 16].into(),
    };
    let socket = UdpSocket::bind((any, 0)).await.ok()?;
    // Nothing is sent: the kernel looks up the route.
    socket.connect(other).await.ok()?;
    let own = socket.local_addr().ok()?.ip();
    (!own.is_loopback() && !own.is_unspecified()).then_some(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_given_is_taken_and_the_loopback_is_nobodys_tunnel() {
        let own: IpAddr = "192.0.2.7".parse().unwrap();
        let given = Underlay::new(Some(own), None, None, []);
        assert_eq!(given.tunnel().await, Some(own));
        let control = Underlay::new(None, Some(own), None, []);
        assert_eq!(
            (control.tunnel().await, control.known()),
            (Some(own), Some(own))
        );
        assert_eq!(source_to("127.0.0.1:9999".parse().unwrap()).await, None);
    }

    #[test]
    fn masters_are_found_by_host_and_port() {
        let underlay = Underlay::new(None, None, None, ["https://[fd00::1]:9999".to_owned()]);
        assert_eq!(underlay.masters, ["[fd00::1]:9999"]);
    }
}
