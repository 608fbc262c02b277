//! The loads: one connection's stream, its round trips, connections a second,
//! and small datagrams. Each runs for a fixed time and prints one number.
//!
//! Client and server are started inside the network namespaces of the two
//! sides, by the bench itself.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

/// One way of loading a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Load {
    /// Gbit/s of one TCP connection.
    Stream,
    /// Microseconds of a one-byte request and its answer on one connection (median).
    RoundTrip,
    /// Connections a second, each with one request and one answer.
    Connect,
    /// Datagrams of 64 bytes a second that arrive.
    Datagram,
}

impl Load {
    pub const ALL: [Load; 4] = [Load::Stream, Load::RoundTrip, Load::Connect, Load::Datagram];

    pub fn port(self) -> u16 {
        match self {
            Load::Stream => 7001,
            Load::RoundTrip => 7002,
            Load::Connect => 7003,
            Load::Datagram => 7004,
        }
    }
}

/// Serves every load until the process is ended; says `ready` once all listen.
pub fn serve() -> Result<()> {
    let any = |load: Load| SocketAddr::from(([0, 0, 0, 0], load.port()));
    let stream = TcpListener::bind(any(Load::Stream)).context("bind the stream port")?;
    let trips = TcpListener::bind(any(Load::RoundTrip)).context("bind the round-trip port")?;
    let connects = TcpListener::bind(any(Load::Connect)).context("bind the connect port")?;
    let datagrams = UdpSocket::bind(any(Load::Datagram)).context("bind the datagram port")?;
    let workers = [
        std::thread::spawn(move || accept(&stream, swallow)),
        std::thread::spawn(move || accept(&trips, echo)),
        std::thread::spawn(move || connects.incoming().flatten().for_each(answer_once)),
        std::thread::spawn(move || count_datagrams(&datagrams)),
    ];
    println!("ready");
    for worker in workers {
        if worker.join().is_err() {
            bail!("a worker of the load server panicked");
        }
    }
    Ok(())
}

/// Loads `server` for `time` and returns the figure that [`Load`] names.
pub fn run(load: Load, server: IpAddr, time: Duration) -> Result<f64> {
    let address = SocketAddr::new(server, load.port());
    match load {
        Load::Stream => stream(address, time),
        Load::RoundTrip => round_trip(address, time),
        Load::Connect => connect(address, time),
        Load::Datagram => datagram(address, time),
    }
}

fn accept(listener: &TcpListener, serve: fn(TcpStream)) {
    for connection in listener.incoming().flatten() {
        std::thread::spawn(move || serve(connection));
    }
}

/// Reads to the end, then answers with the number of bytes that came.
fn swallow(mut connection: TcpStream) {
    let mut buffer = vec![0u8; 256 * 1024];
    let mut total = 0u64;
    loop {
        match connection.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => total += n as u64,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
    // The client may be gone; then nobody waits for the number.
    let _ = connection.write_all(&total.to_be_bytes());
}

fn echo(mut connection: TcpStream) {
    let _ = connection.set_nodelay(true);
    let mut byte = [0u8; 1];
    while connection.read_exact(&mut byte).is_ok() {
        if connection.write_all(&byte).is_err() {
            return;
        }
    }
}

fn answer_once(mut connection: TcpStream) {
    let mut byte = [0u8; 1];
    if connection.read_exact(&mut byte).is_ok() {
        let _ = connection.write_all(&byte);
    }
}

/// Counts datagrams; one that asks (first byte 1) is answered with the count, which starts anew.
fn count_datagrams(socket: &UdpSocket) {
    let mut buffer = [0u8; 2048];
    let mut count = 0u64;
    while let Ok((_, from)) = socket.recv_from(&mut buffer) {
        if buffer[0] == 1 {
            let _ = socket.send_to(&count.to_be_bytes(), from);
            count = 0;
        } else {
            count += 1;
        }
    }
}

fn stream(server: SocketAddr, time: Duration) -> Result<f64> {
    let mut connection = TcpStream::connect(server).context("connect for the stream")?;
    let buffer = vec![0u8; 128 * 1024];
    let start = Instant::now();
    while start.elapsed() < time {
        connection.write_all(&buffer)?;
    }
    connection.shutdown(std::net::Shutdown::Write)?;
    let mut total = [0u8; 8];
    connection.read_exact(&mut total).context("read the server's count")?;
    Ok(u64::from_be_bytes(total) as f64 * 8.0 / start.elapsed().as_secs_f64() / 1e9)
}

fn round_trip(server: SocketAddr, time: Duration) -> Result<f64> {
    let mut connection = TcpStream::connect(server).context("connect for round trips")?;
    connection.set_nodelay(true)?;
    let mut byte = [0u8; 1];
    let mut trips = Vec::with_capacity(200_000);
    let start = Instant::now();
    while start.elapsed() < time {
        let sent = Instant::now();
        connection.write_all(&byte)?;
        connection.read_exact(&mut byte)?;
        trips.push(sent.elapsed().as_secs_f64() * 1e6);
    }
    Ok(crate::stats::median(&trips))
}

fn connect(server: SocketAddr, time: Duration) -> Result<f64> {
    let mut byte = [0u8; 1];
    let mut count = 0u64;
    let start = Instant::now();
    while start.elapsed() < time {
        let mut connection = TcpStream::connect(server).context("connect")?;
        connection.write_all(&byte)?;
        connection.read_exact(&mut byte)?;
        // The server has closed or will: its end of the tuple waits, not ours.
        let mut rest = [0u8; 1];
        while connection.read(&mut rest)? != 0 {}
        count += 1;
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

/// Sends as fast as one thread can, 64 datagrams a system call.
#[allow(unsafe_code, reason = "sendmmsg has no safe wrapper that keeps its vectors between calls")]
fn datagram(server: SocketAddr, time: Duration) -> Result<f64> {
    const BATCH: usize = 64;
    let socket = UdpSocket::bind(("0.0.0.0", 0))?;
    socket.connect(server)?;
    ask_count(&socket)?;
    let mut payload = [0u8; 64];
    let mut vector = libc::iovec { iov_base: payload.as_mut_ptr().cast(), iov_len: payload.len() };
    // SAFETY: an all-zero mmsghdr is a valid empty message.
    let mut messages: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
    for message in &mut messages {
        message.msg_hdr.msg_iov = &raw mut vector;
        message.msg_hdr.msg_iovlen = 1;
    }
    let start = Instant::now();
    while start.elapsed() < time {
        // SAFETY: `messages`, `vector` and `payload` live to the end of this function.
        let sent = unsafe {
            libc::sendmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), BATCH as libc::c_uint, 0)
        };
        if sent < 0 {
            let error = std::io::Error::last_os_error();
            if !matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::EAGAIN)) {
                return Err(error).context("send datagrams");
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok(ask_count(&socket)? as f64 / seconds)
}

/// Asks until an answer comes: the question itself may be lost behind a full queue.
fn ask_count(socket: &UdpSocket) -> Result<u64> {
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    for _ in 0..25 {
        socket.send(&[1])?;
        let mut count = [0u8; 8];
        if matches!(socket.recv(&mut count), Ok(8)) {
            return Ok(u64::from_be_bytes(count));
        }
    }
    bail!("the load server at {:?} does not answer", socket.peer_addr())
}
