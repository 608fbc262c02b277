use clap::Parser;
use contiv_store::{Error as StoreError, MemoryStore, Store};

use super::*;
use crate::ledger::Ledger;
use crate::ledger::testing::{begin, request};

async fn saved() -> (Contents, String) {
    let store = std::sync::Arc::new(MemoryStore::default());
    let (ledger, follower) = Ledger::open(store, std::sync::Arc::default())
        .await
        .unwrap();
    tokio::spawn(follower.run());
    begin(&ledger).await;
    request(&ledger, 1, None).await.unwrap();
    let committed = ledger.read();
    let text = of_image(committed.image(), 7).unwrap();
    (read(&text).unwrap(), text)
}

#[tokio::test]
async fn an_image_is_saved_as_the_store_has_it() {
    let (contents, text) = saved().await;
    assert_eq!(contents.revision.epoch, 7);
    let entry = |(key, value): (&String, &Bytes)| contiv_store::Entry {
        key: key.clone(),
        value: value.clone(),
        number: 1,
    };
    let image = Image::load(1, contents.entries.iter().map(entry)).unwrap();
    assert!(image.network("default:n").is_some() && image.addresses().count() == 1);
    assert_eq!(image.keys().count(), contents.entries.len());
    assert!(text.contains("/counters/networks") && text.contains("/guards/fabric"));
}

#[tokio::test]
async fn what_is_missing_or_changed_is_noticed() {
    let (_, text) = saved().await;
    let lines: Vec<&str> = text.lines().collect();
    let without = |n: usize| {
        let mut lines = lines.clone();
        lines.remove(n);
        lines.join("\n")
    };
    for broken in [
        without(1),
        without(lines.len() - 1),
        text.replacen("default", "defauld", 1),
        text[..text.len() / 2].to_owned(),
        String::new(),
    ] {
        assert!(read(&broken).is_err(), "{broken}");
    }
    read(&text).unwrap();
    let ours = format!("\"schema\":{}", SCHEMA.version());
    let newer = text.replacen(&ours, "\"schema\":9", 1);
    assert!(
        read(&newer)
            .unwrap_err()
            .to_string()
            .contains("later version")
    );
}

#[tokio::test]
async fn a_restored_store_is_of_a_later_epoch_and_waits_for_its_hosts() {
    let (mut contents, _) = saved().await;
    let host = serde_json::json!({"created": 1, "id": "e", "tenant": "default", "network": "n",
        "group": null, "host": "h9", "bootId": "", "ipv4": "10.1.1.9", "ipv6": null,
        "mac": "02:02:0a:01:01:09"});
    let host = Bytes::from(host.to_string());
    contents.entries.insert("/endpoints/e".into(), host);
    let text = write(&contents).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.redb");
    let place = StorePlace::Embedded(path.clone());
    let patience = Duration::from_secs(60);
    restore(place.clone(), &text, false, patience)
        .await
        .unwrap();
    let store = RedbStore::open(&path, SCHEMA).unwrap();
    let following = store.follow().await.unwrap();
    assert!(following.revision.epoch > 7);
    let epoch = following.revision.epoch;
    let entries = following.entries.iter().cloned();
    let image = Image::load(following.revision.number, entries).unwrap();
    let hosts = &image.adoption().unwrap().hosts;
    assert_eq!(hosts.iter().collect::<Vec<_>>(), ["h9"]);
    let (ledger, follower) = {
        let store = std::sync::Arc::new(store);
        Ledger::open(store, std::sync::Arc::default())
            .await
            .unwrap()
    };
    let following = tokio::spawn(follower.run());
    let refused = request(&ledger, 1, None).await.unwrap_err().to_string();
    assert!(refused.contains("h9"), "{refused}");
    ledger
        .decide(|image| contiv_fabric::adopted(image, "h9"))
        .await
        .unwrap();
    request(&ledger, 1, None).await.unwrap();
    following.abort();
    let _ = following.await;
    drop(ledger);
    // What is there is not overwritten unasked, and a forced restore is later again.
    let refused = restore(place.clone(), &text, false, patience)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("--force"), "{refused}");
    restore(place, &text, true, patience).await.unwrap();
    let again = RedbStore::contents(&path, SCHEMA).unwrap();
    assert!(again.revision.epoch > epoch);
}

#[test]
fn a_store_that_has_moved_is_opened_by_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.redb");
    drop(RedbStore::open(&path, SCHEMA).unwrap());
    RedbStore::set_moved(&path, SCHEMA, Some("etcd://a:1")).unwrap();
    let error = RedbStore::open(&path, SCHEMA).unwrap_err();
    assert!(
        matches!(&error, StoreError::Moved { to } if to == "etcd://a:1"),
        "{error}"
    );
    RedbStore::set_moved(&path, SCHEMA, None).unwrap();
    RedbStore::open(&path, SCHEMA).unwrap();
}

#[tokio::test]
async fn what_is_left_of_a_store_that_has_moved_is_not_saved() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("netmaster.redb");
    let usual = ["--data-dir", dir.path().to_str().unwrap()];
    let named = format!("--store=redb:{}", path.display());
    // Nobody serves there.
    let line = ["netmaster", "--listen-url=127.0.0.1:1"];
    let saved = async |words: &[&str]| {
        let config = Config::try_parse_from([&line, words].concat()).unwrap();
        save(&config).await.map_err(|error| format!("{error:#}"))
    };
    let refused = saved(&usual).await.unwrap_err();
    assert!(refused.contains("there is no store"), "{refused}");
    assert!(refused.contains("no master answered"), "{refused}");

    drop(RedbStore::open(&path, SCHEMA).unwrap());
    saved(&usual).await.unwrap();
    RedbStore::set_moved(&path, SCHEMA, Some("etcd://a:1")).unwrap();
    let refused = saved(&usual).await.unwrap_err();
    assert!(refused.contains("--store etcd://a:1"), "{refused}");
    assert!(refused.contains("no master answered"), "{refused}");
    let refused = saved(&[named.as_str()]).await.unwrap_err();
    assert!(refused.contains("--store etcd://a:1"), "{refused}");
    assert!(!refused.contains("no master answered"), "{refused}");
}
