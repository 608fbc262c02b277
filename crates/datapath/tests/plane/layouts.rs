//! A new layout of the maps takes the place of an older one under traffic.
//!
//! `tests/layout1.o` holds the programs of layout 1, which wrote a row for each direction of a
//! connection: those of commit ad66e45, built as `build.rs` does and stripped of what is for
//! debuggers (`llvm-strip --strip-debug`). They are kept since a copy of the repository need not
//! have its history.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use aya::maps::{Array, HashMap, Map, MapData};
use aya::programs::SchedClassifier;
use aya::programs::links::{FdLink, PinnedLink};
use aya::{Ebpf, EbpfLoader};
use contiv_datapath::Attach;
use contiv_policy::{Action, PolicyRule, PortRange};
use contiv_testbed::{Reach, Stream, StreamSpec};

use crate::both_ways;
use crate::site::{Container, DEFAULT, LONG, Site, incoming};

both_ways!(
    connections_and_numbered_packets_outlive_the_layout,
    what_an_agent_has_left_half_done_is_done_again,
);

static LAYOUT_1: &[u8] = aya::include_bytes_aligned!("../layout1.o");

/// The maps of layout 1, and those of them that later layouts have in another form.
const MAPS: [&str; 16] = [
    "config",
    "interfaces",
    "endpoints",
    "addresses",
    "members",
    "tenants",
    "prefixes",
    "host_addresses",
    "flows",
    "fragments",
    "drops",
    "pol_subjects",
    "pol_own",
    "pol_groups",
    "pol_prefixes",
    "pol_decisions",
];
const CHANGED: [&str; 2] = ["config", "flows"];

/// Leaves the host as an agent of layout 1 would have: its programs run, on its own maps.
fn step_back(site: &Site) {
    let root = &site.options.pin_dir;
    let (new, old) = (root.join("v2"), root.join("v1"));
    for directory in ["maps", "links", "programs/0123456789abcdef"] {
        fs::create_dir_all(old.join(directory)).unwrap();
    }
    let pin = |name: &str| old.join("maps").join(name);
    for name in MAPS.iter().filter(|name| !CHANGED.contains(name)) {
        fs::rename(new.join("maps").join(name), pin(name)).unwrap();
    }
    let mut loader = EbpfLoader::new();
    for name in MAPS {
        loader.map_pin_path(name, pin(name));
    }
    let mut programs = loader.load(LAYOUT_1).unwrap();
    let config = Map::Array(MapData::from_pin(new.join("maps/config")).unwrap());
    let config: [u8; 44] = Array::try_from(config).unwrap().get(&0, 0).unwrap();
    let mut old_config: [u8; 24] = *config.first_chunk().unwrap();
    old_config[18..].fill(0);
    let map = programs.map_mut("config").unwrap();
    let mut map = Array::<_, [u8; 24]>::try_from(map).unwrap();
    map.set(0, old_config, 0).unwrap();
    for name in ["from_endpoint", "from_host"] {
        let program = classifier(&mut programs, name);
        program.load().unwrap();
        let pin = old.join("programs/0123456789abcdef").join(name);
        program.pin(pin).unwrap();
    }
    for link in links(site) {
        let name = match link.as_str() {
            "contiv1" => "from_host",
            _ => "from_endpoint",
        };
        let pin = new.join("links").join(&link);
        if pin.exists() {
            let attached = FdLink::from(PinnedLink::from_pin(&pin).unwrap());
            let program = classifier(&mut programs, name);
            program
                .attach_to_link(attached.try_into().unwrap())
                .unwrap();
            fs::rename(&pin, old.join("links").join(&link)).unwrap();
        } else {
            let pin = old.join("programs/0123456789abcdef").join(name);
            let filter = format!(
                "tc filter replace dev {link} ingress prio 1 handle 1 protocol all \
                 bpf direct-action object-pinned {}",
                pin.display()
            );
            site.netns.run(&filter).unwrap();
        }
    }
    fs::remove_dir_all(new).unwrap();
}

fn classifier<'a>(programs: &'a mut Ebpf, name: &str) -> &'a mut SchedClassifier {
    let program = programs.program_mut(name).unwrap();
    program.try_into().unwrap()
}

/// The links at which programs run.
fn links(site: &Site) -> Vec<String> {
    let all = site.netns.ip("-br link").unwrap();
    let names = all.lines().filter_map(|line| line.split(['@', ' ']).next());
    names
        .filter(|name| *name == "contiv1" || name.starts_with("cv"))
        .map(str::to_owned)
        .collect()
}

/// Directions of connections that programs of layout 1 have seen.
fn old_flows(root: &Path) -> usize {
    let data = MapData::from_pin(root.join("v1/maps/flows")).unwrap();
    let map = HashMap::<_, [u8; 44], [u8; 40]>::try_from(Map::LruHashMap(data)).unwrap();
    map.keys().count()
}

