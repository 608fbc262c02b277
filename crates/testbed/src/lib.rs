//! Hosts on one machine: the proof's hands, used by tests and benchmarks only.
//!
//! A [`Host`] is a network, mount, process and host-name namespace held by one process that ends
//! with the test, however the test ends; whatever ran in it ends with it. An [`Engine`] is a real
//! Docker engine in a host, a [`Stack`] all of Contiv beside one, a [`Cluster`] several hosts that
//! have joined each other's masters, a [`World`] the underlay that they reach by their `eth0`. A
//! [`Netns`] is any network namespace (a host's, a container's, a bare one) and is where probes
//! start: connections, echo servers, pings, numbered packets ([`Stream`]) and raw frames
//! ([`FrameSocket`]). A [`Relay`] stands between engine and driver, an [`Etcd`] is a cluster of real
//! members, and a [`Watch`] tells what a process does, or ends it before it does.
//!
//! Nothing here touches the machine's own network namespace. All of it needs root.
#![allow(
    unsafe_code,
    reason = "namespaces, fork and packet sockets are system calls"
)]

mod cgroups;
mod cluster;
mod container;
mod daemon;
mod echo;
mod engine;
mod etcd;
mod exit;
mod frames;
mod holder;
mod host;
mod http;
mod image;
mod maps;
mod netns;
mod ping;
mod probe;
mod relay;
mod stack;
mod steps;
mod stream;
mod survey;
mod sweep;
mod version;
mod wait;
mod world;

pub use cluster::{Cluster, Node};
pub use container::{Attachment, Container};
pub use daemon::Daemon;
pub use echo::{TcpEcho, UdpEcho};
pub use engine::{Engine, EngineOptions};
pub use etcd::Etcd;
pub use exit::at_exit;
pub use frames::FrameSocket;
pub use host::{Host, bin};
pub use http::{Reply, unix_request};
pub use image::{BUSYBOX_IMAGE, busybox_tree};
pub use maps::{KernelMap, map_entries};
pub use netns::Netns;
pub use ping::Pings;
pub use probe::Reach;
pub use relay::{Relay, Side};
pub use stack::Stack;
pub use steps::{Step, Watch};
pub use stream::{Stream, StreamReport, StreamSpec};
pub use survey::{Ask, Post, survey};
pub use sweep::sweep;
pub use version::Version;
pub use wait::wait_for;
pub use world::World;
