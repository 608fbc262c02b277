//! A small fabric for tests: one network, and a host that asks for its addresses.

use std::net::IpAddr;
use std::time::Duration;

use contiv_fabric::record::Stamp;
use contiv_fabric::{HostReports, Image, Presets, bootstrap, put_network, request_address};
use contiv_model::agent::{AddressRequest, PoolRef};
use contiv_model::object::Network;

use super::Ledger;
use crate::error::Error;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn stamp(uid: &str) -> Stamp {
    Stamp {
        uid: uid.into(),
        time: 1,
    }
}

/// Two commits: the first records, and network `n` of tenant `default`.
pub(crate) async fn begin(ledger: &Ledger) {
    let decide = |image: &Image| bootstrap(image, Presets::default(), &stamp("g"), &stamp("t"));
    ledger.decide(decide).await.unwrap();
    let network = Network {
        tenant_name: "default".into(),
        network_name: "n".into(),
        encap: "vxlan".into(),
        subnet: "10.1.1.0/24".into(),
        ..Network::default()
    };
    let reports = HostReports::default();
    let decide = |image: &Image| put_network(image, &reports, &stamp("n"), &network, None);
    ledger.decide(decide).await.unwrap();
}

/// Host `h` asks for an address of the network.
pub(crate) async fn request(
    ledger: &Ledger,
    time: u64,
    address: Option<IpAddr>,
) -> Result<IpAddr, Error> {
    request_for(ledger, "h", time, address).await
}

pub(crate) async fn request_for(
    ledger: &Ledger,
    host: &str,
    time: u64,
    address: Option<IpAddr>,
) -> Result<IpAddr, Error> {
    let request = AddressRequest {
        pool: PoolRef {
            tenant: "default".into(),
            network: "n".into(),
            group: None,
        },
        ipv6: false,
        address,
        by: Default::default(),
    };
    let decide = |image: &Image| request_address(image, time, host, &request);
    let decided = tokio::time::timeout(PATIENCE, ledger.decide(decide)).await;
    Ok(decided.expect("an answer in time")?.answer.address)
}
