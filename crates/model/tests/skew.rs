//! What masters and hosts of other versions say: of the earliest one, as it was written then, and
//! of a later one, which nobody knows yet.
#![allow(clippy::unwrap_used, reason = "a test")]

use contiv_model::agent::{
    AddressGrant, AddressRelease, AddressRequest, Asker, DockerNetwork, EndpointGrant,
    EndpointRequest, EventBatch, EventKind, HostObject, HostStatus, ObjectKind, Register,
    Registered, Reported, StreamMessage, Versions,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The stream of a master of the version of commit ad66e45, line by line.
const STREAM: &str = r#"
{"type":"snapshot","revision":{"epoch":1,"number":9},"objects":[{"kind":"global","forwardMode":"routing","pvtSubnet":"172.19.0.0/16"},{"kind":"tenant","uid":"a","name":"default","number":1},{"kind":"network","uid":"b","tenant":"default","name":"net","number":1,"infra":false,"encap":"vxlan","tag":1,"subnet":"10.1.2.0/24","gateway":"10.1.2.254","ipv6Subnet":null,"ipv6Gateway":null},{"kind":"group","uid":"c","tenant":"default","name":"web","number":1,"network":"net","policies":["all"],"defaultActionIn":"allow","defaultActionOut":"allow"},{"kind":"policy","uid":"d","tenant":"default","name":"all","tier":"normal","order":1000,"staged":false},{"kind":"rule","uid":"e","tenant":"default","policy":"all","id":"1","number":16,"direction":"in","priority":1,"action":"deny","peerGroup":null,"peerAddresses":[{"first":"10.0.0.0","last":"10.0.0.255"}],"ownAddresses":[],"protocol":6,"port":80,"ports":[],"icmpType":null,"icmpCode":null},{"kind":"endpoint","id":"ep1","tenant":"default","network":"net","group":"web","host":"h1","ipv4":"10.1.2.1","ipv6":null,"mac":"02:02:0a:01:02:01"},{"kind":"dockerNetwork","id":"dn","host":"h1","tenant":"default","network":"net","group":null,"auxAddresses":[]}]}
{"type":"change","revision":{"epoch":1,"number":10},"put":[],"delete":[{"kind":"endpoint","key":"ep1"},{"kind":"dockerNetwork","key":"dn"}]}
{"type":"bookmark","revision":{"epoch":1,"number":11}}
"#;

fn read<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

#[test]
fn a_host_knows_all_that_an_earlier_master_says() {
    let mut lines = STREAM.trim().lines().map(read::<StreamMessage>);
    let mut first = lines.next().unwrap();
    assert_eq!(first.forget_unknown(), 0);
    let StreamMessage::Snapshot { objects, .. } = first else {
        panic!("{first:?}");
    };
    assert_eq!(objects.len(), 8);
    let HostObject::Global(global) = &objects[0] else {
        panic!("{:?}", objects[0]);
    };
    assert!(!global.flood && global.vxlan_port == 4789);
    let mut change = lines.next().unwrap();
    assert_eq!(change.forget_unknown(), 0);
    assert!(matches!(change, StreamMessage::Change { delete, .. } if delete.len() == 2));
    assert!(matches!(lines.next(), Some(StreamMessage::Bookmark { .. })));

    let registered: Registered =
        read(r#"{"masterVersion":"0.1.0","revision":{"epoch":1,"number":9}}"#);
    assert_eq!(registered.life, "");
    assert_eq!(read::<Reported>("{}"), Reported::default());
    read::<AddressGrant>(r#"{"address":"10.1.2.1","prefixLen":24}"#);
    read::<EndpointGrant>(
        r#"{"endpoint":{"id":"ep1","tenant":"default","network":"net","group":null,"host":"h1","ipv4":"10.1.2.1","ipv6":null,"mac":"02:02:0a:01:02:01"},"revision":{"epoch":1,"number":9}}"#,
    );
}

#[test]
fn a_master_knows_all_that_an_earlier_host_says() {
    let register: Register = read(
        r#"{"streamVersion":1,"agentVersion":"0.1.0","bootId":"b","taken":[{"prefix":"192.0.2.0/24","by":"address of eth0"}]}"#,
    );
    let agreed = Versions::OURS.agree(Versions::of_agent(&register));
    assert_eq!(agreed, Ok(1));
    assert_eq!((register.tunnel, register.mtu), (None, None));
    let request: AddressRequest = read(
        r#"{"pool":{"tenant":"default","network":"net","group":null},"ipv6":false,"address":null}"#,
    );
    assert_eq!(request.by, Asker::Engine);
    read::<AddressRelease>(
        r#"{"pool":{"tenant":"default","network":"net","group":null},"address":"10.1.2.1"}"#,
    );
    let request: EndpointRequest = read(
        r#"{"pool":{"tenant":"default","network":"net","group":"web"},"ipv4":"10.1.2.1","ipv6":null,"mac":null}"#,
    );
    assert!(request.replaces.is_none() && !request.of_swarm);
    read::<DockerNetwork>(
        r#"{"id":"dn","host":"h1","tenant":"default","network":"net","group":null,"auxAddresses":[]}"#,
    );
    let status: HostStatus = read(
        r#"{"applied":{"epoch":1,"number":9},"realised":[{"kind":"network","key":"default:net"}],"problems":[],"endpoints":{"ep1":{"containerId":"c","containerName":"n","labels":{},"interface":"cvep1","privateAddress":"172.19.0.2","drops":{"policy-in":3}}},"taken":null}"#,
    );
    assert_eq!(status.endpoints["ep1"].drops["policy-in"], 3);
}

/// The document with a field more in each of its objects.
fn later(document: Value) -> Value {
    match document {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (name, later(value)));
            let more = [("ofALaterVersion".to_owned(), json!({"a": [1]}))];
            fields.chain(more).collect()
        }
        Value::Array(all) => all.into_iter().map(later).collect(),
        other => other,
    }
}

#[test]
fn a_host_leaves_out_what_only_a_later_master_knows() {
    for line in STREAM.trim().lines() {
        let known: StreamMessage = read(line);
        let more: StreamMessage = serde_json::from_value(later(read(line))).unwrap();
        assert_eq!(more, known);
    }
    let snapshot = json!({"type": "snapshot", "revision": {"epoch": 1, "number": 9}, "objects": [
        {"kind": "weather", "where": "here", "more": {"kind": "tenant"}},
        {"kind": "tenant", "uid": "a", "name": "default", "number": 1},
    ]});
    let mut snapshot: StreamMessage = serde_json::from_value(snapshot).unwrap();
    assert_eq!(snapshot.forget_unknown(), 1);
    let StreamMessage::Snapshot { objects, .. } = snapshot else {
        panic!("{snapshot:?}");
    };
    assert!(matches!(&objects[..], [HostObject::Tenant(_)]));

    let change = json!({"type": "change", "revision": {"epoch": 1, "number": 9},
        "put": [{"kind": "weather"}], "delete": [{"kind": "weather", "key": "here"},
        {"kind": "group", "key": "default:web"}]});
    let mut change: StreamMessage = serde_json::from_value(change).unwrap();
    assert_eq!(change.forget_unknown(), 2);
    assert!(matches!(change, StreamMessage::Change { delete, .. }
        if delete.len() == 1 && delete[0].kind == ObjectKind::Group));

    let mut forecast: StreamMessage =
        serde_json::from_value(json!({"type": "forecast", "for": ["tomorrow"]})).unwrap();
    assert_eq!(forecast.forget_unknown(), 1);
}

#[test]
fn a_master_takes_what_a_later_host_reports() {
    let status = json!({"applied": {"epoch": 1, "number": 9}, "later": true,
        "realised": [{"kind": "weather", "key": "here"}, {"kind": "network", "key": "default:net"}],
        "problems": [{"object": {"kind": "weather", "key": "here"}, "reason": "Rain",
            "message": "it rains", "until": 7}]});
    let status: HostStatus = serde_json::from_value(status).unwrap();
    assert_eq!(status.realised[0].kind, ObjectKind::Unknown);
    assert_eq!(status.realised[1].kind, ObjectKind::Network);
    let batch = json!({"life": "l", "first": 4, "events": [
        {"kind": "drop", "reason": "rained-on"}, {"kind": "rain", "amount": 3}, {"kind": "log"}]});
    let batch: EventBatch = serde_json::from_value(batch).unwrap();
    let kinds: Vec<EventKind> = batch.events.iter().map(|event| event.kind).collect();
    // Each keeps its number.
    assert_eq!(kinds, [EventKind::Drop, EventKind::Lost, EventKind::Log]);
    assert_eq!(batch.events[1].suppressed, 1);
    let register = json!({"streamVersion": 2, "oldestStreamVersion": 1, "agentVersion": "9.0.0",
        "bootId": "b", "taken": [], "later": []});
    let register: Register = serde_json::from_value(register).unwrap();
    assert_eq!(Versions::OURS.agree(Versions::of_agent(&register)), Ok(1));
}
