//! kill -9 and a new start: everything that was answered is there.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use contiv_client::Error;
use contiv_model::agent::{AddressRequest, DockerNetwork, EndpointRequest, PoolRef};
use serde_json::json;

use crate::master::{Master, command};

fn pool() -> PoolRef {
    PoolRef {
        tenant: "default".into(),
        network: "n".into(),
        group: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_there_after_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    master.make_network("n", "10.1.1.0/24");
    master.make("/api/v1/policys/default:p/", &json!({}));
    let host = master.host("h").await;
    let request = EndpointRequest {
        pool: pool(),
        ipv4: None,
        ipv6: None,
        mac: None,
        replaces: None,
        of_swarm: false,
        begins: false,
    };
    host.put_endpoint("e1", &request).await.unwrap();
    let binding = DockerNetwork {
        id: "d1".into(),
        host: "h".into(),
        tenant: "default".into(),
        network: "n".into(),
        group: None,
        aux_addresses: vec!["10.1.1.9".parse().unwrap()],
        swarm: None,
    };
    host.put_docker_network(&binding).await.unwrap();
    let paths = [
        "/api/v1/globals/",
        "/api/v1/tenants/",
        "/api/v1/networks/",
        "/api/v1/policys/",
        "/api/v1/endpoints/",
        "/api/v1/addresses/",
        "/healthz",
    ];
    let all = |master: &Master| paths.map(|path| master.get(path).body);
    let before = all(&master);
    master.kill();

    let master = Master::start(dir.path());
    assert_eq!(all(&master), before);
    let host = master.client().host("h").unwrap();
    assert_eq!(host.docker_network("d1").await.unwrap(), Some(binding));
    assert_eq!(host.docker_network("d2").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_address_is_given_twice_whenever_it_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let known = Arc::new(Mutex::new(BTreeSet::new()));
    for round in 0..5 {
        let master = Master::start(dir.path());
        if round == 0 {
            master.make_network("n", "10.1.0.0/16");
        }
        let host = master.host("h").await;
        let stop = Arc::new(AtomicBool::new(false));
        let askers: Vec<_> = (0..8)
            .map(|_| {
                let (host, known, stop) = (host.clone(), Arc::clone(&known), Arc::clone(&stop));
                tokio::spawn(async move {
                    let request = AddressRequest {
                        pool: pool(),
                        ipv6: false,
                        address: None,
                        by: Default::default(),
                    };
                    while !stop.load(Ordering::Relaxed) {
                        match host.request_address(&request).await {
                            Ok(grant) => {
                                let new = known.lock().unwrap().insert(grant.address);
                                assert!(new, "{} was given twice", grant.address);
                            }
                            Err(Error::Unreachable { .. }) => return,
                            Err(error) => panic!("{error}"),
                        }
                    }
                })
            })
            .collect();
        let enough = (round + 1) * 40;
        while known.lock().unwrap().len() < enough {
            tokio::task::yield_now().await;
        }
        master.kill();
        stop.store(true, Ordering::Relaxed);
        for asker in askers {
            asker.await.unwrap();
        }
    }
    let master = Master::start(dir.path());
    let stored = master.client().addresses().await.unwrap();
    let stored: BTreeSet<_> = stored.iter().map(|a| a.address.parse().unwrap()).collect();
    assert!(
        known.lock().unwrap().is_subset(&stored),
        "an address was lost"
    );
}

#[test]
fn a_second_master_on_one_store_says_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Master::start(dir.path());
    let second = command(dir.path()).output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(
        said.contains("another process has the store open"),
        "{said}"
    );
    let bad = command(dir.path()).arg("--fwdmode=proxy").output().unwrap();
    assert_eq!(bad.status.code(), Some(22));
    let nowhere = command("/proc/none".as_ref()).output().unwrap();
    assert_eq!(nowhere.status.code(), Some(22));
}
