//! Hosts: their records, their next boot, and their end.

use std::net::IpAddr;
use std::time::Duration;

use contiv_client::HostClient;
use contiv_model::agent::{
    EndpointRequest, HostStatus, PoolRef, Progress, Register, STREAM_VERSION,
};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::master::{Master, PATIENCE};

fn register(boot: &str, tunnel: &str) -> Register {
    Register {
        stream_version: STREAM_VERSION,
        oldest_stream_version: None,
        agent_version: "test".into(),
        boot_id: boot.into(),
        taken: Vec::new(),
        tunnel: (!tunnel.is_empty()).then(|| tunnel.parse().unwrap()),
        mtu: Some(1500),
        control: None,
        vxlan_port: None,
    }
}

async fn come(master: &Master, name: &str, register: &Register) -> HostClient {
    let host = master.client().host(name).unwrap();
    host.register(register).await.unwrap();
    host.report(&HostStatus::default()).await.unwrap();
    host
}

fn wish(ipv4: Option<&str>) -> EndpointRequest {
    EndpointRequest {
        pool: PoolRef {
            tenant: "default".into(),
            network: "n".into(),
            group: None,
        },
        ipv4: ipv4.map(|ipv4| ipv4.parse().unwrap()),
        ipv6: None,
        mac: None,
        replaces: None,
        of_swarm: false,
        begins: false,
    }
}

