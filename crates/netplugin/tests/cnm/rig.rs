//! A master and an agent on a host of the test, and the engine's end of the socket.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use contiv_client::{Client, Timeouts};
use contiv_testbed::{Daemon, Host, Reply, bin, wait_for};
use netplugin::{
    Departures, Driver, Introduction, Listener, MASTER_CALL, Metrics, Observed, Outcome,
    PluginSocket, Reconciler, Relay, Replica, Reporter, Scope, SharedPlane, router,
};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::plane::MemoryPlane;
use crate::way::Way;

pub(crate) const MASTER: ([u8; 4], u16) = ([127, 0, 0, 1], 9999);
const LIMIT: Duration = Duration::from_secs(10);
const HOST: &str = "h1";

/// Everything that answers the engine, without an engine.
pub(crate) struct Rig {
    agent: Option<Agent>,
    master: Option<Daemon>,
    pub(crate) plane: MemoryPlane,
    /// How long a call of the agent's next run may take.
    pub(crate) patience: Duration,
    /// The masters of the agent's next run.
    pub(crate) masters: &'static str,
    pub(crate) way: Way,
    host: Host,
}

/// A run of the agent, on a thread inside the host's network.
struct Agent {
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Rig {
    /// A master with a few objects, and an agent that has heard of them:
    ///
    /// - `net` 10.1.2.0/24, gateway .254, with group `web`
    /// - `bare` 10.1.3.0/24, without a gateway
    /// - `six` 10.1.4.0/24 and 2001:db8:4::/64, both with gateways
    /// - `net` of tenant `blue`, as that of the default tenant
    pub(crate) fn new() -> Self {
        let mut rig = Self {
            agent: None,
            master: None,
            plane: MemoryPlane::default(),
            patience: Duration::from_secs(5),
            masters: "http://127.0.0.1:9999",
            way: Way::default(),
            host: Host::new("cnm").unwrap(),
        };
        rig.start_master();
        rig.put("tenants", "blue", json!({"tenantName": "blue"}));
        rig.network(
            "default:net",
            json!({"subnet": "10.1.2.0/24", "gateway": "10.1.2.254"}),
        );
        rig.network(
            "blue:net",
            json!({"subnet": "10.1.2.0/24", "gateway": "10.1.2.254"}),
        );
        rig.network("default:bare", json!({"subnet": "10.1.3.0/24"}));
        let six = json!({"subnet": "10.1.4.0/24", "gateway": "10.1.4.254",
            "ipv6Subnet": "2001:db8:4::/64", "ipv6Gateway": "2001:db8:4::fe"});
        rig.network("default:six", six);
        let web = json!({"tenantName": "default", "groupName": "web", "networkName": "net"});
        rig.put("endpointGroups", "default:web", web);
        rig.start_agent();
        rig
    }

    fn network(&self, key: &str, mut fields: Value) {
        let (tenant, name) = key.split_once(':').unwrap();
        fields["tenantName"] = tenant.into();
        fields["networkName"] = name.into();
        fields["encap"] = "vxlan".into();
        self.put("networks", key, fields);
    }

    /// Stores an object at the master.
    pub(crate) fn put(&self, plural: &str, key: &str, mut object: Value) {
        object["key"] = key.into();
        let reply = self.api("PUT", &format!("/api/v1/{plural}/{key}/"), Some(&object));
        assert_eq!(reply.status, 200, "{plural} {key}: {}", reply.text);
    }

    pub(crate) fn api(&self, method: &str, target: &str, body: Option<&Value>) -> Reply {
        let netns = self.host.netns().unwrap();
        netns
            .http(MASTER.into(), method, target, body, LIMIT)
            .unwrap()
    }

    /// Starts the master and waits for it.
    pub(crate) fn start_master(&mut self) {
        let mut command = Command::new(bin("netmaster").unwrap());
        command.args(["--data-dir", "/var/lib/contiv"]);
        let daemon = self.host.spawn("netmaster", command).unwrap();
        let netns = self.host.netns().unwrap();
        let ready = wait_for(LIMIT, "netmaster to be ready", || {
            let reply = netns.http(MASTER.into(), "GET", "/healthz", None, LIMIT)?;
            anyhow::ensure!(reply.status == 200, "status {}", reply.status);
            Ok(())
        });
        ready.unwrap_or_else(|error| panic!("{error:#}: {}", daemon.log_tail(20)));
        self.master = Some(daemon);
    }

    /// Has netmaster do something and end; what it said.
    pub(crate) fn netmaster(&self, command: &[&str]) -> String {
        let program = bin("netmaster").unwrap();
        let mut argv = vec![program.to_str().unwrap()];
        argv.extend(command);
        argv.extend(["--data-dir", "/var/lib/contiv"]);
        self.host.run(&argv).unwrap()
    }

    /// Kills the master.
    pub(crate) fn kill_master(&mut self) {
        self.master = None;
    }

    /// Starts an agent on what the last one left in the kernel, and waits until it has heard all.
    pub(crate) fn start_agent(&mut self) {
        let told = self.launch_agent();
        told.recv_timeout(LIMIT)
            .expect("the agent hears of everything");
    }

    /// Starts an agent and waits until it answers the engine; it tells when it has heard all.
    pub(crate) fn launch_agent(&mut self) -> mpsc::Receiver<()> {
        self.agent = None;
        let (stop, plane, dir) = (CancellationToken::new(), self.plane.clone(), self.plugins());
        let (netns, patience) = (self.host.netns().unwrap(), self.patience);
        let (masters, way) = (self.masters, self.way.clone());
        let (told, tell) = mpsc::channel();
        let token = stop.clone();
        let thread = std::thread::spawn(move || {
            // One thread: every socket is opened inside the host's network.
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let run = || {
                runtime.unwrap().block_on(async {
                    tokio::spawn(way.open());
                    run(plane, dir, masters, patience, token, told).await;
                });
            };
            netns.enter(run).unwrap();
        });
        let thread = Some(thread);
        self.agent = Some(Agent { stop, thread });
        tell.recv_timeout(LIMIT).expect("the agent listens");
        tell
    }

    /// Ends the agent; the kernel keeps what it holds.
    pub(crate) fn stop_agent(&mut self) {
        self.agent = None;
    }

    fn plugins(&self) -> PathBuf {
        self.host.dir().join("plugins")
    }

    /// Sends anything to the socket; answers with the status and the body.
    pub(crate) fn send(&self, method: &str, call: &str, body: &str) -> (u16, String) {
        let mut stream = UnixStream::connect(self.plugins().join("netplugin.sock")).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let length = body.len();
        let request = format!(
            "{method} /{call} HTTP/1.1\r\nHost: plugin.moby.localhost\r\nConnection: close\r\n\
             Accept: application/vnd.docker.plugins.v1.2+json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (
            head.split(' ').nth(1).unwrap().parse().unwrap(),
            body.to_owned(),
        )
    }

    /// A call that must succeed.
    pub(crate) fn ok(&self, call: &str, body: Value) -> Value {
        let (status, text) = self.send("POST", call, &body.to_string());
        assert_eq!(status, 200, "{call} {body}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// A call that must be refused with a reason that names `part`, under both names that the
    /// engine looks for.
    pub(crate) fn refused(&self, call: &str, body: Value, part: &str) {
        let (status, text) = self.send("POST", call, &body.to_string());
        assert_eq!(status, 500, "{call} {body}: {text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        let reason = answer["Err"].as_str().unwrap();
        assert_eq!(answer["Error"], reason, "{call} {body}");
        assert!(
            reason.contains(part),
            "{call} {body}: {part:?} is not in {reason:?}"
        );
    }

    /// Makes a Docker network for one of our networks: pool, gateway, network. Its pool's id.
    pub(crate) fn docker_network(&self, id: &str, options: Value) -> String {
        let subnet = match options["network"].as_str() {
            Some("bare") => "10.1.3.0/24",
            Some("six") => "10.1.4.0/24",
            _ => "10.1.2.0/24",
        };
        let pool = json!({"AddressSpace": "contiv-local", "Pool": subnet, "Options": options});
        let pool = self.ok("IpamDriver.RequestPool", pool);
        let gateway = json!({"PoolID": pool["PoolID"], "Address": "",
            "Options": {"RequestAddressType": "com.docker.network.gateway"}});
        let gateway = self.ok("IpamDriver.RequestAddress", gateway);
        let create = json!({"NetworkID": id,
            "Options": {"com.docker.network.enable_ipv6": false, "com.docker.network.generic": options},
            "IPv4Data": [{"AddressSpace": "contiv-local", "Pool": pool["Pool"],
                "Gateway": gateway["Address"]}],
            "IPv6Data": []});
        assert_eq!(self.ok("NetworkDriver.CreateNetwork", create), json!({}));
        pool["PoolID"].as_str().unwrap().to_owned()
    }

    /// Asks for an address as the engine does for a container; the address with its prefix.
    pub(crate) fn address(&self, pool: &str) -> String {
        let ask = json!({"PoolID": pool, "Address": "", "Options": null});
        let answer = self.ok("IpamDriver.RequestAddress", ask);
        answer["Address"].as_str().unwrap().to_owned()
    }

    /// Makes an endpoint with this address on a Docker network.
    pub(crate) fn endpoint(&self, network: &str, id: &str, address: &str) -> Value {
        self.ok(
            "NetworkDriver.CreateEndpoint",
            endpoint(network, id, address),
        )
    }

    /// The endpoints in the kernel.
    pub(crate) fn in_kernel(&self) -> Vec<String> {
        self.plane.state().endpoints.keys().cloned().collect()
    }

    /// Addresses that somebody other than a gateway holds, at the master.
    pub(crate) fn held(&self) -> Vec<String> {
        let listed = self.api("GET", "/api/v1/addresses/", None).body;
        let entries = listed.as_array().unwrap().iter();
        let text = |entry: &Value, field: &str| entry[field].as_str().unwrap().to_owned();
        let held = entries.filter(|entry| !text(entry, "owner").contains("gateway"));
        let mut held: Vec<String> = held.map(|entry| text(entry, "address")).collect();
        held.sort();
        held
    }

    /// Waits until exactly these addresses are held.
    pub(crate) fn soon_held(&self, wanted: &[&str]) {
        wait_for(LIMIT, &format!("only {wanted:?} to be held"), || {
            let held = self.held();
            if held == wanted {
                Ok(())
            } else {
                Err(format!("{held:?}"))
            }
        })
        .unwrap();
    }
}

/// The body of CreateEndpoint as engine 20.10 sends it.
pub(crate) fn endpoint(network: &str, id: &str, address: &str) -> Value {
    json!({"NetworkID": network, "EndpointID": id,
        "Interface": {"Address": address, "AddressIPv6": "", "MacAddress": ""},
        "Options": {"com.docker.network.endpoint.exposedports": [],
            "com.docker.network.portmap": []}})
}

/// The agent, wired as the program does it, but for the engine's networks and the kernel.
async fn run(
    plane: MemoryPlane,
    sockets: PathBuf,
    masters: &str,
    patience: Duration,
    stop: CancellationToken,
    told: mpsc::Sender<()>,
) {
    let timeouts = Timeouts {
        connect: Duration::from_secs(1),
        call: patience.mul_f32(0.8),
        stream_idle: MASTER_CALL.stream_idle,
    };
    let client = Client::new(masters, timeouts).unwrap();
    let host = client.host(HOST).unwrap();
    let (plane, replica) = (SharedPlane::new(plane), Arc::new(Replica::default()));
    let (departures, metrics) = (
        Arc::new(Departures::default()),
        Arc::new(Metrics::default()),
    );
    let (_observed, observed) = watch::channel(Observed::default());
    let (outcome, outcomes) = watch::channel(Outcome::default());
    let (registrations, registered) = watch::channel(0);
    let (status, statuses) = watch::channel(None);
    let (_counted, counts) = watch::channel(Arc::default());
    let introduction = Introduction {
        plane: plane.clone(),
        underlay: Arc::default(),
    };
    let relay = Relay {
        host: host.clone(),
        introduction: introduction.clone(),
        status: statuses,
        counted: counts,
        events: Arc::default(),
        registrations: registered,
    };
    let listener = Listener {
        host: host.clone(),
        introduction,
        replica: Arc::clone(&replica),
        metrics: Arc::clone(&metrics),
        registrations,
    };
    let reconciler = Reconciler {
        host_name: HOST.into(),
        replica: Arc::clone(&replica),
        plane: plane.clone(),
        departures: Arc::clone(&departures),
        metrics: Arc::clone(&metrics),
        outcome,
        underlay: Arc::default(),
    };
    let reporter = Reporter {
        host_name: HOST.into(),
        replica: Arc::clone(&replica),
        plane: plane.clone(),
        metrics: Arc::clone(&metrics),
        observed,
        outcome: outcomes,
        departures: Arc::clone(&departures),
        status,
    };
    let orphans = Arc::clone(&departures.orphans);
    let adopting = orphans.run(host.clone(), &replica, &departures, stop.clone());
    let leaving = departures.run(plane.clone(), host, &replica, stop.clone());
    let shared = (Arc::clone(&replica), Arc::clone(&departures));
    let mut driver = Driver::new(HOST, client, shared.0, plane.clone(), shared.1, metrics).unwrap();
    driver.limit = patience;
    let socket = PluginSocket::bind(&sockets, "netplugin").unwrap();
    told.send(()).ok();
    let serving = axum::serve(socket.listener, router(Arc::new(driver), Scope::Local))
        .with_graceful_shutdown(stop.clone().cancelled_owned());
    let hearing = async {
        while !replica.read().is_complete() {
            replica.changes().changed().await.unwrap();
        }
        told.send(()).ok();
    };
    tokio::join!(
        listener.run(stop.clone()),
        reconciler.run(stop.clone()),
        reporter.run(stop.clone()),
        relay.run(stop.clone()),
        leaving,
        adopting,
        async { serving.await.unwrap() },
        hearing,
    );
}
