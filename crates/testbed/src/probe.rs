//! Questions that one end of a network asks another.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result};
use std::io::ErrorKind;

use crate::Netns;

/// What became of a connection attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Somebody accepted it.
    Open,
    /// The target answered that nobody listens.
    Closed,
    /// No answer within the time-out: dropped on the way.
    Filtered,
    /// The way answered that there is no way (no route, or an ICMP error).
    Unreachable,
}

impl Netns {
    /// Tries a TCP connection and closes it at once.
    pub fn tcp_connect(&self, target: SocketAddr, limit: Duration) -> Result<Reach> {
        let result = self.enter(|| TcpStream::connect_timeout(&target, limit))?;
        match result {
            Ok(_) => Ok(Reach::Open),
            Err(error) => verdict(&error).with_context(|| format!("connect to {target}: {error}")),
        }
    }

    /// Opens a TCP connection and keeps it; reads and writes on it time out after `limit`.
    pub fn tcp_open(&self, target: SocketAddr, limit: Duration) -> Result<TcpStream> {
        let stream = self.enter(|| TcpStream::connect_timeout(&target, limit))?;
        let stream = stream.with_context(|| format!("connect to {target}"))?;
        stream.set_read_timeout(Some(limit))?;
        stream.set_write_timeout(Some(limit))?;
        Ok(stream)
    }

    /// Listens on a TCP address of the namespace.
    pub fn tcp_listen(&self, address: SocketAddr) -> Result<TcpListener> {
        self.enter(|| TcpListener::bind(address))?
            .with_context(|| format!("listen on {address}"))
    }

    /// Opens a UDP socket; port 0 takes a free one.
    pub fn udp_bind(&self, address: SocketAddr) -> Result<UdpSocket> {
        self.enter(|| UdpSocket::bind(address))?
            .with_context(|| format!("bind {address}"))
    }

    /// Sends a datagram and says whether the same bytes came back in time.
    pub fn udp_exchange(&self, target: SocketAddr, limit: Duration) -> Result<Reach> {
        let socket = self.udp_bind(any_for(target.ip()))?;
        socket
            .connect(target)
            .with_context(|| format!("route to {target}"))?;
        socket.set_read_timeout(Some(limit))?;
        let message = b"are you there?";
        let mut answer = [0; 64];
        match socket.send(message).and_then(|_| socket.recv(&mut answer)) {
            Ok(count) if &answer[..count] == message => Ok(Reach::Open),
            Ok(_) => Ok(Reach::Unreachable),
            Err(error) => verdict(&error).with_context(|| format!("ask {target}: {error}")),
        }
    }
}

pub(crate) fn verdict(error: &std::io::Error) -> Result<Reach> {
    match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => Ok(Reach::Closed),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Ok(Reach::Filtered),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Ok(Reach::Unreachable),
        _ if error.raw_os_error() == Some(libc::EACCES) => Ok(Reach::Unreachable),
        _ => Err(anyhow::anyhow!(
            "an error that says nothing about the network"
        )),
    }
}

/// Any address of the same family as `peer`, and any port.
pub(crate) fn any_for(peer: IpAddr) -> SocketAddr {
    match peer {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}
