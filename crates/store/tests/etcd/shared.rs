//! What several processes agree on: versions, and who may write.

use contiv_store::{Error, Revision, Store};

use super::*;

fn shout(contents: &mut std::collections::BTreeMap<String, Bytes>) {
    for value in contents.values_mut() {
        *value = value.to_ascii_uppercase().into();
    }
}

#[test]
fn older_contents_are_brought_forward_once_and_older_programs_stopped() {
    const TWO: Schema = Schema { steps: &[shout] };
    with_etcd(1, |etcd| async move {
        let old = open(&etcd, "schema").await;
        let epoch = old.follow().await.unwrap().revision.epoch;
        old.commit(transaction(vec![], vec![put("/a", "x")]))
            .await
            .unwrap();
        let place = || EtcdPlace::parse(&format!("{}/schema", etcd.url())).unwrap();
        let (one, two) = tokio::join!(EtcdStore::open(place(), TWO), EtcdStore::open(place(), TWO));
        for store in [one.unwrap(), two.unwrap()] {
            let now = store.follow().await.unwrap();
            assert_eq!(now.revision.epoch, epoch);
            assert_eq!(now.entries[0].value, "X");
        }
        let late = old.commit(transaction(vec![], vec![put("/a", "y")])).await;
        assert!(
            matches!(
                late,
                Err(Error::Newer {
                    found: 2,
                    known: 1,
                    ..
                })
            ),
            "{late:?}"
        );
        let error = EtcdStore::open(place(), Schema::default())
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Newer { .. }), "{error}");
    });
}

#[test]
fn a_place_that_has_moved_is_written_by_nobody_until_it_is_filled_again() {
    with_etcd(1, |etcd| async move {
        let store = open(&etcd, "moves").await;
        let place = || EtcdPlace::parse(&format!("{}/moves", etcd.url())).unwrap();
        let write = |value| store.commit(transaction(vec![], vec![put("/a", value)]));
        write("x").await.unwrap();
        let before = EtcdStore::contents(place()).await.unwrap();
        assert_eq!(before.entries["/a"], "x");
        assert_eq!(before.moved, None);

        EtcdStore::set_moved(place(), Some("redb:/f"))
            .await
            .unwrap();
        let moved = |error: &Error| matches!(error, Error::Moved { to } if to == "redb:/f");
        let late = write("y").await.unwrap_err();
        assert!(moved(&late), "{late}");
        let late = EtcdStore::open(place(), Schema::default())
            .await
            .unwrap_err();
        assert!(moved(&late), "{late}");
        let there = EtcdStore::contents(place()).await.unwrap();
        assert_eq!(there.entries, before.entries);
        assert_eq!(there.moved.as_deref(), Some("redb:/f"));

        let mut wanted = there.clone();
        wanted.entries.insert("/b".into(), "z".into());
        wanted.revision = Revision {
            epoch: before.revision.epoch + 1_000_000,
            number: 1,
        };
        EtcdStore::replace(place(), Schema::default(), &wanted)
            .await
            .unwrap();
        let now = EtcdStore::contents(place()).await.unwrap();
        assert_eq!((&now.entries, &now.moved), (&wanted.entries, &None));
        assert!(now.revision.epoch > wanted.revision.epoch);
        let again = open(&etcd, "moves").await;
        again
            .commit(transaction(vec![], vec![put("/a", "y")]))
            .await
            .unwrap();
    });
}
