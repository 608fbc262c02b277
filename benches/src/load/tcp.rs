//! One stream, round trips on one connection, and connections one after the other.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{Ends, LIMIT, is_silence, look_now_and_then, side_by_side};
use crate::stats::median;

pub(super) fn stream(ends: &Ends, target: SocketAddr, time: Duration) -> Result<f64> {
    let listener = listen(ends, target)?;
    let (figure, ()) = side_by_side(
        &ends.client,
        |over| swallow(&accept(&listener, over)?),
        || {
            let mut connection = open(target)?;
            let block = vec![0_u8; 128 * 1024];
            let start = Instant::now();
            while start.elapsed() < time {
                connection.write_all(&block)?;
            }
            Ok(connection.shutdown(Shutdown::Write)?)
        },
    )?;
    Ok(figure)
}

pub(super) fn round_trip(ends: &Ends, target: SocketAddr, time: Duration) -> Result<f64> {
    let listener = listen(ends, target)?;
    let ((), figure) = side_by_side(
        &ends.client,
        |over| {
            let mut connection = accept(&listener, over)?;
            let mut byte = [0; 1];
            while connection.read_exact(&mut byte).is_ok() {
                connection.write_all(&byte)?;
            }
            Ok(())
        },
        || {
            let mut connection = open(target)?;
            let mut byte = [0; 1];
            let mut trips = Vec::with_capacity(100_000);
            let start = Instant::now();
            while start.elapsed() < time {
                let sent = Instant::now();
                connection.write_all(&byte)?;
                connection.read_exact(&mut byte)?;
                trips.push(sent.elapsed().as_secs_f64() * 1e6);
            }
            Ok(median(&trips))
        },
    )?;
    Ok(figure)
}

/// The server closes first: its port waits in TIME_WAIT, and the client's ports do not run out.
pub(super) fn connect(ends: &Ends, target: SocketAddr, time: Duration) -> Result<f64> {
    let listener = listen(ends, target)?;
    let ((), figure) = side_by_side(
        &ends.client,
        |over| {
            let mut byte = [0; 1];
            while let Ok(mut connection) = accept(&listener, over) {
                connection.read_exact(&mut byte)?;
                connection.write_all(&byte)?;
            }
            Ok(())
        },
        || {
            let mut count = 0_u64;
            let mut byte = [0; 1];
            let start = Instant::now();
            while start.elapsed() < time {
                let mut connection = open(target)?;
                connection.write_all(&byte)?;
                connection.read_exact(&mut byte)?;
                if connection.read(&mut byte)? != 0 {
                    bail!("more than the answer came back");
                }
                count += 1;
            }
            Ok(count as f64 / start.elapsed().as_secs_f64())
        },
    )?;
    Ok(figure)
}

fn listen(ends: &Ends, target: SocketAddr) -> Result<TcpListener> {
    let listener = ends.server.tcp_listen(target)?;
    look_now_and_then(&listener)?;
    Ok(listener)
}

/// Opens a connection from the calling thread's namespace.
fn open(target: SocketAddr) -> Result<TcpStream> {
    let connection = TcpStream::connect_timeout(&target, LIMIT).context("connect")?;
    prepare(&connection)?;
    Ok(connection)
}

fn prepare(connection: &TcpStream) -> Result<()> {
    connection.set_nodelay(true)?;
    connection.set_read_timeout(Some(LIMIT))?;
    Ok(connection.set_write_timeout(Some(LIMIT))?)
}

/// Waits for the next connection, until the load is over.
fn accept(listener: &TcpListener, over: &AtomicBool) -> Result<TcpStream> {
    loop {
        match listener.accept() {
            Ok((connection, _)) => {
                prepare(&connection)?;
                return Ok(connection);
            }
            Err(error) if is_silence(&error) && over.load(Ordering::Relaxed) => {
                bail!("nobody connected")
            }
            Err(error) if is_silence(&error) => {}
            Err(error) => return Err(error).context("accept"),
        }
    }
}

/// Reads to the end and returns Gbit/s, by the receiver's clock.
fn swallow(mut connection: &TcpStream) -> Result<f64> {
    let mut buffer = vec![0; 256 * 1024];
    let mut total = 0_u64;
    let start = Instant::now();
    loop {
        match connection.read(&mut buffer)? {
            0 => break,
            count => total += count as u64,
        }
    }
    Ok(total as f64 * 8.0 / start.elapsed().as_secs_f64() / 1e9)
}
