//! A container in a story: whom it reaches, and who does not hear of it.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use contiv_testbed::{Container, Netns, Reach, TcpEcho, UdpEcho, wait_for};

/// How long an answer may take on a busy machine.
const ANSWER: Duration = Duration::from_secs(3);

/// How long no answer is waited for.
const SILENCE: Duration = Duration::from_millis(600);

/// How long a change may take to be felt.
const SOON: Duration = Duration::from_secs(5);

/// A running container and its place in one network.
#[derive(Debug)]
pub(crate) struct Actor {
    pub(crate) name: String,
    pub(crate) ip: IpAddr,
    pub(crate) ipv6: Option<IpAddr>,
    pub(crate) mac: String,
    pub(crate) netns: Netns,
    pub(crate) container: Container,
}

impl Actor {
    pub(crate) fn of(container: Container, network: &str) -> Result<Self> {
        let end = container.networks.get(network);
        let end = end.with_context(|| format!("{} is not on {network}", container.name))?;
        Ok(Self {
            name: container.name.clone(),
            ip: container.ip_on(network)?,
            ipv6: end.ipv6.map(IpAddr::from),
            mac: end.mac.clone(),
            netns: container.netns()?,
            container,
        })
    }

    /// Every echo request to `target` is answered.
    pub(crate) fn pings(&self, target: IpAddr) -> Result<()> {
        reaches(&self.netns, &self.name, target)
    }

    /// No echo request to `target` is answered.
    pub(crate) fn pings_in_vain(&self, target: IpAddr) -> Result<()> {
        let pings = self.netns.ping(target, 1)?;
        ensure!(
            pings.received == 0,
            "{} got an answer from {target}, which it should not reach",
            self.name
        );
        Ok(())
    }

    /// Soon no echo request to `target` is answered any more.
    pub(crate) fn soon_pings_in_vain(&self, target: IpAddr) -> Result<()> {
        let what = format!("{} not to reach {target}", self.name);
        wait_for(SOON, &what, || self.pings_in_vain(target))
    }

    /// Soon echo requests to `target` are answered.
    pub(crate) fn soon_pings(&self, target: IpAddr) -> Result<()> {
        let what = format!("{} to reach {target}", self.name);
        wait_for(SOON, &what, || self.pings(target))
    }

    /// Answers TCP connections to `port` on every address.
    pub(crate) fn listens(&self, port: u16) -> Result<TcpEcho> {
        self.netns.tcp_echo(any(self.ip, port))
    }

    /// Answers datagrams to `port` on its address.
    pub(crate) fn answers(&self, port: u16) -> Result<UdpEcho> {
        self.netns.udp_echo((self.ip, port).into())
    }

    /// A TCP connection to `port` of `ip` is accepted, at once.
    pub(crate) fn connects(&self, ip: IpAddr, port: u16) -> Result<()> {
        accepted(&self.netns, &self.name, (ip, port).into())
    }

    /// A TCP connection is neither accepted nor refused: packets vanish.
    pub(crate) fn is_barred(&self, ip: IpAddr, port: u16) -> Result<()> {
        barred(&self.netns, &self.name, (ip, port).into())
    }

    /// Soon a TCP connection is accepted.
    pub(crate) fn soon_connects(&self, ip: IpAddr, port: u16) -> Result<()> {
        let what = format!("{} to be let through to {ip}:{port}", self.name);
        wait_for(SOON, &what, || self.connects(ip, port))
    }

    /// Soon a TCP connection is neither accepted nor refused.
    pub(crate) fn soon_is_barred(&self, ip: IpAddr, port: u16) -> Result<()> {
        let what = format!("{} to be barred from {ip}:{port}", self.name);
        wait_for(SOON, &what, || self.is_barred(ip, port))
    }

    /// A datagram comes back.
    pub(crate) fn asks(&self, ip: IpAddr, port: u16) -> Result<()> {
        let reach = self.netns.udp_exchange((ip, port).into(), ANSWER)?;
        ensure!(
            reach == Reach::Open,
            "{}: udp to {ip}:{port}: {reach:?}",
            self.name
        );
        Ok(())
    }

    /// A datagram vanishes, or its answer does.
    pub(crate) fn asks_in_vain(&self, ip: IpAddr, port: u16) -> Result<()> {
        let reach = self.netns.udp_exchange((ip, port).into(), SILENCE)?;
        let silent = matches!(reach, Reach::Filtered | Reach::Unreachable);
        ensure!(silent, "{}: udp to {ip}:{port}: {reach:?}", self.name);
        Ok(())
    }

