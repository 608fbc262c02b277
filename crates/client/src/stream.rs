//! The stream of changes to a host, cut into messages.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use contiv_model::agent::StreamMessage;
use futures_util::Stream;
use hyper::body::{Body, Incoming};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, Sleep, sleep};

use crate::error::{Error, root_cause};

/// A snapshot of the largest tenants that one host could hold stays well below it.
const MAX_LINE: usize = 64 << 20;

/// Messages from a master, in revision order. It ends with exactly one error:
/// by a silence longer than [`crate::Timeouts::stream_idle`], a message that
/// cannot be read, or the master's own end.
///
/// Dropping it closes the connection; polling it anew loses nothing, so it may
/// sit in a `select!`.
#[derive(Debug)]
pub struct MessageStream<T = StreamMessage> {
    messages: PhantomData<fn() -> T>,
    master: String,
    body: Incoming,
    lines: Lines,
    idle: Duration,
    silence: Pin<Box<Sleep>>,
    ended: bool,
}

/// Bytes in, whole lines out.
#[derive(Debug)]
pub(crate) struct Lines {
    buffer: BytesMut,
    /// What is known to hold no line break.
    searched: usize,
    max: usize,
}

impl<T: DeserializeOwned> MessageStream<T> {
    pub(crate) fn new(master: String, body: Incoming, idle: Duration) -> MessageStream<T> {
        let silence = Box::pin(sleep(idle));
        MessageStream {
            messages: PhantomData,
            master,
            body,
            lines: Lines::new(MAX_LINE),
            idle,
            silence,
            ended: false,
        }
    }

    /// The master that speaks.
    pub fn master(&self) -> &str {
        &self.master
    }

    fn next_message(&mut self) -> Result<Option<T>, String> {
        while let Some(line) = self.lines.next()? {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let message = serde_json::from_slice(&line);
            return message
                .map(Some)
                .map_err(|e| format!("a message cannot be read: {e}"));
        }
        Ok(None)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, String>> {
        loop {
            if let Some(message) = self.next_message()? {
                return Poll::Ready(Ok(message));
            }
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.silence.as_mut().reset(Instant::now() + self.idle);
                    if let Ok(data) = frame.into_data() {
                        self.lines.push(&data);
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(root_cause(&error))),
                Poll::Ready(None) => return Poll::Ready(Err("the master closed it".into())),
                Poll::Pending => break,
            }
        }
        match self.silence.as_mut().poll(cx) {
            Poll::Ready(()) => {
                Poll::Ready(Err(format!("silent for {:.1} s", self.idle.as_secs_f64())))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T: DeserializeOwned> Stream for MessageStream<T> {
    type Item = Result<T, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        match MessageStream::poll(this, cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(message)) => Poll::Ready(Some(Ok(message))),
            Poll::Ready(Err(reason)) => {
                this.ended = true;
                Poll::Ready(Some(Err(Error::StreamEnded {
                    master: this.master.clone(),
                    reason,
                })))
            }
        }
    }
}

impl Lines {
    pub(crate) fn new(max: usize) -> Lines {
        Lines {
            buffer: BytesMut::new(),
            searched: 0,
            max,
        }
    }

    pub(crate) fn push(&mut self, data: &[u8]) {
        self.buffer.extend_from_slice(data);
    }

    pub(crate) fn next(&mut self) -> Result<Option<BytesMut>, String> {
        let found = self.buffer[self.searched..]
            .iter()
            .position(|&b| b == b'\n');
        let length = found.map_or(self.buffer.len(), |at| self.searched + at);
        if length > self.max {
            return Err(format!("a message is longer than {} bytes", self.max));
        }
        if found.is_none() {
            self.searched = length;
            return Ok(None);
        }
        self.searched = 0;
        let line = self.buffer.split_to(length + 1);
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_whole_however_they_went_in() {
        let text = b"one\n\ntwo\nthree";
        for chunk in 1..text.len() {
            let mut lines = Lines::new(100);
            let mut out = Vec::new();
            for piece in text.chunks(chunk) {
                lines.push(piece);
                while let Some(line) = lines.next().unwrap() {
                    out.push(String::from_utf8(line.to_vec()).unwrap());
                }
            }
            assert_eq!(out, ["one\n", "\n", "two\n"], "in chunks of {chunk}");
        }
    }

    #[test]
    fn a_line_that_never_ends_is_an_error_before_it_fills_the_memory() {
        let mut lines = Lines::new(4);
        lines.push(b"abcd\nabcd");
        assert!(lines.next().unwrap().is_some());
        assert!(lines.next().unwrap().is_none());
        lines.push(b"e");
        assert!(lines.next().is_err());
    }
}
