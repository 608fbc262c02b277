//! Programs that are run, and waited for.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Prints a command and runs it with our own output; failure is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", line(command));
    let status = command
        .status()
        .with_context(|| format!("start {}", line(command)))?;
    if status.success() {
        Ok(())
    } else {
        bail!("{}: {status}", line(command))
    }
}

/// Runs a command silently and returns its standard output; failure is an error that quotes it.
pub(crate) fn capture<S: AsRef<OsStr>>(program: &str, args: &[S]) -> Result<String> {
    let mut command = Command::new(program);
    let output = command.args(args).stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("start {}", line(&command)))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    bail!("{}: {}: {}", line(&command), output.status, stderr.trim())
}

/// Runs a command silently and says whether it succeeded.
pub(crate) fn succeeds<S: AsRef<OsStr>>(program: &str, args: &[S]) -> bool {
    let mut command = Command::new(program);
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Whether a program is found in `PATH` or in the directories of system programs.
pub(crate) fn exists(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(std::path::PathBuf::from);
    std::env::split_paths(&path)
        .chain(system)
        .any(|dir| dir.join(program).is_file())
}

/// Whether the caller is root.
pub(crate) fn is_root() -> bool {
    capture("id", &["-u"]).is_ok_and(|id| id.trim() == "0")
}

/// Refuses to go on without root, saying how.
pub(crate) fn want_root(task: &str) -> Result<()> {
    if is_root() {
        return Ok(());
    }
    bail!(
        "`{task}` changes this machine's network and needs root: \
         run it with `sudo --preserve-env=PATH`"
    )
}

/// Asks `probe` until it answers `Ok`, at most for `limit`; its error is the state seen.
pub(crate) fn wait_for<T>(
    limit: Duration,
    what: &str,
    mut probe: impl FnMut() -> Result<T>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        let state = match probe() {
            Ok(value) => return Ok(value),
            Err(state) => state,
        };
        if Instant::now() >= deadline {
            return Err(state).with_context(|| format!("waited {limit:?} for {what}"));
        }
        pause();
    }
}

#[allow(clippy::disallowed_methods, reason = "the pause of a loop that polls")]
fn pause() {
    std::thread::sleep(Duration::from_millis(50));
}

/// Asks a plain HTTP GET of a server on this machine and wants a 200; returns what was received.
pub(crate) fn http_get(address: &str, path: &str) -> Result<String> {
    let limit = Duration::from_secs(2);
    let target = address
        .parse()
        .with_context(|| format!("address {address}"))?;
    let mut stream = TcpStream::connect_timeout(&target, limit)?;
    stream.set_read_timeout(Some(limit))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        bail!("http://{address}{path} answers {status:?}");
    }
    Ok(answer)
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
