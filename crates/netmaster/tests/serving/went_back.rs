//! The embedded store, put back from a copy by hand: no address is given twice.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use contiv_client::{Error, HostClient};
use contiv_model::agent::{EndpointRequest, EndpointStatus, HostStatus, PoolRef, Revision};
use tokio::time::{sleep, timeout};

use crate::master::{Master, PATIENCE};

const FILES: [&str; 2] = ["netmaster.redb", "netmaster.witness"];

fn wish(ipv4: Option<Ipv4Addr>) -> EndpointRequest {
    EndpointRequest {
        pool: PoolRef {
            tenant: "default".into(),
            network: "n".into(),
            group: None,
        },
        ipv4,
        ipv6: None,
        mac: None,
        replaces: None,
        of_swarm: false,
        begins: false,
    }
}

pub(crate) async fn endpoint(host: &HostClient, id: &str) -> Ipv4Addr {
    let granted = host.put_endpoint(id, &wish(None)).await;
    granted.unwrap().endpoint.ipv4
}

/// The host says that it has come to the master's revision, and what lives on it.
async fn say(master: &Master, host: &HostClient, ids: &[&str]) {
    let status = |id: &&str| ((*id).to_owned(), EndpointStatus::default());
    let status = HostStatus {
        applied: revision(master),
        endpoints: ids.iter().map(status).collect::<BTreeMap<_, _>>(),
        ..HostStatus::default()
    };
    host.report(&status).await.unwrap();
}

pub(crate) fn revision(master: &Master) -> Revision {
    let health = master.get("/healthz").body;
    health["revision"].as_str().unwrap().parse().unwrap()
}

fn copy(files: &[&str], from: &Path, to: &Path) {
    for file in files {
        std::fs::copy(from.join(file), to.join(file)).unwrap();
    }
}

/// A master on whose hosts more lives than its store knows, when these files were put back.
struct Story {
    dir: tempfile::TempDir,
    port: String,
    /// Addresses of `e1`, of host `a`, and of `e2`, of host `b`, which the store has forgotten.
    given: [Ipv4Addr; 2],
    /// What hosts were told last.
    told: Revision,
}

impl Story {
    async fn tell(files: &[&str]) -> Story {
        let (dir, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().to_string();
        drop(free);
        let master = Master::start(dir.path());
        master.make_network("n", "10.1.1.0/24");
        let (a, _) = (master.host("a").await, master.host("b").await);
        let first = endpoint(&a, "e1").await;
        master.terminate();
        copy(files, dir.path(), kept.path());
        let master = Master::start(dir.path());
        let second = endpoint(&master.host("b").await, "e2").await;
        let told = revision(&master);
        master.terminate();
        copy(files, kept.path(), dir.path());
        Story {
            dir,
            port,
            given: [first, second],
            told,
        }
    }

    fn start(&self) -> Master {
        let mut master = Master::start_with(self.dir.path(), &["--listen-url", &self.port]);
        // The other port is another one after each start.
        master.address = self.port.parse().unwrap();
        master
    }

    async fn ends_well(&self, master: &Master) {
        assert!(revision(master).epoch > self.told.epoch);
        gives_nothing_twice(master, self.given).await;
    }
}

/// No address is given until both hosts have spoken, and then none of theirs. Answers the one of
/// `e3`, of host `a`.
pub(crate) async fn gives_nothing_twice(master: &Master, given: [Ipv4Addr; 2]) -> Ipv4Addr {
    let (a, b) = (master.host("a").await, master.host("b").await);
    let refused = a.put_endpoint("e3", &wish(None)).await.unwrap_err();
    let why = refused.to_string();
    assert!(why.contains("before these hosts have said"), "{why}");
    b.put_endpoint("e2", &wish(Some(given[1]))).await.unwrap();
    say(master, &a, &["e1"]).await;
    say(master, &b, &["e2"]).await;
    let wait = async {
        loop {
            match a.put_endpoint("e3", &wish(None)).await {
                Ok(granted) => return granted.endpoint.ipv4,
                Err(Error::Refused { .. }) => sleep(Duration::from_millis(50)).await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    let third = timeout(PATIENCE, wait).await.unwrap();
    let all = BTreeSet::from([given[0], given[1], third]);
    assert_eq!(all.len(), 3, "an address was given twice: {all:?}");
    third
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_put_back_begins_a_new_epoch() {
    let story = Story::tell(&FILES[..1]).await;
    let master = story.start();
    assert!(
        master.said.contains("the store went back"),
        "{}",
        master.said
    );
    story.ends_well(&master).await;
}

/// Nothing on the disk shows it, so that the first host which was told more does.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_shows_that_the_whole_directory_was_put_back() {
    let story = Story::tell(&FILES).await;
    let master = story.start();
    assert!(
        !master.said.contains("the store went back"),
        "{}",
        master.said
    );
    let b = master.host("b").await;
    let Err(refused) = b.stream(Some(story.told)).await else {
        panic!("the host was served");
    };
    assert!(
        refused.to_string().contains("the store went back"),
        "{refused}"
    );
    let again = async {
        while b.report(&HostStatus::default()).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, again).await.unwrap();
    story.ends_well(&master).await;

    // It is believed once. Nobody else suffers from what it claims later.
    let claim = Revision {
        number: 1_000_000,
        ..revision(&master)
    };
    assert!(b.stream(Some(claim)).await.is_err());
    assert_eq!(master.get("/healthz").status, 200);
    assert!(revision(&master).epoch == claim.epoch);
}
