//! Addresses under concurrency: each given once, the lowest ones, none lost.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use contiv_client::HostClient;
use contiv_model::agent::{AddressRelease, AddressRequest, EndpointRequest, HostStatus, PoolRef};
use futures_util::future::join_all;

use crate::master::{Master, PATIENCE};

fn pool() -> PoolRef {
    PoolRef {
        tenant: "default".into(),
        network: "n".into(),
        group: None,
    }
}

fn any() -> AddressRequest {
    AddressRequest {
        pool: pool(),
        ipv6: false,
        address: None,
        by: Default::default(),
    }
}

async fn ask(host: &HostClient) -> IpAddr {
    host.request_address(&any()).await.unwrap().address
}

fn lowest(count: u8) -> BTreeSet<IpAddr> {
    (1..=count)
        .map(|n| Ipv4Addr::new(10, 1, 1, n).into())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_requests_at_once_get_the_sixty_four_lowest_addresses() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    master.make_network("n", "10.1.1.0/24");
    let host = master.host("h").await;

    let granted = join_all((0..64).map(|_| ask(&host))).await;
    assert_eq!(granted.iter().copied().collect::<BTreeSet<_>>(), lowest(64));

    // They shared flushes, and nobody raced.
    let metrics = master.get("/metrics").body;
    let figure = |name: &str| -> f64 {
        let line = metrics.as_str().unwrap().lines();
        let mut line = line.filter_map(|l| l.strip_prefix(name)?.strip_prefix(' '));
        line.next().unwrap().parse().unwrap()
    };
    // The first records, the network and the host came before.
    assert_eq!(figure("contiv_netmaster_store_commits"), 67.0);
    assert_eq!(figure("contiv_netmaster_store_conflicts"), 0.0);
    assert!(figure("contiv_netmaster_store_flushes") < 50.0);
    assert!(figure("contiv_netmaster_store_largest_batch") > 1.0);

    // Half of them go back while others ask.
    let (back, kept) = granted.split_at(32);
    let release = |address: &IpAddr| {
        let (host, address) = (host.clone(), *address);
        async move {
            let release = AddressRelease {
                pool: pool(),
                address,
                by: Default::default(),
            };
            host.release_address(&release).await.unwrap();
        }
    };
    let (_, anew) = tokio::join!(
        join_all(back.iter().map(release)),
        join_all((0..32).map(|_| ask(&host)))
    );
    let now: BTreeSet<_> = kept.iter().chain(&anew).copied().collect();
    assert_eq!(now.len(), 64, "an address was given twice");
    let listed = master.client().addresses().await.unwrap();
    let listed: BTreeSet<IpAddr> = listed.iter().map(|a| a.address.parse().unwrap()).collect();
    assert_eq!(listed, now);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_lives_from_its_grant_over_its_endpoint_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    master.make_network("n", "10.1.1.0/24");
    let host = master.host("h").await;
    let _stream = host.stream(None).await.unwrap();
    let address = ask(&host).await;
    let IpAddr::V4(ipv4) = address else {
        panic!("{address}")
    };
    let request = EndpointRequest {
        pool: pool(),
        ipv4: Some(ipv4),
        ipv6: None,
        mac: None,
        replaces: None,
        of_swarm: false,
        begins: false,
    };
    let grant = host.put_endpoint("e1", &request).await.unwrap();
    assert_eq!(grant.endpoint.ipv4, ipv4);
    // The engine's repeat gets the same answer, and its release of a live address nothing.
    assert_eq!(
        host.put_endpoint("e1", &request).await.unwrap().endpoint,
        grant.endpoint
    );
    let release = AddressRelease {
        pool: pool(),
        address,
        by: Default::default(),
    };
    host.release_address(&release).await.unwrap();
    let state = || async {
        let all = master.client().addresses().await.unwrap();
        all.first().map(|a| a.state.clone())
    };
    assert_eq!(state().await.as_deref(), Some("bound"));
    let inspected = master.client().inspect_endpoint("e").await.unwrap();
    assert_eq!(inspected["Oper"]["endpointID"], "e1");
    assert_eq!(master.delete("/api/v1/networks/default:n/").status, 409);

    host.delete_endpoint("e1").await.unwrap();
    assert_eq!(state().await.as_deref(), Some("draining"));
    // Free once the host has the end of the endpoint in its kernel.
    let mut status = HostStatus::default();
    let revision = master.get("/healthz").body["revision"].clone();
    status.applied = revision.as_str().unwrap().parse().unwrap();
    host.report(&status).await.unwrap();
    let freed = async {
        while state().await.is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, freed).await.unwrap();
}
