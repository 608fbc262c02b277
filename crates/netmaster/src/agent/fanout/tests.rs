//! Lines that hosts share, and lines that say what the fabric's own functions say.

use std::sync::Arc;

use contiv_model::agent::{EndpointRequest, PoolRef};
use contiv_store::MemoryStore;

use super::*;
use crate::ledger::Ledger;
use crate::ledger::testing::begin;

async fn ledger() -> Arc<Ledger> {
    let store = Arc::new(MemoryStore::default());
    let (ledger, follower) = Ledger::open(store, Arc::default()).await.unwrap();
    tokio::spawn(follower.run());
    begin(&ledger).await;
    ledger
}

async fn endpoint(ledger: &Ledger, host: &str, id: &str) {
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
    let decide = |image: &_| fabric::put_endpoint(image, 1, host, id, &request);
    ledger.decide(decide).await.unwrap();
}

fn message(pieces: &[Bytes]) -> StreamMessage {
    serde_json::from_slice(&pieces.concat()).unwrap()
}

#[tokio::test]
async fn a_snapshot_in_pieces_is_the_whole_one() {
    let (ledger, fanout) = (ledger().await, Fanout::default());
    for round in 0..2 {
        for host in ["h1", "h2"] {
            let committed = ledger.read();
            let Word::Snapshot(pieces) = fanout.word(&committed, None, host) else {
                panic!("nothing is known yet");
            };
            let expected = StreamMessage::Snapshot {
                revision: committed.revision(),
                objects: fabric::snapshot(committed.image(), host),
            };
            assert_eq!(message(&pieces), expected);
        }
        endpoint(&ledger, "h1", &format!("e{round}")).await;
    }
}

#[tokio::test]
async fn hosts_that_are_told_the_same_share_the_line() {
    let (ledger, fanout) = (ledger().await, Fanout::default());
    let from = ledger.read().revision();
    endpoint(&ledger, "h1", "e").await;
    let committed = ledger.read();
    let told = |host: &str| match fanout.word(&committed, Some(from), host) {
        Word::Change(line) => line,
        other => panic!("{host}: {other:?}"),
    };
    let (one, other) = (told("h2"), told("h3"));
    assert_eq!(one.as_ptr(), other.as_ptr());
    assert!(matches!(message(&[one]), StreamMessage::Change { put, .. } if put.len() == 1));
    let now = Some(committed.revision());
    assert!(matches!(fanout.word(&committed, now, "h2"), Word::Nothing));
}
