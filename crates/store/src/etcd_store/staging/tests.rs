//! A master that dies at each step of a staged change, on a real member of etcd.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::time::Instant;

use contiv_testbed::{Etcd, Netns};
use etcd_client::GetOptions;

use super::*;
use crate::etcd_store::{EtcdPlace, EtcdStore};
use crate::follow::Store;

/// The last step that the dead master did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Died {
    Staged,
    Claimed,
    Decided,
    HalfWritten,
}

/// Several parts, and many requests to write them.
const KEYS: usize = 1_000;

fn change() -> Vec<Write> {
    let value = Bytes::from("x".repeat(1_000));
    let put = |n| Write::Put {
        key: format!("/{n:05}"),
        value: value.clone(),
    };
    (0..KEYS).map(put).collect()
}

/// Does the steps of [`commit`] up to this one.
async fn die(members: &Members, keys: &Keys, died: Died) {
    let (_, found) = connect::read(members, keys).await.unwrap();
    let (meta, revision) = found.unwrap();
    let becomes = (meta.schema, meta.epoch);
    let applying = stage(members, keys, &change(), becomes).await.unwrap();
    assert!(applying.parts > 1);
    if died == Died::Staged {
        return;
    }
    let id = applying.id.clone();
    let claimed = meta.with(applying);
    let at = claim(members, keys, &claimed, revision, None).await;
    let at = at.unwrap().unwrap();
    if died == Died::Claimed {
        return;
    }
    let at = write(members, keys, &claimed.decided(), at).await;
    let at = at.unwrap().unwrap();
    if died == Died::Decided {
        return;
    }
    let first = part_key(keys, &id, 0);
    let part = members.call(async |mut kv| kv.get(first, None).await).await;
    let part = part.unwrap();
    let writes = batch::writes(keys, &parts::decode(part.kvs()[0].value()));
    let txn = Txn::new()
        .when([connect::unchanged(keys, at)])
        .and_then(batch::bundled(writes));
    let answer = members.call(async |mut kv| kv.txn(txn).await).await;
    assert!(answer.unwrap().succeeded());
}

fn small() -> Transaction {
    Transaction {
        writes: vec![Write::Put {
            key: "/small".into(),
            value: Bytes::from_static(b"y"),
        }],
        ..Transaction::default()
    }
}

async fn commit_at_last(store: &EtcdStore) {
    let begin = Instant::now();
    loop {
        match store.commit(small()).await {
            Ok(Outcome::Committed(_)) => return,
            Err(Error::Busy { .. }) => {
                assert!(
                    begin.elapsed() < Duration::from_secs(20),
                    "nobody cleans up"
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Keys below the staging place, of any change.
async fn staged(members: &Members, keys: &Keys) -> usize {
    let all = GetOptions::new().with_prefix().with_count_only();
    let from = keys.stagings();
    let answer = members
        .call(async |mut kv| kv.get(from, Some(all)).await)
        .await;
    usize::try_from(answer.unwrap().count()).unwrap()
}

async fn story(place: EtcdPlace, died: Died) {
    let happens = died >= Died::Decided;
    let store = EtcdStore::open(place.clone(), Schema::default())
        .await
        .unwrap();
    let mut following = store.follow().await.unwrap();
    let (members, keys) = (Members::new(place.clone()), Keys::new(&place.prefix));
    die(&members, &keys, died).await;

    // Who was there all along is told of the whole change in one commit, or of nothing.
    commit_at_last(&store).await;
    let mut told = Vec::new();
    loop {
        let commit = following.changes.next().await.unwrap();
        let small = commit.writes.iter().any(|write| write.key() == "/small");
        let large = commit.writes.len() - usize::from(small);
        assert!(large == 0 || large == KEYS && !small, "{died:?}: {large}");
        told.push(large);
        if small {
            break;
        }
    }
    let large = told.into_iter().sum::<usize>();
    assert_eq!(large, if happens { KEYS } else { 0 }, "{died:?}");

    // So is who comes later, and nothing is left behind it.
    let late = EtcdStore::open(place, Schema::default()).await.unwrap();
    let entries = late.follow().await.unwrap().entries;
    assert_eq!(entries.len(), large + 1, "{died:?}");
    assert_eq!(staged(&members, &keys).await, 0, "{died:?}");
    let (_, found) = connect::read(&members, &keys).await.unwrap();
    assert_eq!(found.unwrap().0.applying, None, "{died:?}");
}

/// The same where only one that comes later finds it.
async fn story_of_a_start(place: EtcdPlace, died: Died) {
    drop(
        EtcdStore::open(place.clone(), Schema::default())
            .await
            .unwrap(),
    );
    let (members, keys) = (Members::new(place.clone()), Keys::new(&place.prefix));
    die(&members, &keys, died).await;
    let late = EtcdStore::open(place, Schema::default()).await.unwrap();
    let entries = late.follow().await.unwrap().entries;
    let whole = if died >= Died::Decided { KEYS } else { 0 };
    assert_eq!(entries.len(), whole, "{died:?}");
    assert_eq!(staged(&members, &keys).await, 0, "{died:?}");
    commit_at_last(&late).await;
}

#[test]
fn a_master_that_dies_at_any_step_leaves_all_or_nothing() {
    let netns = Netns::new().unwrap();
    let etcd = Etcd::start(&netns, 1).unwrap();
    let steps = [
        Died::Staged,
        Died::Claimed,
        Died::Decided,
        Died::HalfWritten,
    ];
    let ran = netns.enter(|| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let mut stories = tokio::task::JoinSet::new();
            for (number, died) in steps.into_iter().enumerate() {
                let place = |kind: &str| {
                    let address = format!("{}/{kind}{number}", etcd.url());
                    EtcdPlace::parse(&address).unwrap()
                };
                stories.spawn(story(place("lives"), died));
                stories.spawn(story_of_a_start(place("starts"), died));
            }
            while let Some(told) = stories.join_next().await {
                told.unwrap();
            }
        });
    });
    ran.unwrap();
}
