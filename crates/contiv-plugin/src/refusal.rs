//! What the engine is told when there is no agent.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// An engine sends its call at once; a stranger may not hold us.
const PATIENCE: Duration = Duration::from_secs(2);

/// No call is longer.
const MOST: u64 = 1 << 20;

/// Reads one call and refuses it; the connection ends with that.
pub(crate) fn answer(engine: &UnixStream, reason: &io::Error) -> io::Result<()> {
    engine.set_read_timeout(Some(PATIENCE))?;
    read(engine)?;
    let said = format!("netplugin is not running on this host: {reason}; start it");
    // Network drivers are asked for `Err`, address drivers for `Error`.
    let said = said.replace(['"', '\\'], "'");
    let body = format!(r#"{{"Err":"{said}","Error":"{said}"}}"#);
    let mut engine = engine;
    write!(
        engine,
        "HTTP/1.1 500 Internal Server Error\r\n\
         Content-Type: application/vnd.docker.plugins.v1.2+json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Reads a call to its end, so that whoever sends it comes to read the answer.
fn read(engine: &UnixStream) -> io::Result<()> {
    let mut reader = BufReader::new(engine.take(MOST));
    let (mut length, mut chunked) = (0, false);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end().to_ascii_lowercase();
        match line.split_once(':') {
            _ if line.is_empty() => break,
            Some(("content-length", value)) => length = value.trim().parse().unwrap_or(0),
            Some(("transfer-encoding", value)) => chunked = value.contains("chunked"),
            _ => {}
        }
    }
    if chunked {
        return read_chunks(&mut reader);
    }
    io::copy(&mut reader.take(length), &mut io::sink()).map(drop)
}

/// The last chunk is empty; an empty line follows.
fn read_chunks(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim(), 16).unwrap_or(0);
        io::copy(&mut reader.take(size + 2), &mut io::sink())?;
        if size == 0 {
            return Ok(());
        }
    }
}
