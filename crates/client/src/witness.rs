//! Why a connection ended, for who asks when it has.
//!
//! A server of TLS 1.3 checks the client's certificate when the client takes the connection for
//! made already (RFC 8446, section 2): its refusal comes at any time afterwards. What is told of
//! it by then depends on who is first, the refusal or the request, and may be no more than that
//! the connection was not ready. The stream itself has seen the cause.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::http::Extensions;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_util::client::legacy::Error;
use hyper_util::client::legacy::connect::{CaptureConnection, Connected, Connection};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::error::root_cause;

/// An answer that came before the end is there by then.
const GRACE: Duration = Duration::from_millis(500);

/// What one stream has seen.
#[derive(Clone, Debug)]
struct Seen {
    cause: Arc<OnceLock<String>>,
    /// Its sender goes with the stream.
    end: watch::Receiver<()>,
}

/// A stream that keeps the cause of its end.
pub(crate) struct Witness<S> {
    stream: S,
    seen: Seen,
    _end: watch::Sender<()>,
}

impl<S> Witness<S> {
    pub(crate) fn new(stream: S) -> Witness<S> {
        let (_end, end) = watch::channel(());
        let cause = Arc::default();
        Witness {
            stream,
            seen: Seen { cause, end },
            _end,
        }
    }
}

impl Seen {
    fn of(connection: &Connected) -> Option<Seen> {
        let mut extras = Extensions::new();
        connection.get_extras(&mut extras);
        extras.remove()
    }

    fn is_over(&self) -> bool {
        self.end.has_changed().is_err()
    }
}

/// The cause of a failed request: what its connection has seen, or else what the error tells.
pub(crate) fn cause(error: &Error) -> String {
    let seen = error.connect_info().and_then(Seen::of);
    let cause = seen.and_then(|seen| seen.cause.get().cloned());
    cause.unwrap_or_else(|| root_cause(error))
}

/// Waits until the connection of a request has ended without an answer, and tells the cause.
///
/// hyper loses a request that is handed to a connection just while it ends, and would wait for its
/// answer for ever.
pub(crate) async fn ended(mut request: CaptureConnection) -> String {
    loop {
        let connection = request
            .wait_for_connection_metadata()
            .await
            .as_ref()
            .and_then(Seen::of);
        let Some(mut seen) = connection else {
            return std::future::pending().await;
        };
        while seen.end.changed().await.is_ok() {}
        sleep(GRACE).await;
        // It may be on its way by another connection, since this one had been kept for too long.
        let now = request.connection_metadata().as_ref().and_then(Seen::of);
        if now.is_some_and(|now| now.is_over()) {
            let cause = seen.cause.get().cloned();
            return cause.unwrap_or_else(|| "the connection ended without an answer".into());
        }
    }
}

impl<S: Read + Unpin> Witness<S> {
    fn saw(&self, error: &io::Error) {
        // The first one is the cause of those that follow.
        let _ = self.seen.cause.set(root_cause(error));
    }

    /// Passes on the answer to a write. One that fails hides what came before, and was not read.
    fn written<T>(
        &mut self,
        answer: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &answer {
            let mut unread = [MaybeUninit::uninit(); 256];
            let mut unread = ReadBuf::uninit(&mut unread);
            match Pin::new(&mut self.stream).poll_read(cx, unread.unfilled()) {
                Poll::Ready(Err(earlier)) => self.saw(&earlier),
                _ => self.saw(error),
            }
        }
        answer
    }
}

impl<S: Connection> Connection for Witness<S> {
    fn connected(&self) -> Connected {
        self.stream.connected().extra(self.seen.clone())
    }
}

impl<S: Read + Unpin> Read for Witness<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let answer = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if let Poll::Ready(Err(error)) = &answer {
            self.saw(error);
        }
        answer
    }
}

impl<S: Read + Write + Unpin> Write for Witness<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let answer = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(answer, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let answer = Pin::new(&mut self.stream).poll_flush(cx);
        self.written(answer, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let answer = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(answer, cx)
    }
}
