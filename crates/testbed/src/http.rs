//! Just enough HTTP/1.1 to talk to engines, plugins and masters.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::Netns;

/// An HTTP answer with a JSON body (or `null` when it is empty or no JSON).
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status code.
    pub status: u16,
    /// The body as JSON.
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

/// Sends one request over a unix socket and reads the whole answer, within `limit` per step.
pub fn unix_request(
    socket: &Path,
    method: &str,
    target: &str,
    body: Option<&Value>,
    limit: Duration,
) -> Result<Reply> {
    let stream =
        UnixStream::connect(socket).with_context(|| format!("connect to {}", socket.display()))?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    exchange(stream, method, target, body)
}

impl Netns {
    /// Sends one HTTP request from this namespace to `address` and reads the whole answer.
    pub fn http(
        &self,
        address: SocketAddr,
        method: &str,
        target: &str,
        body: Option<&Value>,
        limit: Duration,
    ) -> Result<Reply> {
        exchange(self.tcp_open(address, limit)?, method, target, body)
    }
}

fn exchange(
    mut stream: impl Read + Write,
    method: &str,
    target: &str,
    body: Option<&Value>,
) -> Result<Reply> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    read_reply(BufReader::new(stream)).with_context(|| format!("{method} {target}"))
}

fn read_reply(mut input: impl BufRead) -> Result<Reply> {
    let mut line = String::new();
    input.read_line(&mut line).context("read the status line")?;
    let status = line
        .split(' ')
        .nth(1)
        .context("no status line")?
        .parse()
        .context("status")?;
    let (mut length, mut chunked) = (None, false);
    loop {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = Some(value.trim().parse::<u64>()?),
            "transfer-encoding" => chunked = value.to_ascii_lowercase().contains("chunked"),
            _ => {}
        }
    }
    let mut bytes = Vec::new();
    if chunked {
        read_chunks(&mut input, &mut bytes)?;
    } else if status != 204 && status != 304 {
        input
            .take(length.unwrap_or(u64::MAX))
            .read_to_end(&mut bytes)?;
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Ok(Reply { status, body, text })
}

fn read_chunks(input: &mut impl BufRead, bytes: &mut Vec<u8>) -> Result<()> {
    loop {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            bail!("the answer ended inside a chunk");
        }
        let size = line.trim().split(';').next().unwrap_or_default();
        let size = u64::from_str_radix(size, 16).with_context(|| format!("chunk size {line:?}"))?;
        input.by_ref().take(size).read_to_end(bytes)?;
        input.read_line(&mut String::new())?;
        if size == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_chunked_sized_and_empty_answers() {
        let read = |text: &str| read_reply(text.as_bytes()).unwrap();
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                       4\r\n{\"a\"\r\n3\r\n:1}\r\n0\r\n\r\n";
        assert_eq!(read(chunked).body["a"], 1);
        let sized = read("HTTP/1.1 404 No\r\ncontent-length: 4\r\n\r\nnullrest");
        assert_eq!((sized.status, sized.text.as_str()), (404, "null"));
        assert_eq!(read("HTTP/1.1 204 No Content\r\n\r\n").body, Value::Null);
        assert!(read_reply("".as_bytes()).is_err());
    }
}
