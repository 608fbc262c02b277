//! A relay between an engine and its driver, which counts calls and can hold one.
//!
//! A call that is held has either not reached the driver yet, or has been answered by it without
//! the engine hearing so. An engine killed at that time died between two calls.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::wait::pause;
use crate::{Host, wait_for};

/// Where the engine looks for drivers, inside the host.
const DRIVERS: &str = "/run/docker/plugins";

/// How often the relay looks whether it should end.
const LOOK: Duration = Duration::from_millis(5);

/// Which side of the driver's work a call is held at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The driver has not seen the call.
    Before,
    /// The driver has answered, and the engine has not heard.
    After,
}

/// A relay in the place of a driver's socket; the socket returns to its place with the end of it.
#[derive(Debug)]
pub struct Relay {
    shared: Arc<Shared>,
    front: PathBuf,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    back: PathBuf,
    stop: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Every call so far, without the leading slash.
    calls: Vec<String>,
    hold: Option<(String, Side)>,
    held: bool,
}

impl Relay {
    /// Moves the socket of `driver` aside and takes its place. Connections that the engine has
    /// already are not relayed: start before its first call, or restart the engine.
    pub fn start(host: &Host, driver: &str) -> Result<Self> {
        let front = host.path(format!("{DRIVERS}/{driver}.sock"));
        let back = host.path(format!("/run/docker/{driver}.behind.sock"));
        fs::rename(&front, &back).context("move the driver's socket aside")?;
        let listener = UnixListener::bind(&front).context("take the driver's place")?;
        listener.set_nonblocking(true)?;
        let shared = Arc::new(Shared {
            back,
            stop: AtomicBool::new(false),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        let thread = std::thread::spawn(move || accept(&listener, &accepting));
        Ok(Self {
            shared,
            front,
            thread: Some(thread),
        })
    }

    /// Holds the next call of this name, such as `NetworkDriver.Join`.
    pub fn hold(&self, call: &str, side: Side) {
        self.shared.state().hold = Some((call.to_owned(), side));
    }

    /// Waits until the call is held.
    pub fn until_held(&self, limit: Duration) -> Result<()> {
        wait_for(limit, "a call to be held", || {
            let state = self.shared.state();
            match state.held {
                true => Ok(()),
                false => Err(format!("calls so far: {:?}", state.calls)),
            }
        })
    }

    /// Breaks off the held call's connection and holds nothing from now on.
    pub fn release(&self) {
        let mut state = self.shared.state();
        state.hold = None;
        state.held = false;
        drop(state);
        self.shared.changed.notify_all();
    }

    /// The calls so far, in order.
    pub fn calls(&self) -> Vec<String> {
        self.shared.state().calls.clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.release();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
        fs::rename(&self.shared.back, &self.front).ok();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds the call if it is the one; afterwards its connection is of no use.
    fn was_held(&self, call: &str, side: Side) -> bool {
        let mut state = self.state();
        let wanted = |state: &State| {
            let hold = state.hold.as_ref();
            hold.is_some_and(|(name, at)| name == call && *at == side)
        };
        if state.held || !wanted(&state) {
            return false;
        }
        state.held = true;
        while state.held {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        true
    }
}

fn accept(listener: &UnixListener, shared: &Arc<Shared>) {
    while !shared.stop.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((engine, _)) => {
                let shared = Arc::clone(shared);
                // Ends with the engine's connection.
                std::thread::spawn(move || {
                    engine.set_nonblocking(false).ok();
                    relay(&engine, &shared)
                });
            }
            Err(_) => pause(LOOK),
        }
    }
}

/// Passes on one call after the other until the engine hangs up. A failure towards the driver
/// ends the connection, which the engine takes as it would a driver that is away.
fn relay(engine: &UnixStream, shared: &Shared) -> Option<()> {
    let mut requests = BufReader::new(engine);
    loop {
        let (first, request) = read_message(&mut requests)?;
        let call = first.split(' ').nth(1)?.trim_start_matches('/').to_owned();
        shared.state().calls.push(call.clone());
        if shared.was_held(&call, Side::Before) {
            return None;
        }
        let mut driver = UnixStream::connect(&shared.back).ok()?;
        driver.write_all(&request).ok()?;
        let (_, answer) = read_message(&mut BufReader::new(&driver))?;
        if shared.was_held(&call, Side::After) {
            return None;
        }
        let mut engine = engine;
        engine.write_all(&answer).ok()?;
    }
}

/// One HTTP message: its first line, and all of it as it came.
fn read_message(input: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let (mut first, mut bytes, mut length) = (String::new(), Vec::new(), 0);
    loop {
        let mut line = String::new();
        if input.read_line(&mut line).ok()? == 0 {
            return None;
        }
        bytes.extend_from_slice(line.as_bytes());
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
        if first.is_empty() {
            first = line;
        }
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body).ok()?;
    bytes.extend(body);
    Some((first, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_whole_and_one_at_a_time() {
        let text = "POST /A HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}POST /B HTTP/1.1\r\n\r\n";
        let mut input = text.as_bytes();
        let (first, bytes) = read_message(&mut input).unwrap();
        assert_eq!(first, "POST /A HTTP/1.1\r\n");
        assert!(bytes.ends_with(b"\r\n\r\n{}"));
        assert!(read_message(&mut input).unwrap().0.contains("/B"));
        assert!(read_message(&mut input).is_none());
    }
}
