//! Streams of hosts: a host that missed something ends up like one that asks anew.

use std::collections::BTreeMap;

use contiv_client::{HostClient, MessageStream};
use contiv_model::agent::{
    EndpointRequest, HostObject, ObjectRef, PoolRef, Revision, StreamMessage,
};
use futures_util::StreamExt;
use serde_json::json;
use tokio::time::timeout;

use crate::master::{Master, PATIENCE};

/// What a host knows.
#[derive(Debug, Default, PartialEq)]
struct Mirror {
    revision: Revision,
    objects: BTreeMap<ObjectRef, HostObject>,
    snapshots: usize,
}

impl Mirror {
    fn apply(&mut self, message: StreamMessage) {
        let named = |object: HostObject| (object.object_ref(), object);
        self.revision = match message {
            StreamMessage::Snapshot { revision, objects } => {
                self.objects = objects.into_iter().map(named).collect();
                self.snapshots += 1;
                revision
            }
            StreamMessage::Change {
                revision,
                put,
                delete,
            } => {
                assert!(
                    revision > self.revision,
                    "{revision} after {}",
                    self.revision
                );
                for gone in &delete {
                    assert!(
                        self.objects.remove(gone).is_some(),
                        "{gone:?} was not known"
                    );
                }
                self.objects.extend(put.into_iter().map(named));
                revision
            }
            StreamMessage::Bookmark { revision } => revision,
            StreamMessage::Unknown => panic!("a master of this version says nothing unknown"),
        };
    }

    async fn follow(&mut self, stream: &mut MessageStream, until: Revision) {
        let follow = async {
            while self.revision < until {
                let message = stream.next().await.unwrap();
                self.apply(message.unwrap());
            }
        };
        timeout(PATIENCE, follow).await.unwrap();
    }
}

fn revision(master: &Master) -> Revision {
    let health = master.get("/healthz").body;
    health["revision"].as_str().unwrap().parse().unwrap()
}

async fn anew(host: &HostClient, until: Revision) -> Mirror {
    let mut mirror = Mirror::default();
    let mut stream = host.stream(None).await.unwrap();
    mirror.follow(&mut stream, until).await;
    mirror
}

async fn endpoint(host: &HostClient, id: &str, tenant: &str) {
    let request = EndpointRequest {
        pool: PoolRef {
            tenant: tenant.into(),
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
    host.put_endpoint(id, &request).await.unwrap();
}

/// Changes of every kind, among them a tenant that comes to host `h` and leaves it.
async fn change(master: &Master, round: usize) {
    let (h, other) = (master.host("h").await, master.host("other").await);
    let tenant = format!("t{round}");
    master.make(&format!("/api/v1/tenants/{tenant}/"), &json!({}));
    let network = json!({"encap": "vxlan", "subnet": "10.1.1.0/24"});
    master.make(&format!("/api/v1/networks/{tenant}:n/"), &network);
    master.make(&format!("/api/v1/policys/{tenant}:p/"), &json!({}));
    let group = json!({"networkName": "n", "policies": ["p"]});
    let rule = json!({"direction": "in", "action": "deny", "fromEndpointGroup": "g"});
    master.make(&format!("/api/v1/endpointGroups/{tenant}:g/"), &group);
    master.make(&format!("/api/v1/rules/{tenant}:p:1/"), &rule);
    endpoint(&other, &format!("{tenant}-far"), &tenant).await;
    endpoint(&h, &format!("{tenant}-near"), &tenant).await;
    if round > 0 {
        let before = format!("t{}", round - 1);
        h.delete_endpoint(&format!("{before}-near")).await.unwrap();
        master.delete(&format!("/api/v1/rules/{before}:p:1/"));
        master.delete(&format!("/api/v1/endpointGroups/{before}:g/"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_resumes_knows_what_a_snapshot_says() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    let host = master.host("h").await;
    let mut mirror = Mirror::default();
    let mut stream = host.stream(None).await.unwrap();
    mirror.follow(&mut stream, revision(&master)).await;
    for round in 0..4 {
        // Half of it while the host listens, half while it does not.
        change(&master, 2 * round).await;
        mirror.follow(&mut stream, revision(&master)).await;
        drop(stream);
        change(&master, 2 * round + 1).await;
        stream = host.stream(Some(mirror.revision)).await.unwrap();
        mirror.follow(&mut stream, revision(&master)).await;
        assert_eq!(mirror.snapshots, 1, "it resumed from its revision");
        let anew = anew(&host, mirror.revision).await;
        assert_eq!(mirror, anew);
    }
    let near = |o: &ObjectRef| o.key == "t7-near";
    assert!(mirror.objects.keys().any(near));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_that_the_master_cannot_go_on_from_gets_a_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    let host = master.host("h").await;
    let now = revision(&master);
    let Revision { epoch, number } = now;
    for number in [number - 1, number, number + 1] {
        let foreign = Revision {
            epoch: epoch - 1,
            number,
        };
        let mut stream = host.stream(Some(foreign)).await.unwrap();
        let first = stream.next().await.unwrap().unwrap();
        assert!(matches!(first, StreamMessage::Snapshot { revision, .. } if revision == now));
    }
    // The same one is told that it is up to date.
    let mut stream = host.stream(Some(now)).await.unwrap();
    let first = stream.next().await.unwrap().unwrap();
    assert_eq!(first, StreamMessage::Bookmark { revision: now });

    // After a restart the past is gone, but who is up to date goes on.
    master.kill();
    let master = Master::start(dir.path());
    let host = master.host("h").await;
    let mut stream = host.stream(Some(now)).await.unwrap();
    let first = stream.next().await.unwrap().unwrap();
    assert_eq!(first, StreamMessage::Bookmark { revision: now });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_live_for_as_long_as_its_stream_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    let host = master.host("h").await;
    let live = || async { master.client().hosts().await.unwrap()[0].live };
    assert!(!live().await);
    let stream = host.stream(None).await.unwrap();
    assert!(live().await);
    drop(stream);
    let away = async {
        while live().await {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, away).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_of_another_age_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    let register = json!({"streamVersion": 99, "agentVersion": "9", "bootId": "b", "taken": []});
    let refused = master.post("/agent/v1/hosts/h/register", &register);
    assert_eq!(
        (refused.status, &refused.body["field"]),
        (409, &json!("streamVersion"))
    );
    for part in ["version 99", "this master version 1", "masters first"] {
        let why = refused.body.to_string();
        assert!(why.contains(part), "{part}: {why}");
    }
    // One that speaks an earlier version, too, is welcome.
    let register = json!({"streamVersion": 2, "oldestStreamVersion": 1, "agentVersion": "9",
        "bootId": "b", "taken": [], "later": {}});
    let welcome = master.post("/agent/v1/hosts/h/register", &register);
    assert_eq!(welcome.status, 200, "{}", welcome.body);
}
