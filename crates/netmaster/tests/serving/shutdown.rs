//! SIGTERM: streams end, running calls are answered, and it is over within a second.

use std::io::Read;
use std::time::Duration;

use futures_util::StreamExt;

use crate::master::Master;

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_within_a_second_with_streams_open() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    let host = master.host("h").await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = host.stream(None).await.unwrap();
        stream.next().await.unwrap().unwrap();
        streams.push(stream);
    }
    let mut watcher = master.open("/api/v1/watch", &[]);
    let (status, took) = tokio::task::spawn_blocking(|| master.terminate())
        .await
        .unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(1), "{took:?}");
    let mut rest = String::new();
    watcher.read_to_string(&mut rest).unwrap();
    for mut stream in streams {
        let end = stream.next().await.unwrap().unwrap_err().to_string();
        assert!(end.contains("closed"), "{end}");
    }
}
