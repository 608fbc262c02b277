//! A netmaster process with a store of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use contiv_testbed::bin;
use serde_json::{Value, json};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(20);

/// A running netmaster; it ends with this value.
pub(crate) struct Master {
    child: Child,
    address: SocketAddr,
    _dir: TempDir,
}

/// What it answers.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// What one run of netctl did.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) complaint: String,
}

impl Master {
    /// A master with an empty store, ready to answer.
    pub(crate) fn start() -> Master {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_netmaster"))
            .args(["--listen-url=127.0.0.1:0", "--fwdmode=bridge", "--data-dir"])
            .arg(dir.path())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let address = loop {
            let start = said.len();
            let more = log.read_line(&mut said).unwrap() > 0;
            assert!(more, "netmaster did not get ready:\n{said}");
            if let Some((_, address)) = said[start..].split_once("is ready address=") {
                break address.split_whitespace().next().unwrap().parse().unwrap();
            }
        };
        // A full pipe would stop it.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Master {
            child,
            address,
            _dir: dir,
        }
    }

    /// Sends one request; `path` is below `/api/v1/`.
    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.request(method, &format!("/api/v1/{path}"), body)
    }

    /// An endpoint of a network, or of a group of it, of tenant `default`, on a host.
    #[track_caller]
    pub(crate) fn endpoint(&self, id: &str, network: &str, group: Option<&str>) -> String {
        let register = json!({
            "streamVersion": 1, "agentVersion": "0", "bootId": "b", "taken": [],
        });
        let host = "/agent/v1/hosts/h1";
        let answer = self.request("POST", &format!("{host}/register"), &register);
        assert_eq!(answer.status, 200, "{answer:?}");
        let pool = json!({"tenant": "default", "network": network, "group": group});
        let wish = json!({"pool": pool, "ipv4": null, "ipv6": null, "mac": null});
        let answer = self.request("PUT", &format!("{host}/endpoints/{id}"), &wish);
        assert_eq!(answer.status, 200, "{answer:?}");
        let address = answer.body["endpoint"]["ipv4"].as_str();
        address.unwrap().to_owned()
    }

    /// Ends the endpoint.
    #[track_caller]
    pub(crate) fn end_endpoint(&self, id: &str) {
        let path = format!("/agent/v1/hosts/h1/endpoints/{id}");
        let answer = self.request("DELETE", &path, &Value::Null);
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// Runs netctl with these words.
    pub(crate) fn netctl(&self, words: &[String]) -> Run {
        let netctl: PathBuf = bin("netctl").unwrap();
        let output = Command::new(netctl)
            .args(words)
            .env("NETMASTER", format!("http://{}", self.address))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        Run {
            code: output.status.code().unwrap(),
            complaint: stderr.lines().last().unwrap_or_default().to_owned(),
        }
    }

    fn request(&self, method: &str, target: &str, body: &Value) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        answer(BufReader::new(stream))
    }
}

/// Every answer of the API has a length, since it is one document.
fn answer(mut input: impl BufRead) -> Answer {
    let mut line = String::new();
    input.read_line(&mut line).unwrap();
    let status = line.split(' ').nth(1).unwrap().parse().unwrap();
    let mut length = 0;
    loop {
        let mut line = String::new();
        input.read_line(&mut line).unwrap();
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = Vec::new();
    input.take(length).read_to_end(&mut body).unwrap();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Answer { status, body }
}

impl Drop for Master {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