    /// Opens a connection and keeps it.
    pub(crate) fn talks_to(&self, ip: IpAddr, port: u16) -> Result<Talk> {
        Talk::open(&self.netns, (ip, port).into())
    }
}

/// An open connection to a server that echoes.
#[derive(Debug)]
pub(crate) struct Talk(TcpStream);

impl Talk {
    pub(crate) fn open(from: &Netns, target: SocketAddr) -> Result<Self> {
        Ok(Self(from.tcp_open(target, ANSWER)?))
    }

    /// What is said comes back.
    pub(crate) fn is_heard(&mut self) -> Result<()> {
        self.0.set_read_timeout(Some(ANSWER))?;
        self.0.write_all(b"hello?")?;
        let mut answer = [0; 6];
        self.0.read_exact(&mut answer).context("no answer")?;
        ensure!(&answer == b"hello?", "a strange answer");
        Ok(())
    }

    /// What is said does not come back.
    pub(crate) fn is_cut(&mut self) -> Result<()> {
        self.0.set_read_timeout(Some(SILENCE))?;
        self.0.write_all(b"hello?").ok();
        let mut answer = [0; 6];
        match self.0.read_exact(&mut answer) {
            Err(_) => Ok(()),
            Ok(()) => anyhow::bail!("the connection goes on"),
        }
    }
}

/// Each of them reaches each other one, by every address that both can use.
pub(crate) fn all_reach_each_other(actors: &[Actor]) -> Result<()> {
    let pairs: Vec<_> = actors
        .iter()
        .flat_map(|from| actors.iter().map(move |to| (from, to)))
        .filter(|(from, to)| from.name != to.name)
        .collect();
    all_reach(&pairs)
}

/// Each first one reaches the second, by every address that both can use.
pub(crate) fn all_reach(pairs: &[(&Actor, &Actor)]) -> Result<()> {
    at_once(&ways(pairs), |(from, to)| from.pings(*to))
}

/// No first one reaches the second, by any address that both could use.
pub(crate) fn none_reaches(pairs: &[(&Actor, &Actor)]) -> Result<()> {
    at_once(&ways(pairs), |(from, to)| from.pings_in_vain(*to))
}

fn ways<'a>(pairs: &[(&'a Actor, &Actor)]) -> Vec<(&'a Actor, IpAddr)> {
    pairs
        .iter()
        .flat_map(|(from, to)| between(from, to))
        .collect()
}

/// The addresses by which one may ask the other.
fn between<'a>(from: &'a Actor, to: &Actor) -> Vec<(&'a Actor, IpAddr)> {
    let ipv6 = to.ipv6.filter(|_| from.ipv6.is_some());
    [Some(to.ip), ipv6]
        .into_iter()
        .flatten()
        .map(|ip| (from, ip))
        .collect()
}

/// Does the same for all of them at the same time; the first failure counts.
pub(crate) fn at_once<T: Sync>(all: &[T], act: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
    let act = &act;
    std::thread::scope(|scope| {
        let threads: Vec<_> = all
            .iter()
            .map(|one| scope.spawn(move || act(one)))
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().expect("a thread that does not panic"))
    })
}

/// Every echo request from a namespace is answered.
pub(crate) fn reaches(from: &Netns, name: &str, target: IpAddr) -> Result<()> {
    let pings = from.ping(target, 2)?;
    ensure!(pings.all(), "{name} does not reach {target}: {pings:?}");
    Ok(())
}

/// A TCP connection from a namespace is accepted.
pub(crate) fn accepted(from: &Netns, name: &str, target: SocketAddr) -> Result<()> {
    let reach = from.tcp_connect(target, ANSWER)?;
    ensure!(reach == Reach::Open, "{name}: tcp to {target}: {reach:?}");
    Ok(())
}

/// A TCP connection from a namespace is neither accepted nor refused.
pub(crate) fn barred(from: &Netns, name: &str, target: SocketAddr) -> Result<()> {
    let reach = from.tcp_connect(target, SILENCE)?;
    // A refusal by the far end means that a packet got there.
    let silent = matches!(reach, Reach::Filtered | Reach::Unreachable);
    ensure!(silent, "{name}: tcp to {target}: {reach:?}");
    Ok(())
}

/// Every address of the family of `like`.
pub(crate) fn any(like: IpAddr, port: u16) -> SocketAddr {
    match like {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, port).into(),
        IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, port).into(),
    }
}
