//! A second address of the master, which can fall silent without closing anything.

use std::future::pending;
use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::rig::MASTER;

/// Where the way begins.
const AT: &str = "127.0.0.1:9998";

/// Passes on what is said, until it is blocked.
#[derive(Clone, Default)]
pub(crate) struct Way {
    blocked: watch::Sender<bool>,
}

impl Way {
    /// Loses whatever is said from now on, as a master without power does.
    pub(crate) fn block(&self) {
        self.blocked.send_replace(true);
    }

    pub(crate) async fn open(self) {
        let listener = TcpListener::bind(AT).await.unwrap();
        loop {
            let (from, _) = listener.accept().await.unwrap();
            tokio::spawn(pass(from, self.blocked.subscribe()));
        }
    }
}

async fn pass(mut from: TcpStream, mut blocked: watch::Receiver<bool>) {
    let Ok(mut to) = TcpStream::connect(SocketAddr::from(MASTER)).await else {
        return;
    };
    let blocked = async { drop(blocked.wait_for(|blocked| *blocked).await) };
    tokio::select! {
        biased;
        // Both ends stay open.
        () = blocked => pending().await,
        _ = copy_bidirectional(&mut from, &mut to) => {}
    }
}
