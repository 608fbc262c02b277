//! Many questions at once: who is answered by whom, by TCP, UDP and echo requests.
//!
//! One thread asks and answers all of it, so that hundreds of questions of dozens of namespaces
//! take no longer than the silence that says that one of them was not heard.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, SockaddrStorage, connect, recv, send, socket,
};

use crate::Netns;
use crate::probe::{Reach, any_for, verdict};

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ask {
    /// A new connection.
    Tcp(SocketAddr),
    /// A datagram, from any port or from one, which then goes on with an earlier conversation.
    Udp(SocketAddr, Option<u16>),
    /// An echo request.
    Ping(IpAddr),
}

/// Ports of a namespace that answer while a [`survey`] is made.
#[derive(Debug)]
pub struct Post {
    tcp: Vec<TcpListener>,
    udp: Vec<UdpSocket>,
}

impl Netns {
    /// Answers on these ports, by TCP and UDP; an unspecified IPv6 address stands for both
    /// families.
    pub fn post(&self, address: IpAddr, ports: &[u16]) -> Result<Post> {
        let (mut tcp, mut udp) = (Vec::new(), Vec::new());
        for port in ports {
            let listener = self.tcp_listen((address, *port).into())?;
            listener.set_nonblocking(true)?;
            tcp.push(listener);
            let socket = self.udp_bind((address, *port).into())?;
            socket.set_nonblocking(true)?;
            udp.push(socket);
        }
        Ok(Post { tcp, udp })
    }
}

impl Post {
    fn serve(&self) {
        let mut buffer = [0; 256];
        for socket in &self.udp {
            while let Ok((count, peer)) = socket.recv_from(&mut buffer) {
                socket.send_to(&buffer[..count], peer).ok();
            }
        }
        for listener in &self.tcp {
            while listener.accept().is_ok() {}
        }
    }
}

/// A question on its way.
enum Pending {
    Tcp(TcpStream),
    Udp(UdpSocket),
    Ping(OwnedFd, Echo),
}

/// An echo request's marks.
#[derive(Clone, Copy)]
struct Echo {
    id: u16,
    v6: bool,
}

/// Asks everything at the same time; what is not answered within `patience` is [`Reach::Filtered`].
pub fn survey(asks: &[(&Netns, Ask)], posts: &[&Post], patience: Duration) -> Result<Vec<Reach>> {
    let mut places: BTreeMap<i32, (&Netns, Vec<usize>)> = BTreeMap::new();
    for (index, (netns, _)) in asks.iter().enumerate() {
        let place = places.entry(netns.as_fd().as_raw_fd());
        place.or_insert((netns, Vec::new())).1.push(index);
    }
    let mut answers: Vec<Option<Reach>> = vec![None; asks.len()];
    let mut pending: BTreeMap<usize, Pending> = BTreeMap::new();
    let deadline = Instant::now() + patience;
    for (netns, indices) in places.into_values() {
        let sent = netns.enter(|| {
            indices
                .into_iter()
                .map(|i| (i, Pending::send(asks[i].1)))
                .collect::<Vec<_>>()
        })?;
        for (index, outcome) in sent {
            match outcome {
                Ok(question) => drop(pending.insert(index, question)),
                Err(error) => {
                    let reach =
                        verdict(&error).with_context(|| format!("{:?}: {error}", asks[index].1))?;
                    answers[index] = Some(reach);
                }
            }
        }
    }
    while !pending.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let served = posts.iter().flat_map(|post| {
            let tcp = post.tcp.iter().map(AsRawFd::as_raw_fd);
            tcp.chain(post.udp.iter().map(AsRawFd::as_raw_fd))
        });
        let mut watched: Vec<libc::pollfd> = served.map(|fd| watch(fd, libc::POLLIN)).collect();
        let own = watched.len();
        watched.extend(pending.values().map(Pending::watch));
        wait(&mut watched, left);
        for post in posts {
            post.serve();
        }
        let ready: Vec<usize> = pending
            .keys()
            .zip(&watched[own..])
            .filter(|(_, fd)| fd.revents != 0)
            .map(|(index, _)| *index)
            .collect();
        for index in ready {
            if let Some(reach) = pending[&index].answer() {
                answers[index] = Some(reach);
                pending.remove(&index);
            }
        }
    }
    let silent = |answer: Option<Reach>| answer.unwrap_or(Reach::Filtered);
    Ok(answers.into_iter().map(silent).collect())
}

impl Pending {
    /// Sends the question from the calling thread's namespace.
    fn send(ask: Ask) -> std::io::Result<Pending> {
        match ask {
            Ask::Tcp(target) => {
                let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
                let family = family(target.ip());
                let fd = socket(family, SockType::Stream, flags, None)?;
                match connect(fd.as_raw_fd(), &SockaddrStorage::from(target)) {
                    Ok(()) | Err(Errno::EINPROGRESS) => Ok(Pending::Tcp(fd.into())),
                    Err(error) => Err(error.into()),
                }
            }
            Ask::Udp(target, port) => {
                let mut own = any_for(target.ip());
                own.set_port(port.unwrap_or(0));
                let socket = UdpSocket::bind(own)?;
                socket.set_nonblocking(true)?;
                socket.connect(target)?;
                socket.send(b"are you there?")?;
                Ok(Pending::Udp(socket))
            }
            Ask::Ping(target) => {
                static NEXT: AtomicU16 = AtomicU16::new(1);
                let (id, v6) = (NEXT.fetch_add(1, Ordering::Relaxed), target.is_ipv6());
                let protocol = if v6 {
                    SockProtocol::IcmpV6
                } else {
                    SockProtocol::Icmp
                };
                let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
                let fd = socket(family(target), SockType::Raw, flags, protocol)?;
                connect(
                    fd.as_raw_fd(),
                    &SockaddrStorage::from(SocketAddr::from((target, 0))),
                )?;
                let echo = Echo { id, v6 };
                send(
                    fd.as_raw_fd(),
                    &echo.request(),
                    nix::sys::socket::MsgFlags::empty(),
                )?;
                Ok(Pending::Ping(fd, echo))
            }
        }
    }

