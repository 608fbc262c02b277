use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use super::*;

/// A socket's place that goes with the test.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let file = format!("contiv-plugin-{name}-{}", std::process::id());
        Place(std::env::temp_dir().join(file))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What is answered to a call while `agent` is, or is not, there.
fn call(agent: &Path) -> String {
    let (mut engine, plugin) = UnixStream::pair().unwrap();
    let agent = agent.to_owned();
    let serving = thread::spawn(move || serve(plugin, &agent));
    let body = r#"{"a": 1}"#;
    let request = format!(
        "POST /NetworkDriver.Join HTTP/1.1\r\nHost: x\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    engine.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    engine.read_to_string(&mut answer).unwrap();
    drop(engine);
    serving.join().unwrap();
    answer
}

/// Answers one call with `ok`, and its body.
fn agent(place: &Place) -> thread::JoinHandle<()> {
    let listener = UnixListener::bind(&place.0).unwrap();
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(&stream);
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
        }
        let mut body = [0; 8];
        reader.read_exact(&mut body).unwrap();
        (&stream).write_all(b"ok ").unwrap();
        (&stream).write_all(&body).unwrap();
    })
}

#[test]
fn calls_go_to_the_agent_and_answers_back() {
    let place = Place::new("there");
    let served = agent(&place);
    assert_eq!(call(&place.0), r#"ok {"a": 1}"#);
    served.join().unwrap();
}

#[test]
fn without_an_agent_the_engine_is_told_within_a_second_and_later_served() {
    let place = Place::new("away");
    let started = Instant::now();
    let answer = call(&place.0);
    assert!(started.elapsed() < Duration::from_secs(1), "{answer}");
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    let reason = "netplugin is not running on this host";
    assert_eq!(answer.matches(reason).count(), 2, "{answer}");

    let served = agent(&place);
    assert_eq!(call(&place.0), r#"ok {"a": 1}"#);
    served.join().unwrap();
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the agent has to be late")]
fn an_agent_that_comes_back_soon_is_waited_for() {
    let place = Place::new("soon");
    let path = place.0.clone();
    let calling = thread::spawn(move || call(&path));
    thread::sleep(PAUSE * 4);
    let served = agent(&place);
    assert_eq!(calling.join().unwrap(), r#"ok {"a": 1}"#);
    served.join().unwrap();
}
