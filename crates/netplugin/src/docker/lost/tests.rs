//! Who is told to have lost an address, when, and in which words.

use contiv_model::agent::{DockerNetwork, EndpointView, HostObject, Mac, Revision, StreamMessage};

use super::super::containers::by_endpoint;
use super::*;
use crate::mirror::tests::{network, tenant};

fn endpoint(id: &str, host: &str, last: u8) -> EndpointView {
    EndpointView {
        id: id.into(),
        tenant: "default".into(),
        network: "net".into(),
        group: None,
        host: host.into(),
        ipv4: [10, 1, 2, last].into(),
        ipv6: None,
        mac: Mac::default(),
    }
}

fn mirror(endpoints: Vec<EndpointView>) -> Mirror {
    let mut objects = vec![
        tenant("default", 1),
        network("default", "net", 1, "10.1.2.0/24"),
        HostObject::DockerNetwork(DockerNetwork {
            id: "bound".into(),
            host: "h1".into(),
            tenant: "default".into(),
            network: "net".into(),
            group: None,
            aux_addresses: Vec::new(),
            swarm: None,
        }),
    ];
    objects.extend(endpoints.into_iter().map(HostObject::Endpoint));
    let mut mirror = Mirror::default();
    mirror.apply(StreamMessage::Snapshot {
        revision: Revision::default(),
        objects,
    });
    mirror
}

fn holding(ids: &[&str]) -> BTreeMap<String, Held> {
    let held = |id: &&str| {
        let held = Held {
            container: format!("c-{id}"),
            tenant: "default".into(),
            network: "net".into(),
            ipv4: Some([10, 1, 2, 1].into()),
        };
        ((*id).to_owned(), held)
    };
    ids.iter().map(held).collect()
}

#[test]
fn what_a_container_alone_has_for_a_while_is_told_as_lost() {
    let orphans = Orphans::default();
    orphans.replace("orphan", &endpoint("before", "h1", 2), None);
    let known = vec![endpoint("known", "h1", 3), endpoint("theirs", "h2", 1)];
    let mirror = mirror(known);
    let held = holding(&["known", "orphan", "in-kernel", "lost"]);
    let mut kernel = BTreeSet::from(["in-kernel".to_owned()]);
    assert!(Lost::suspects(&mirror, &orphans, &held));
    assert!(!Lost::suspects(
        &mirror,
        &orphans,
        &holding(&["known", "orphan"])
    ));
    let (start, mut lost) = (Instant::now(), Lost::default());
    let mut look = |held: &_, kernel: &_, after: u64| {
        let now = start + Duration::from_secs(after);
        lost.look(&mirror, &orphans, held, kernel, now)
    };
    assert_eq!(look(&held, &kernel, 0), [], "the engine may have ended it");
    assert_eq!(look(&held, &kernel, 4), []);
    let told = look(&held, &kernel, 5);
    let [problem] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert_eq!(
        (&*problem.object.key, &*problem.reason),
        ("lost", "AddressLost")
    );
    assert_eq!(
        problem.message,
        "container c-lost was given 10.1.2.1 in network net of tenant default, and has lost it: \
         masters do not know its endpoint, and endpoint theirs on host h2 has the address; the \
         endpoint is closed, start the container anew"
    );
    kernel.insert("lost".into());
    assert_eq!(look(&held, &kernel, 6), [], "it has a link");
    kernel.remove("lost");
    assert_eq!(look(&held, &kernel, 7), [], "the time starts anew");
    assert_eq!(look(&held, &kernel, 12).len(), 1);
    assert_eq!(look(&holding(&[]), &kernel, 13), [], "it is gone");
}

#[test]
fn nothing_is_lost_before_all_has_been_heard() {
    let (mirror, orphans, held) = (Mirror::default(), Orphans::default(), holding(&["e"]));
    let mut lost = Lost::default();
    for after in [0, 100] {
        let now = Instant::now() + Duration::from_secs(after);
        let told = lost.look(&mirror, &orphans, &held, &BTreeSet::new(), now);
        assert_eq!(told, []);
    }
    assert!(!Lost::suspects(&mirror, &orphans, &held));
}

#[test]
fn only_what_is_held_of_our_networks_counts() {
    let engine = r#"[{"Id": "bound", "Driver": "of-a-swarm"}, {"Id": "named", "Driver": "netplugin",
        "Options": {"tenant": "blue", "network": "other"}}, {"Id": "b1b2", "Driver": "netplugin"},
        {"Id": "bridge", "Driver": "bridge"}]"#;
    let containers = r#"[{"Id": "c1", "Names": ["/web"], "NetworkSettings": {"Networks": {
        "net": {"EndpointID": "e1", "NetworkID": "bound", "IPAddress": "10.1.2.1"},
        "other/blue": {"EndpointID": "e2", "NetworkID": "named", "IPAddress": ""},
        "by-hand": {"EndpointID": "e3", "NetworkID": "b1b2", "IPAddress": "10.3.0.1"},
        "bridge": {"EndpointID": "e4", "NetworkID": "bridge", "IPAddress": "172.17.0.2"},
        "starting": {"EndpointID": "", "NetworkID": "bound", "IPAddress": ""}}}}]"#;
    let engine: Vec<EngineNetwork> = serde_json::from_str(engine).unwrap();
    let containers: Vec<EngineContainer> = serde_json::from_str(containers).unwrap();
    let names = by_endpoint(&containers);
    let found = held(
        &mirror(Vec::new()),
        "netplugin",
        &engine,
        &containers,
        &names,
    );
    let told = |id: &str| {
        let held = &found[id];
        (&*held.container, &*held.tenant, &*held.network, held.ipv4)
    };
    assert_eq!(found.keys().collect::<Vec<_>>(), ["e1", "e2", "e3"]);
    let address = |octets: [u8; 4]| Some(Ipv4Addr::from(octets));
    assert_eq!(
        told("e1"),
        ("web", "default", "net", address([10, 1, 2, 1]))
    );
    assert_eq!(told("e2"), ("web", "blue", "other", None));
    let by_hand = ("web", "default", "docker-b1b2", address([10, 3, 0, 1]));
    assert_eq!(told("e3"), by_hand);
}