/// Two containers: one takes TCP at port 8000 and UDP, the other nothing but answers.
fn guarded(attach: Attach) -> (Site, Container, Container) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    let allow = |number, protocol, port| PolicyRule {
        protocol: Some(protocol),
        ports: vec![port],
        ..incoming(number, 2, 20, Action::Allow)
    };
    let only = |port| PortRange {
        first: port,
        last: port,
    };
    let rules = vec![
        incoming(16, 1, 10, Action::Deny),
        incoming(17, 2, 10, Action::Deny),
        PolicyRule {
            keep_established: true,
            ..allow(18, 6, only(8000))
        },
        allow(19, 17, only(7000)),
        allow(20, 17, only(7001)),
    ];
    site.policy(DEFAULT, &[1, 2], rules);
    let (a, b) = (site.container(1, 1, 1), site.container(1, 2, 2));
    site.apply();
    site.stop();
    (site, a, b)
}

/// One side says something, the other one hears it.
fn says(from: &mut TcpStream, to: &mut TcpStream, what: &[u8]) {
    from.write_all(what).unwrap();
    let mut heard = vec![0; what.len()];
    to.set_read_timeout(Some(LONG)).unwrap();
    to.read_exact(&mut heard).unwrap();
    assert_eq!(heard, what);
}

fn open(
    from: &Container,
    to: SocketAddr,
    server: &std::net::TcpListener,
) -> (TcpStream, TcpStream) {
    let client = from.netns.tcp_open(to, LONG).unwrap();
    server.set_nonblocking(false).unwrap();
    (client, server.accept().unwrap().0)
}

fn connections_and_numbered_packets_outlive_the_layout(attach: Attach) {
    let (mut site, a, b) = guarded(attach);
    let root = site.options.pin_dir.clone();
    step_back(&site);
    let server = b.netns.tcp_listen(b.at(8000)).unwrap();
    let (mut client, mut accepted) = open(&a, b.at(8000), &server);
    says(&mut client, &mut accepted, b"before");
    let streams = [(&a.netns, 7000), (&site.netns, 7001)].map(|(from, port)| {
        let stream = Stream::start(from, &b.netns, &StreamSpec::to(b.at(port))).unwrap();
        stream.flows(50, LONG).unwrap();
        stream
    });
    assert!(old_flows(&root) >= 4, "programs of layout 1 run");

    site.start();
    assert!(!root.join("v1").exists(), "the old pins are gone");
    // Nothing was applied yet. The first packet is the answerer's, which may open nothing.
    says(&mut accepted, &mut client, b"after");
    says(&mut client, &mut accepted, b"after, too");
    assert_ne!(b.reaches(a.at(8000)), Reach::Open);
    assert_ne!(a.reaches(b.at(8001)), Reach::Open);
    let (mut late, mut accepted_late) = open(&a, b.at(8000), &server);
    says(&mut late, &mut accepted_late, b"opened after");
    site.apply();
    says(&mut accepted, &mut client, b"applied");
    for stream in streams {
        stream.flows(50, LONG).unwrap();
        let report = stream.stop();
        assert_eq!(report.lost, 0, "{report:?}");
    }
    // The rule that allowed it keeps what is established, since before this layout, too.
    site.policy(DEFAULT, &[1, 2], vec![incoming(21, 2, 10, Action::Deny)]);
    site.apply();
    says(&mut client, &mut accepted, b"kept");
    assert_ne!(a.reaches(b.at(8000)), Reach::Open);
    let usage = site.with(contiv_datapath::Plane::flow_use).unwrap();
    assert_eq!(usage.crowded.values().sum::<u64>(), 0, "{usage:?}");
}

fn what_an_agent_has_left_half_done_is_done_again(attach: Attach) {
    let (mut site, a, b) = guarded(attach);
    let root = site.options.pin_dir.clone();
    site.start();
    let facts = |site: &mut Site| {
        [&a, &b].map(|end| {
            let mut facts = site.facts(end);
            let drops = std::mem::take(&mut facts.drops);
            (facts, drops.into_values().sum::<u64>())
        })
    };
    let before = facts(&mut site);
    site.stop();
    step_back(&site);
    // An agent ended while it made maps aside, another one when they were in their place, with a
    // map of them gone again.
    for left in ["v2-part/maps", "v2/maps", "v2/links"] {
        fs::create_dir_all(root.join(left)).unwrap();
    }
    site.start();
    site.apply();
    for ((before, dropped), (after, drops)) in before.into_iter().zip(facts(&mut site)) {
        assert_eq!(before, after);
        assert!(drops >= dropped, "counters go on");
    }
    let mut left: Vec<_> = fs::read_dir(&root).unwrap().flatten().collect();
    assert_eq!(left.pop().unwrap().file_name(), "v2");
    assert!(left.is_empty(), "{left:?}");
    // Serials go on where they were.
    let c = site.container(1, 3, 1);
    let server = b.netns.tcp_listen(b.at(8000)).unwrap();
    let (mut client, mut accepted) = open(&c, b.at(8000), &server);
    says(&mut accepted, &mut client, b"welcome");
}
