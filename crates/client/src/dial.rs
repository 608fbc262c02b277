//! Connections that somebody else makes: masters that are not behind a socket.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tower::util::BoxCloneSyncService;

/// A connection that is on its way.
pub type Dialing = Pin<Box<dyn Future<Output = io::Result<DuplexStream>> + Send>>;

/// Makes connections to masters, whose addresses are in the URI.
#[derive(Clone)]
pub struct Dial(Arc<dyn Fn(Uri) -> Dialing + Send + Sync>);

impl Dial {
    /// Connects by calling `dial`.
    pub fn new(dial: impl Fn(Uri) -> Dialing + Send + Sync + 'static) -> Dial {
        Dial(Arc::new(dial))
    }

    pub(crate) fn connector(self) -> Connector {
        BoxCloneSyncService::new(tower::service_fn(move |uri| {
            let dialing = (self.0)(uri);
            async move { dialing.await.map(|stream| Pipe(TokioIo::new(stream))) }
        }))
    }
}

pub(crate) type Connector = BoxCloneSyncService<Uri, Pipe, io::Error>;

/// An end of such a connection.
pub(crate) struct Pipe(TokioIo<DuplexStream>);

impl Connection for Pipe {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl Write for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
