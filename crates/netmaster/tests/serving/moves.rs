//! From the embedded store to etcd and back, and a copy of what is in etcd put back, by the commands
//! that operators type.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use contiv_testbed::{Etcd, Netns};
use serde_json::json;

use crate::master::{Master, PATIENCE, command};
use crate::went_back::{endpoint, gives_nothing_twice, revision};

/// What the program says to these words; the error is what it says when it did not do it.
fn run(dir: &Path, words: &str) -> Result<String, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netmaster"));
    command.arg("--data-dir").arg(dir).args(words.split(' '));
    let done = command.output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    match done.status.success() {
        true => Ok(said),
        false => Err(said),
    }
}

/// It is refused, for this reason.
fn refused(dir: &Path, words: &str, reason: &str) {
    let said = run(dir, words).unwrap_err();
    assert!(said.contains(reason), "{words}: {said}");
}

/// A master that is started there says where the store went.
fn is_closed(dir: &Path, store: &str, to: &str) {
    let done = command(dir).args(["--store", store]).output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("has moved to {to}")), "{said}");
}

async fn given(master: &Master) -> BTreeSet<Ipv4Addr> {
    let all = master.client().addresses().await.unwrap();
    all.iter().map(|a| a.address.parse().unwrap()).collect()
}

async fn story(etcd: Etcd, dir: &Path) {
    let (redb, etcd) = (
        format!("redb:{}", dir.join("netmaster.redb").display()),
        etcd.url(),
    );
    let on = |store: &str| Master::start_with(dir, &["--store", store]);
    let file = |name: &str| dir.join(name).display().to_string();
    let (there, back) = (
        format!("migrate --from {redb} --to {etcd}"),
        format!("migrate --from {etcd} --to {redb}"),
    );

    let master = on(&redb);
    master.make_network("n", "10.1.1.0/24");
    let (a, _) = (master.host("a").await, master.host("b").await);
    let first = endpoint(&a, "e1").await;
    refused(dir, &there, "stop the netmaster that runs on it");
    let mut epoch = revision(&master).epoch;
    master.terminate();
    run(dir, &there).unwrap();
    is_closed(dir, &redb, &etcd);

    // A copy of etcd's, which knows nothing of what is given next.
    let master = on(&etcd);
    assert!(revision(&master).epoch > epoch);
    assert_eq!(given(&master).await, BTreeSet::from([first]));
    let copy = file("copy");
    run(dir, &format!("snapshot save {copy} --store {etcd}")).unwrap();
    let second = endpoint(&master.host("b").await, "e2").await;
    // A shell that does not know the store: the file at the usual place is of long ago.
    let (now, listens) = (file("now"), master.address);
    run(dir, &format!("snapshot save {now} --listen-url {listens}")).unwrap();
    let holds = |file: &str, what: &str| std::fs::read_to_string(file).unwrap().contains(what);
    assert!(holds(&now, "/endpoints/e2") && !holds(&copy, "/endpoints/e2"));
    epoch = revision(&master).epoch;
    master.terminate();
    let restore = format!("snapshot restore {copy} --store {etcd}");
    refused(dir, &restore, "--force");
    run(dir, &format!("{restore} --force")).unwrap();
    let master = on(&etcd);
    assert!(revision(&master).epoch > epoch);
    let third = gives_nothing_twice(&master, [first, second]).await;
    let mut all = BTreeSet::from([first, second, third]);

    // Back, while a master runs: it reads on, and writes no more.
    refused(dir, &back, "--force");
    run(dir, &format!("{back} --force")).unwrap();
    let late = || master.post("/api/v1/policys/default:late/", &json!({}));
    let said = late();
    assert_eq!(said.status, 503, "{}", said.body);
    assert!(said.body.to_string().contains(&redb), "{}", said.body);
    let health = master.get("/healthz").body;
    assert_eq!(health["status"], "read-only", "{health}");
    assert!(health.to_string().contains(&redb), "{health}");
    assert_eq!(given(&master).await, all);
    is_closed(dir, &etcd, &redb);
    run(dir, &format!("{back} --abort")).unwrap();
    let begin = Instant::now();
    while late().status != 200 {
        assert!(begin.elapsed() < PATIENCE, "{}", late().body);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(master.get("/healthz").body["status"], "ok");

    // Once more, and again to where it was: each time in a later epoch, with everything.
    epoch = revision(&master).epoch;
    run(dir, &format!("{back} --force")).unwrap();
    master.terminate();
    for (store, next) in [(&redb, Some(&there)), (&etcd, None)] {
        let master = on(store);
        assert!(revision(&master).epoch > epoch);
        epoch = revision(&master).epoch;
        assert_eq!(given(&master).await, all);
        assert_eq!(master.get("/api/v1/policys/default:late/").status, 200);
        // What the store holds is as it was, so that no host is waited for.
        let name = format!("e-{}", all.len());
        let another = endpoint(&master.host("a").await, &name).await;
        assert!(all.insert(another), "{another} was given twice");
        master.terminate();
        if let Some(words) = next {
            run(dir, &format!("{words} --force")).unwrap();
        }
    }
}

#[test]
fn a_fabric_moves_to_etcd_and_back_and_gives_no_address_twice() {
    let netns = Netns::new().unwrap();
    let etcd = Etcd::start(&netns, 1).unwrap();
    let dir = tempfile::tempdir().unwrap();
    // The runtime's threads are made inside, and so are their sockets.
    let ran = netns.enter(|| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(story(etcd, dir.path()));
    });
    ran.unwrap();
}