fn endpoints(master: &Master) -> Vec<Value> {
    let list = master.get("/api/v1/endpoints/").body;
    list.as_array().unwrap().clone()
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(PATIENCE, wait).await.is_ok(), "not in time: {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_address_and_a_name_are_one_hosts() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    let one = come(&master, "one", &register("b1", "192.0.2.1")).await;
    let stream = one.stream(None).await.unwrap();

    let other = master.client().host("other").unwrap();
    let refused = other
        .register(&register("b2", "192.0.2.1"))
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("is that of host one"),
        "{refused}"
    );

    // One that boots at the same place is the same, though nobody has ended its stream.
    one.register(&register("b2", "192.0.2.1")).await.unwrap();
    let twin = register("b2", "192.0.2.2");
    let refused = one.register(&twin).await.unwrap_err();
    assert!(refused.to_string().contains("--host-label"), "{refused}");
    // Once the first one is away it has booted anew, as far as anybody can tell.
    drop(stream);
    until("the host is away", || {
        master.get("/api/v1/hosts/one/").body["live"] == json!(false)
    })
    .await;
    one.register(&twin).await.unwrap();
    let shown = master.get("/api/v1/hosts/one/").body;
    assert_eq!(shown["tunnel"], json!("192.0.2.2"));
    // The address that it had is free.
    other.register(&register("b3", "192.0.2.1")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_that_differ_from_the_fabrics_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    let host = master.client().host("h").unwrap();
    let mut first = register("b", "192.0.2.1");
    first.vxlan_port = Some(8472);
    let refused = host.register(&first).await.unwrap_err();
    assert!(
        refused.to_string().contains("--vxlan-port 8472"),
        "{refused}"
    );
    master.make("/api/v1/globals/global/", &json!({"vxlanPort": 8472}));
    host.register(&first).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_an_earlier_boot_is_left_and_its_addresses_are_free() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    master.make_network("n", "10.1.1.0/24");
    let host = come(&master, "h", &register("b1", "192.0.2.1")).await;
    for n in 0..60 {
        host.put_endpoint(&format!("e{n}"), &wish(None))
            .await
            .unwrap();
    }
    // The agent starts anew, the host does not: all stays.
    host.register(&register("b1", "192.0.2.1")).await.unwrap();
    assert_eq!(endpoints(&master).len(), 60);
    host.register(&register("b2", "192.0.2.1")).await.unwrap();
    assert!(endpoints(&master).is_empty());
    // A container that starts with the host keeps its address.
    let ipv4 = Some("10.1.1.7");
    host.put_endpoint("new", &wish(ipv4)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_no_more_is_removed_with_what_it_held() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    master.make_network("n", "10.1.1.0/24");
    let dead = come(&master, "dead", &register("b1", "192.0.2.1")).await;
    let alive = come(&master, "alive", &register("b2", "192.0.2.2")).await;
    let stream = alive.stream(None).await.unwrap();
    dead.put_endpoint("e", &wish(Some("10.1.1.1")))
        .await
        .unwrap();

    let refused = master.delete("/api/v1/hosts/alive/");
    assert_eq!(refused.status, 409);
    assert!(refused.body["error"].as_str().unwrap().contains("--force"));
    assert_eq!(master.delete("/api/v1/hosts/nobody/").status, 404);

    assert_eq!(master.delete("/api/v1/hosts/dead/").status, 200);
    assert!(endpoints(&master).is_empty());
    assert_eq!(master.get("/api/v1/hosts/dead/").status, 404);
    // Nobody waits for the dead one any more: the address is free as soon as `alive` has heard.
    let applied = master.get("/healthz").body["revision"]
        .as_str()
        .unwrap()
        .parse();
    let status = HostStatus {
        applied: applied.unwrap(),
        ..HostStatus::default()
    };
    alive.report(&status).await.unwrap();
    until("the address is free", || {
        let list = master.get("/api/v1/addresses/").body;
        list.as_array().unwrap().is_empty()
    })
    .await;
    drop(stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_hears_the_fabric_from_another_master_is_here_while_it_listens() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start_with(dir.path(), &["--host-timeout=2s"]);
    let host = come(&master, "h", &register("b1", "192.0.2.1")).await;
    let live = || master.get("/api/v1/hosts/h/").body["live"] == json!(true);
    assert!(!live());
    let questions = host.questions().await.unwrap();
    until("the host is here", live).await;
    assert_eq!(master.delete("/api/v1/hosts/h/").status, 409);
    sleep(Duration::from_secs(3)).await;
    assert!(live(), "and is not collected");
    drop(questions);
    until("the host is away", || !live()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_was_removed_is_told_to_come_anew_and_reports_nothing_until_then() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    let words = register("b1", "192.0.2.1");
    let host = come(&master, "h", &words).await;
    let stream = host.stream(None).await.unwrap();
    let life = host.report(&HostStatus::default()).await.unwrap().life;
    let progress = Progress::default();
    assert_eq!(host.report_progress(&progress).await.unwrap().life, life);

    assert_eq!(master.delete("/api/v1/hosts/h/?force=true").status, 200);
    let told = host.report(&HostStatus::default()).await.unwrap();
    assert_eq!(told.life, "");
    assert_eq!(host.report_progress(&progress).await.unwrap().life, "");
    assert_eq!(master.get("/api/v1/hosts/h/").status, 404);
    assert_eq!(host.register(&words).await.unwrap().life, life);
    // Progress is told in comparison with a status, which went with the rest.
    assert_eq!(host.report_progress(&progress).await.unwrap().life, "");
    let told = host.report(&HostStatus::default()).await.unwrap();
    assert_eq!(told.life, life);
    drop(stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_host_is_collected_and_comes_anew() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start_with(dir.path(), &["--host-timeout=2s"]);
    master.make_network("n", "10.1.1.0/24");
    let lost = come(&master, "lost", &register("b1", "192.0.2.1")).await;
    lost.put_endpoint("e", &wish(Some("10.1.1.1")))
        .await
        .unwrap();
    let alive = come(&master, "alive", &register("b2", "192.0.2.2")).await;
    let stream = alive.stream(None).await.unwrap();
    until("the lost host is collected", || {
        master.get("/api/v1/hosts/lost/").status == 404 && endpoints(&master).is_empty()
    })
    .await;
    assert_eq!(master.get("/api/v1/hosts/alive/").status, 200);

    // It comes back with its container, whose address is still its own.
    lost.register(&register("b1", "192.0.2.1")).await.unwrap();
    drop(stream);
    let free = |address: IpAddr| {
        let list = master.get("/api/v1/addresses/").body;
        let mut list = list.as_array().unwrap().iter().cloned();
        !list.any(|a| a["address"] == json!(address.to_string()))
    };
    alive
        .report(&HostStatus {
            applied: master.get("/healthz").body["revision"]
                .as_str()
                .unwrap()
                .parse()
                .unwrap(),
            ..HostStatus::default()
        })
        .await
        .unwrap();
    until("the address has drained", || {
        free("10.1.1.1".parse().unwrap())
    })
    .await;
    lost.put_endpoint("e", &wish(Some("10.1.1.1")))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_hears_nobody_loses_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start_with(dir.path(), &["--host-timeout=1s"]);
    come(&master, "h", &register("b1", "192.0.2.1")).await;
    sleep(Duration::from_secs(3)).await;
    assert_eq!(master.get("/api/v1/hosts/h/").status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_takes_the_place_of_another_of_its_host() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    master.make_network("n", "10.1.1.0/24");
    let host = come(&master, "h", &register("b1", "192.0.2.1")).await;
    let other = come(&master, "other", &register("b2", "192.0.2.2")).await;
    host.put_endpoint("old", &wish(Some("10.1.1.1")))
        .await
        .unwrap();
    let replacing = EndpointRequest {
        replaces: Some("old".into()),
        ..wish(Some("10.1.1.1"))
    };
    let refused = other.put_endpoint("new", &replacing).await.unwrap_err();
    assert!(refused.to_string().contains("of host h"), "{refused}");
    host.put_endpoint("new", &replacing).await.unwrap();
    let ids: Vec<Value> = endpoints(&master)
        .iter()
        .map(|e| e["endpointID"].clone())
        .collect();
    assert_eq!(ids, [json!("new")]);
}
