//! What several processes agree on: versions, and who may write.

use contiv_store::{Error, Store};

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
