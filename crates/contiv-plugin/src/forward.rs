//! One connection of the engine.

use std::io::{self, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::refusal;

/// An agent that restarts is back within this time; the engine hears of one that is away
/// within a second.
const PATIENCE: Duration = Duration::from_millis(700);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// Passes on all that comes, both ways, until either end is done. Without an agent the engine's
/// call is refused, and the connection ends: the next call is another chance.
pub(crate) fn serve(engine: UnixStream, agent: &Path) {
    match reach(agent) {
        Ok(agent) => pass(&engine, &agent),
        Err(error) => {
            eprintln!("contiv-plugin: {}: {error}", agent.display());
            let _ = refusal::answer(&engine, &error);
        }
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "a loop that polls: nothing tells when a socket is there"
)]
fn reach(agent: &Path) -> io::Result<UnixStream> {
    let by = Instant::now() + PATIENCE;
    loop {
        match UnixStream::connect(agent) {
            Err(_) if Instant::now() < by => thread::sleep(PAUSE),
            reached => return reached,
        }
    }
}

fn pass(engine: &UnixStream, agent: &UnixStream) {
    thread::scope(|scope| {
        scope.spawn(|| copy(engine, agent));
        copy(agent, engine);
        // An agent that has gone answers nothing more: the engine has to call anew.
        let _ = engine.shutdown(Shutdown::Both);
    });
}

/// Copies until the end, of which the other side hears.
fn copy(mut from: &UnixStream, mut to: &UnixStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.flush();
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests;