    fn watch(&self) -> libc::pollfd {
        match self {
            Pending::Tcp(stream) => watch(stream.as_raw_fd(), libc::POLLOUT),
            Pending::Udp(socket) => watch(socket.as_raw_fd(), libc::POLLIN),
            Pending::Ping(fd, _) => watch(fd.as_raw_fd(), libc::POLLIN),
        }
    }

    /// What came back; none when it was no answer to this question.
    fn answer(&self) -> Option<Reach> {
        let mut buffer = [0; 256];
        match self {
            Pending::Tcp(stream) => match stream.take_error() {
                Ok(None) => Some(Reach::Open),
                Ok(Some(error)) | Err(error) => verdict(&error).ok(),
            },
            Pending::Udp(socket) => match socket.recv(&mut buffer) {
                Ok(_) => Some(Reach::Open),
                Err(error) if error.kind() == ErrorKind::WouldBlock => None,
                Err(error) => verdict(&error).ok(),
            },
            Pending::Ping(fd, echo) => loop {
                let flags = nix::sys::socket::MsgFlags::empty();
                match recv(fd.as_raw_fd(), &mut buffer, flags) {
                    Ok(count) if echo.is_answered_by(&buffer[..count]) => return Some(Reach::Open),
                    Ok(_) => {}
                    Err(Errno::EAGAIN) => return None,
                    Err(error) => return verdict(&error.into()).ok(),
                }
            },
        }
    }
}

impl Echo {
    /// For IPv6 the kernel adds the checksum, which covers addresses.
    fn request(self) -> [u8; 8] {
        let [high, low] = self.id.to_be_bytes();
        if self.v6 {
            return [128, 0, 0, 0, high, low, 0, 1];
        }
        let sum = 0x0800_u32 + u32::from(self.id) + 1;
        let [first, second] = (!(((sum & 0xffff) + (sum >> 16)) as u16)).to_be_bytes();
        [8, 0, first, second, high, low, 0, 1]
    }

    /// IPv4 packets come with their header.
    fn is_answered_by(self, packet: &[u8]) -> bool {
        let header = match (self.v6, packet.first()) {
            (false, Some(first)) => usize::from(first & 0x0f) * 4,
            _ => 0,
        };
        let kind = if self.v6 { 129 } else { 0 };
        packet.get(header) == Some(&kind)
            && packet.get(header + 4..header + 6) == Some(&self.id.to_be_bytes()[..])
    }
}

fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

fn watch(fd: i32, events: libc::c_short) -> libc::pollfd {
    libc::pollfd {
        fd,
        events,
        revents: 0,
    }
}

/// Until one of them is ready, or for this long.
fn wait(watched: &mut [libc::pollfd], limit: Duration) {
    let milliseconds = limit.as_millis().clamp(1, 60_000) as libc::c_int;
    // SAFETY: the slice is valid for reads and writes, and its length is passed along.
    unsafe {
        libc::poll(
            watched.as_mut_ptr(),
            watched.len() as libc::nfds_t,
            milliseconds,
        )
    };
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn open_closed_and_silent_ends_are_told_apart() {
        let (asking, asked) = (Netns::new().unwrap(), Netns::new().unwrap());
        asking.veth("there", &asked, "here").unwrap();
        for (end, link, last) in [(&asking, "there", 1), (&asked, "here", 2)] {
            end.ip(&format!("addr add 192.0.2.{last}/24 dev {link}"))
                .unwrap();
            end.ip(&format!("addr add fd00::{last}/64 dev {link} nodad"))
                .unwrap();
        }
        let post = asked.post(Ipv6Addr::UNSPECIFIED.into(), &[80]).unwrap();
        let v4: IpAddr = [192, 0, 2, 2].into();
        let v6: IpAddr = "fd00::2".parse().unwrap();
        let nobody: IpAddr = Ipv4Addr::new(192, 0, 2, 3).into();
        let nowhere: IpAddr = Ipv4Addr::new(203, 0, 113, 1).into();
        let mut asks = Vec::new();
        let mut expected = Vec::new();
        for (ip, own) in [(v4, 4004), (v6, 4006)] {
            asks.extend([
                Ask::Tcp((ip, 80).into()),
                Ask::Tcp((ip, 81).into()),
                Ask::Udp((ip, 80).into(), None),
                Ask::Udp((ip, 80).into(), Some(own)),
                Ask::Udp((ip, 81).into(), None),
                Ask::Ping(ip),
            ]);
            expected.extend([Reach::Open, Reach::Closed, Reach::Open, Reach::Open]);
            expected.extend([Reach::Closed, Reach::Open]);
        }
        asks.extend([
            Ask::Tcp((nobody, 80).into()),
            Ask::Ping(nobody),
            Ask::Ping(nowhere),
        ]);
        expected.extend([Reach::Filtered, Reach::Filtered, Reach::Unreachable]);
        let asks: Vec<_> = asks.into_iter().map(|ask| (&asking, ask)).collect();
        // A link that has just come up learns its neighbours first.
        let seen = crate::wait_for(Duration::from_secs(5), "the answers", || {
            let answers = survey(&asks, &[&post], Duration::from_millis(300))?;
            anyhow::ensure!(answers == expected, "{answers:?}");
            anyhow::Ok(())
        });
        seen.unwrap();
    }
}
