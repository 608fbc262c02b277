//! A netmaster of the test's own, and calls to it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use contiv_client::{Client, HostClient, Timeouts};
use contiv_model::agent::{HostStatus, Register, STREAM_VERSION};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running netmaster; killed when dropped.
pub(crate) struct Master {
    child: Child,
    pub(crate) address: SocketAddr,
    /// What it logged until it was ready.
    pub(crate) said: String,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
}

impl Master {
    /// Starts one on the store in `dir` and waits until it is ready.
    pub(crate) fn start(dir: &Path) -> Master {
        Master::start_with(dir, &[])
    }

    pub(crate) fn start_with(dir: &Path, arguments: &[&str]) -> Master {
        Master::run(command(dir), arguments)
    }

    /// Starts it by a command that ends in `exec "$@"`.
    pub(crate) fn start_through(mut through: Command, dir: &Path, arguments: &[&str]) -> Master {
        let command = command(dir);
        through
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::null());
        Master::run(through, arguments)
    }

    fn run(mut command: Command, arguments: &[&str]) -> Master {
        let mut child = command
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let address = loop {
            let mut line = String::new();
            let more = log.read_line(&mut line).unwrap() > 0;
            said.push_str(&line);
            assert!(more, "netmaster did not get ready:\n{said}");
            if let Some((_, address)) = line.split_once("is ready address=") {
                break address.split(' ').next().unwrap().parse().unwrap();
            }
        };
        // A full pipe would stop it.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Master {
            child,
            address,
            said,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.address.to_string(), Timeouts::default()).unwrap()
    }

    /// A client that speaks for a host which has registered.
    pub(crate) async fn host(&self, name: &str) -> HostClient {
        let host = self.client().host(name).unwrap();
        let register = Register {
            stream_version: STREAM_VERSION,
            oldest_stream_version: None,
            agent_version: "test".into(),
            boot_id: "boot".into(),
            taken: Vec::new(),
            tunnel: None,
            mtu: None,
            control: None,
            vxlan_port: None,
        };
        host.register(&register).await.unwrap();
        host.report(&HostStatus::default()).await.unwrap();
        host
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.call("GET", path, &[], "")
    }

    pub(crate) fn delete(&self, path: &str) -> Reply {
        self.call("DELETE", path, &[], "")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        self.call("POST", path, &[], &body.to_string())
    }

    /// Makes an object, which must succeed.
    pub(crate) fn make(&self, path: &str, body: &Value) -> Reply {
        let reply = self.post(path, body);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        reply
    }

    /// Makes network `name` of tenant `default`.
    pub(crate) fn make_network(&self, name: &str, subnet: &str) {
        let body = json!({"encap": "vxlan", "subnet": subnet});
        self.make(&format!("/api/v1/networks/default:{name}/"), &body);
    }

    pub(crate) fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let mut stream = self.send("1.1", method, path, headers, body);
        let mut text = Vec::new();
        stream.read_to_end(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_lowercase(), value.to_owned())
        };
        let text = || Value::String(body.to_owned());
        Reply {
            status: status.parse().unwrap(),
            headers: lines.map(header).collect(),
            body: serde_json::from_str(body).unwrap_or_else(|_| text()),
        }
    }

    /// Opens a stream; its body has no frames, since HTTP 1.0 knows none.
    pub(crate) fn open(&self, path: &str, headers: &[(&str, &str)]) -> BufReader<TcpStream> {
        let stream = self.send("1.0", "GET", path, headers, "");
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        assert!(line.contains("200"), "{line}");
        while line != "\r\n" {
            line.clear();
            stream.read_line(&mut line).unwrap();
        }
        stream
    }

    fn send(
        &self,
        version: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let mut head = format!(
            "{method} {path} HTTP/{version}\r\nHost: m\r\nConnection: close\r\nContent-Length: {length}\r\n"
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let request = format!("{head}\r\n{body}");
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    /// `kill -9`, and its end.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; the time that it then took to end.
    pub(crate) fn terminate(mut self) -> (ExitStatus, Duration) {
        let begin = Instant::now();
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, Signal::SIGTERM).unwrap();
        let status = self.child.wait().unwrap();
        (status, begin.elapsed())
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command line of a netmaster at a free port.
pub(crate) fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netmaster"));
    command
        .arg("--data-dir")
        .arg(dir)
        .args(["--listen-url", "127.0.0.1:0"])
        .stdin(Stdio::null());
    command
}
