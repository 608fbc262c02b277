//! What comes to the port that is no good handshake, and addresses beyond the loopback.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use contiv_client::{Access, Client, Timeouts, masters};
use contiv_testbed::Netns;

use super::Door;
use crate::master::{Master, PATIENCE};

fn connect(door: &Door) -> TcpStream {
    let stream = TcpStream::connect(door.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    // A reset is an end as well.
    let _ = stream.read_to_end(&mut rest);
    rest
}

#[test]
fn plain_requests_are_told_what_the_port_speaks() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::start(dir.path());
    let mut stream = connect(&door);
    stream
        .write_all(b"GET /version HTTP/1.1\r\nHost: m\r\n\r\n")
        .unwrap();
    let answer = String::from_utf8(rest(stream)).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 400 "), "{answer}");
    let length = head.to_lowercase();
    assert!(
        length.contains(&format!("content-length: {}", body.len())),
        "{answer}"
    );
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert!(
        body["error"].as_str().unwrap().contains("https://"),
        "{body}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_that_stall_make_nobody_wait_and_do_not_stay() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::start(dir.path());
    let hello = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    let mut stalled = Vec::new();
    for sent in (0..100).map(|n| n % hello.len()) {
        let mut stream = connect(&door);
        stream.write_all(&hello[..sent]).unwrap();
        stalled.push(stream);
    }
    for garbage in [&[0u8; 64][..], &[0x16; 64], &[0xff; 16_000]] {
        let mut stream = connect(&door);
        let _ = stream.write_all(garbage);
        assert!(!String::from_utf8_lossy(&rest(stream)).contains("200"));
    }
    let begin = Instant::now();
    let stranger = door.stranger();
    super::refused(stranger.version().await, 401, "netctl login");
    assert!(
        begin.elapsed() < Duration::from_secs(3),
        "{:?}",
        begin.elapsed()
    );
    for stream in stalled {
        assert!(rest(stream).is_empty());
    }
    assert!(begin.elapsed() < PATIENCE);
}

#[test]
fn beyond_the_loopback_a_master_is_reached_by_tls_at_each_of_its_addresses() {
    let (near, far) = (Netns::new().unwrap(), Netns::new().unwrap());
    near.veth("to-far", &far, "to-near").unwrap();
    near.ip("addr add 192.0.2.1/24 dev to-far").unwrap();
    far.ip("addr add 192.0.2.2/24 dev to-near").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let listen = [
        "--listen-url",
        "0.0.0.0:9998",
        "--advertise-url",
        "https://m1.example:9998",
    ];
    let door = Door::of(Master::start_through(
        near.command("env"),
        dir.path(),
        &listen,
    ));
    let token = std::fs::read_to_string(dir.path().join("admin.token")).unwrap();
    let access = Access::with_token(door.authority, token);
    let call = |url: &str| {
        let list = masters(url).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let client = Client::of(list, Timeouts::default(), &access).unwrap();
            client
                .version()
                .await
                .map(|_| ())
                .map_err(|e| e.to_string())
        })
    };
    far.enter(|| call("192.0.2.1:9998")).unwrap().unwrap();
    near.enter(|| call("https://127.0.0.1:9998"))
        .unwrap()
        .unwrap();
    assert!(door.master.said.contains("m1.example"));
    // Another address comes along: the certificate follows. A host that is not named stays wrong.
    near.ip("addr add 127.0.0.9/8 dev lo").unwrap();
    near.ip("addr add 192.0.2.7/24 dev to-far").unwrap();
    let wrong = far
        .enter(|| call("https://192.0.2.7:9998"))
        .unwrap()
        .unwrap_err();
    assert!(wrong.contains("--advertise-url"), "{wrong}");
}
