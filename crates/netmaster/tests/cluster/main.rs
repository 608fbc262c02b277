//! Three masters on three members of etcd: any may die, and nothing that was said is lost.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use contiv_client::{Client, Timeouts};
use contiv_model::agent::{EndpointRequest, HostStatus, PoolRef, Register, STREAM_VERSION};
use contiv_model::object::Network;
use contiv_testbed::{Etcd, Netns};

const MASTERS: u16 = 3;
const HOSTS: usize = 6;
const PATIENCE: Duration = Duration::from_secs(60);

fn url(master: u16) -> String {
    format!("http://127.0.0.1:{}", 9001 + master)
}

fn start(netns: &Netns, etcd: &Etcd, dir: &Path, master: u16) -> Child {
    let listen = format!("127.0.0.1:{}", 9001 + master);
    let log = std::fs::File::create(dir.join(format!("m{master}.log"))).unwrap();
    let mut command: Command = netns.command(env!("CARGO_BIN_EXE_netmaster"));
    command
        .arg("--data-dir")
        .arg(dir.join(format!("m{master}")))
        .args(["--listen-url", &listen, "--store", &etcd.url()])
        .stdin(Stdio::null())
        .stderr(log);
    command.spawn().unwrap()
}

fn end(mut master: Child) {
    master.kill().unwrap();
    master.wait().unwrap();
}

async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let begin = Instant::now();
    while !holds().await {
        assert!(begin.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn ready(master: u16) {
    let client = Client::new(&url(master), Timeouts::default()).unwrap();
    until("a master is ready", || async {
        client.addresses().await.is_ok()
    })
    .await;
}

/// What was given, by address, and to which endpoint.
type Given = Arc<Mutex<BTreeMap<Ipv4Addr, String>>>;

/// Makes endpoints on a host, beginning with another master than the next host.
async fn writer(host: usize, given: Given, stop: Arc<AtomicBool>) {
    let masters = (0..MASTERS).map(|n| url((n + u16::try_from(host).unwrap()) % MASTERS));
    let masters = masters.collect::<Vec<_>>().join(",");
    let name = format!("h{host}");
    let host = Client::new(&masters, Timeouts::default())
        .unwrap()
        .host(&name)
        .unwrap();
    let register = Register {
        stream_version: STREAM_VERSION,
        oldest_stream_version: None,
        agent_version: "test".into(),
        boot_id: "boot".into(),
        taken: Vec::new(),
        tunnel: None,
        mtu: None,
        control: None,
        vxlan_port: None,
    };
    host.register(&register).await.unwrap();
    host.report(&HostStatus::default()).await.unwrap();
    let request = EndpointRequest {
        pool: PoolRef {
            tenant: "default".into(),
            network: "n".into(),
            group: None,
        },
        ipv4: None,
        ipv6: None,
        mac: None,
        replaces: None,
        of_swarm: false,
        begins: false,
    };
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        let id = format!("{name}-{n}");
        // A failed one is asked for again, as an engine does.
        if let Ok(grant) = host.put_endpoint(&id, &request).await {
            let before = given
                .lock()
                .unwrap()
                .insert(grant.endpoint.ipv4, id.clone());
            assert_eq!(
                before, None,
                "{} was given to {id} as well",
                grant.endpoint.ipv4
            );
            n += 1;
        }
    }
}

async fn scenario(netns: Netns, etcd: Arc<Etcd>, dir: &Path) {
    let mut masters: Vec<_> = (0..MASTERS).map(|n| start(&netns, &etcd, dir, n)).collect();
    for master in 0..MASTERS {
        ready(master).await;
    }
    let all = (0..MASTERS).map(url).collect::<Vec<_>>().join(",");
    let client = Client::new(&all, Timeouts::default()).unwrap();
    let network = Network {
        tenant_name: "default".into(),
        network_name: "n".into(),
        encap: "vxlan".into(),
        subnet: "10.1.0.0/16".into(),
        ..Network::default()
    };
    client.put(&network).await.unwrap();
    let (given, stop) = (Given::default(), Arc::new(AtomicBool::new(false)));
    let writers: Vec<_> = (0..HOSTS)
        .map(|host| tokio::spawn(writer(host, Arc::clone(&given), Arc::clone(&stop))))
        .collect();
    let count = || given.lock().unwrap().len();
    let goes_on = async |what: &str| {
        let before = count();
        until(what, || async { count() > before + 30 }).await;
    };
    goes_on("writers begin").await;
    for victim in 0..MASTERS {
        end(masters.remove(usize::from(victim)));
        goes_on("without a master").await;
        masters.insert(usize::from(victim), start(&netns, &etcd, dir, victim));
        ready(victim).await;
    }
    etcd.kill9(0);
    etcd.kill9(1);
    let writing = Client::new(&url(0), Timeouts::default()).unwrap();
    let refused = || async {
        let other = Network {
            network_name: "other".into(),
            subnet: "10.2.0.0/16".into(),
            ..network.clone()
        };
        let said = writing.put(&other).await.err().map(|e| e.to_string());
        said.is_some_and(|said| said.contains("majority"))
    };
    until("writes are refused with the reason", refused).await;
    // Reads go on.
    assert!(client.addresses().await.unwrap().len() > 30);
    for member in [0, 1] {
        etcd.launch(member).unwrap();
    }
    goes_on("with the members back").await;
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    // Every master says the same, and all that was given is there.
    let given = given.lock().unwrap().clone();
    for master in 0..MASTERS {
        let client = Client::new(&url(master), Timeouts::default()).unwrap();
        let complete = || async {
            let stored = client.addresses().await.unwrap_or_default();
            let stored: BTreeMap<String, _> =
                stored.iter().map(|a| (a.address.clone(), a)).collect();
            given
                .keys()
                .all(|address| stored.contains_key(&address.to_string()))
        };
        until("a master knows all that was given", complete).await;
    }
    masters.into_iter().for_each(end);
}

#[test]
fn whoever_dies_nothing_is_lost_and_no_address_given_twice() {
    let netns = Netns::new().unwrap();
    let etcd = Arc::new(Etcd::start(&netns, 3).unwrap());
    let dir = tempfile::tempdir().unwrap();
    let inside = netns.clone();
    let ran = netns.enter(|| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(scenario(inside, etcd, dir.path()));
    });
    ran.unwrap();
}
