//! What is told of endpoints that cannot be given their link back.

use contiv_client::Client;
use contiv_model::agent::{HostObject, Mac, ObjectKind, Revision, StreamMessage};

use super::*;
use crate::data_plane::EndpointFacts;
use crate::data_plane::tests::Idle;
use crate::mirror::tests::{network, tenant};

fn follower() -> Follower {
    let endpoint = |id: &str, ipv4: &str| {
        HostObject::Endpoint(EndpointView {
            id: id.into(),
            tenant: "default".into(),
            network: "net".into(),
            group: None,
            host: "h1".into(),
            ipv4: ipv4.parse().unwrap(),
            ipv6: None,
            mac: Mac::default(),
        })
    };
    let replica = Arc::new(Replica::default());
    replica.apply(StreamMessage::Snapshot {
        revision: Revision::default(),
        objects: vec![
            tenant("default", 1),
            network("default", "net", 1, "10.1.2.0/24"),
            endpoint("held", "10.1.2.1"),
            endpoint("unheld", "10.1.2.2"),
        ],
    });
    // Each endpoint's link was deleted, and is made anew; nobody has it.
    let facts = EndpointFacts {
        attachment: Attachment::Detached,
        ..EndpointFacts::default()
    };
    let anew = ["held", "unheld"].map(|id| (id.to_owned(), facts.clone()));
    let client = Client::new("http://127.0.0.1:9", crate::MASTER_CALL).unwrap();
    Follower {
        engine: EngineClient::new("/nonexistent/docker.sock".into()),
        host_name: "h1".into(),
        driver: "netplugin".into(),
        host: client.host("h1").unwrap(),
        replica,
        plane: SharedPlane::in_memory(Idle(anew.into())),
        departures: Arc::default(),
        metrics: Arc::default(),
        observed: watch::channel(Observed::default()).0,
        events: Arc::default(),
    }
}

#[tokio::test]
async fn an_endpoint_that_gets_no_link_is_told_as_lost_and_why() {
    let follower = follower();
    let web = ContainerFacts {
        id: "c1".into(),
        name: "web".into(),
        ..ContainerFacts::default()
    };
    let containers = BTreeMap::from([("held".to_owned(), web)]);
    let mut severed = Severed::default();
    let early = follower.give_back(&mut severed, &containers).await.unwrap();
    assert_eq!(early, [], "an engine may yet move it");
    let late = Instant::now() + Duration::from_secs(20);
    let problems = loop {
        let told = follower.give_back(&mut severed, &containers).await.unwrap();
        if told.len() == 2 || Instant::now() > late {
            break told;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let told: Vec<_> = problems
        .iter()
        .map(|p| (p.object.kind, &*p.object.key, &*p.reason))
        .collect();
    let lost = |id| (ObjectKind::Endpoint, id, "LinkLost");
    assert_eq!(told, [lost("held"), lost("unheld")]);
    for (problem, parts) in problems.iter().zip([
        [
            "10.1.2.1 in network net of tenant default",
            "container web: Docker engine: /nonexistent/docker.sock",
        ],
        [
            "10.1.2.2 in network net of tenant default",
            "no container that runs",
        ],
    ]) {
        for part in parts {
            assert!(problem.message.contains(part), "{part}: {problem:?}");
        }
    }
}
