//! Changes of any size: all or nothing, in one revision.

use contiv_store::{Outcome, Store};

use super::*;

#[test]
fn thousands_of_keys_are_one_commit() {
    with_etcd(1, |etcd| async move {
        let (store, other) = (open(&etcd, "many").await, open(&etcd, "many").await);
        let mut following = other.follow().await.unwrap();
        let keys: Vec<String> = (0..3_000).map(|n| format!("/{n:05}")).collect();
        let all = |value: &str| {
            let compares = keys.iter().map(|key| absent(key)).collect();
            transaction(compares, keys.iter().map(|key| put(key, value)).collect())
        };
        let outcome = store.commit(all("first")).await.unwrap();
        let Outcome::Committed(number) = outcome else {
            panic!("{outcome:?}");
        };
        let commit = following.changes.next().await.unwrap();
        assert_eq!(
            (commit.revision.number, commit.writes.len()),
            (number, 3_000)
        );
        // One that is there already spoils all of it.
        let again = store.commit(all("again")).await.unwrap();
        assert!(matches!(again, Outcome::Conflict { .. }));
        let found = store.follow().await.unwrap();
        // Their own numbers are a little lower, since it took several revisions.
        let first = |e: &contiv_store::Entry| e.value == "first" && e.number <= number;
        assert!(found.entries.iter().all(first));
        // What was staged in vain has moved etcd's revision, and nothing else.
        assert!(found.revision.number >= number, "{:?}", found.revision);
        let newest = other.newest().await.unwrap();
        assert_eq!(newest, found.revision.number);
        // A follower hears of all of them.
        let mut heard = number;
        while heard < newest {
            heard = following.changes.next().await.unwrap().revision.number;
        }
    });
}

#[test]
fn megabytes_are_one_commit_and_can_be_built_on() {
    with_etcd(1, |etcd| async move {
        let (store, other) = (open(&etcd, "large").await, open(&etcd, "large").await);
        let (mut ours, mut theirs) = (store.follow().await.unwrap(), other.follow().await.unwrap());
        let value = "x".repeat(2_000);
        let keys: Vec<String> = (0..3_000).map(|n| format!("/{n:05}")).collect();
        let writes = keys.iter().map(|key| put(key, &value)).collect();
        let compares = keys.iter().map(|key| absent(key)).collect();
        let outcome = store.commit(transaction(compares, writes)).await.unwrap();
        let Outcome::Committed(number) = outcome else {
            panic!("{outcome:?}");
        };
        for following in [&mut ours, &mut theirs] {
            let commit = following.changes.next().await.unwrap();
            assert_eq!(
                (commit.revision.number, commit.writes.len()),
                (number, 3_000)
            );
        }
        let build = |key: &str| {
            let compare = Compare {
                key: key.into(),
                number,
            };
            transaction(vec![compare], vec![put(key, "built")])
        };
        let built = other.commit(build("/00000")).await.unwrap();
        assert!(
            matches!(built, Outcome::Committed(n) if n > number),
            "{built:?}"
        );
        let late = store.commit(build("/00000")).await.unwrap();
        assert!(matches!(late, Outcome::Conflict { .. }), "{late:?}");
        assert!(matches!(
            store.commit(build("/00001")).await.unwrap(),
            Outcome::Committed(_)
        ));
        let now = store.follow().await.unwrap();
        assert_eq!(now.entries.len(), 3_000);
    });
}
