//! The store of several masters, on real members of etcd in a namespace.
#![allow(clippy::unwrap_used, reason = "a test")]

mod contract;
mod credentials;
mod failures;
mod shared;
mod staged;

use std::sync::Arc;

use bytes::Bytes;
use contiv_store::{Compare, EtcdPlace, EtcdStore, Schema, Transaction, Write};
use contiv_testbed::{Etcd, Netns};
use tokio::runtime::Runtime;

/// Runs `act` in a namespace where `count` members serve.
fn with_etcd<F: Future<Output = ()>>(count: u8, act: impl FnOnce(Arc<Etcd>) -> F + Send) {
    let netns = Netns::new().unwrap();
    let etcd = Arc::new(Etcd::start(&netns, count).unwrap());
    // The runtime's threads are made inside, and so are their sockets.
    let ran = netns.enter(|| Runtime::new().unwrap().block_on(act(etcd)));
    ran.unwrap();
}

async fn open(etcd: &Etcd, prefix: &str) -> EtcdStore {
    let place = EtcdPlace::parse(&format!("{}/{prefix}", etcd.url())).unwrap();
    EtcdStore::open(place, Schema::default()).await.unwrap()
}

fn put(key: &str, value: &str) -> Write {
    Write::Put {
        key: key.into(),
        value: Bytes::copy_from_slice(value.as_bytes()),
    }
}

fn absent(key: &str) -> Compare {
    Compare {
        key: key.into(),
        number: 0,
    }
}

fn transaction(compares: Vec<Compare>, writes: Vec<Write>) -> Transaction {
    Transaction {
        compares,
        writes,
        ..Transaction::default()
    }
}
