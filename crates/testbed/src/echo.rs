//! Servers that send back what they receive.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;

use crate::Netns;
use crate::wait::pause;

/// How often a server looks whether it should end.
const LOOK: Duration = Duration::from_millis(50);

/// A TCP server that echoes every connection until it is dropped.
#[derive(Debug)]
pub struct TcpEcho {
    address: SocketAddr,
    accepted: Arc<AtomicU64>,
    server: Server,
}

/// A UDP server that echoes every datagram until it is dropped.
#[derive(Debug)]
pub struct UdpEcho {
    address: SocketAddr,
    server: Server,
}

/// A thread that ends with its value.
#[derive(Debug)]
struct Server {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Netns {
    /// Starts a TCP echo server; port 0 takes a free one.
    pub fn tcp_echo(&self, address: SocketAddr) -> Result<TcpEcho> {
        let listener = self.tcp_listen(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let accepted = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&accepted);
        let server = Server::start(move |stop| accept(&listener, &stop, &count));
        Ok(TcpEcho {
            address,
            accepted,
            server,
        })
    }

    /// Starts a UDP echo server; port 0 takes a free one.
    pub fn udp_echo(&self, address: SocketAddr) -> Result<UdpEcho> {
        let socket = self.udp_bind(address)?;
        socket.set_read_timeout(Some(LOOK))?;
        let address = socket.local_addr()?;
        let server = Server::start(move |stop| echo_datagrams(&socket, &stop));
        Ok(UdpEcho { address, server })
    }
}

impl TcpEcho {
    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were accepted so far.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Ends the server and its connections.
    pub fn stop(self) {
        drop(self.server);
    }
}

impl UdpEcho {
    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends the server.
    pub fn stop(self) {
        drop(self.server);
    }
}

impl Server {
    fn start(run: impl FnOnce(Arc<AtomicBool>) + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        Self {
            stop,
            thread: Some(std::thread::spawn(move || run(flag))),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn accept(listener: &TcpListener, stop: &Arc<AtomicBool>, count: &AtomicU64) {
    while !stop.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => {
                count.fetch_add(1, Ordering::Relaxed);
                let stop = Arc::clone(stop);
                std::thread::spawn(move || echo_stream(stream, &stop));
            }
            Err(_) => pause(Duration::from_millis(2)),
        }
    }
}

fn echo_stream(mut stream: TcpStream, stop: &AtomicBool) {
    let ready = stream
        .set_nonblocking(false)
        .and(stream.set_read_timeout(Some(LOOK)));
    if ready.is_err() {
        return;
    }
    let mut buffer = [0; 16 * 1024];
    while !stop.load(Ordering::Relaxed) {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) if stream.write_all(&buffer[..count]).is_ok() => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            _ => return,
        }
    }
}

fn echo_datagrams(socket: &UdpSocket, stop: &AtomicBool) {
    let mut buffer = [0; 64 * 1024];
    while !stop.load(Ordering::Relaxed) {
        if let Ok((count, peer)) = socket.recv_from(&mut buffer) {
            socket.send_to(&buffer[..count], peer).ok();
        }
    }
}
