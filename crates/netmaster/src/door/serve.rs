//! Connections of the network, each by itself: none makes another one wait.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use contiv_identity::Presented;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::guard::Peer;

/// A handshake takes some milliseconds, and three round trips.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Handshakes that are under way at once; who comes on top is turned away.
const HANDSHAKES: usize = 1024;

/// Until the head of the next request is there. Longer than clients keep idle connections, so
/// that they are the ones to close.
const HEAD: Duration = Duration::from_secs(75);

/// After an accept that failed, for want of descriptors most likely.
const RETRY: Duration = Duration::from_millis(100);

/// First byte of whatever speaks TLS.
const TLS_HANDSHAKE: u8 = 0x16;

/// What is said to those who do not.
const PLAIN: &str = r#"{"error":"this port speaks TLS only; write https:// in place of http://"}"#;

/// What all connections have in common.
#[derive(Clone)]
pub(super) struct Connections {
    pub(super) acceptor: TlsAcceptor,
    pub(super) router: Router,
    pub(super) tracker: TaskTracker,
    pub(super) stop: CancellationToken,
}

impl Connections {
    /// Accepts until the end.
    pub(super) async fn run(self, listener: TcpListener) {
        let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
        loop {
            let accepted = tokio::select! {
                () = self.stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let (stream, from) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    sleep(RETRY).await;
                    continue;
                }
            };
            let Ok(permit) = Arc::clone(&handshakes).try_acquire_owned() else {
                tracing::debug!(%from, "too many handshakes at once");
                continue;
            };
            let this = self.clone();
            self.tracker.spawn(async move {
                let shaken = tokio::select! {
                    () = this.stop.cancelled() => return,
                    shaken = timeout(HANDSHAKE, this.shake(stream)) => shaken,
                };
                drop(permit);
                match shaken {
                    Ok(Ok(stream)) => this.converse(stream).await,
                    Ok(Err(error)) => tracing::debug!(%from, %error, "no handshake"),
                    Err(_) => tracing::debug!(%from, "a handshake that does not go on"),
                }
            });
        }
    }

    async fn shake(&self, mut stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        stream.set_nodelay(true)?;
        let mut first = [0];
        stream.peek(&mut first).await?;
        if first[0].is_ascii_alphabetic() && first[0] != TLS_HANDSHAKE {
            // What is unread at the end would take the answer with it.
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await?;
            let answer = format!(
                "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n\
                 Connection: close\r\nContent-Length: {}\r\n\r\n{PLAIN}",
                PLAIN.len()
            );
            stream.write_all(answer.as_bytes()).await?;
            stream.shutdown().await?;
            return Err(io::Error::other("plain HTTP"));
        }
        self.acceptor.accept(stream).await
    }

    async fn converse(self, stream: TlsStream<TcpStream>) {
        let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
        // The handshake has found it to be of our authority.
        let certificate = shown.first().map(|der| Presented::read(der));
        let Ok(certificate) = certificate.transpose() else {
            return;
        };
        let peer = Peer::Network(certificate.map(Arc::new));
        let router = self.router;
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(peer.clone());
            let answer = router.clone().oneshot(request.map(Body::new));
            async move { answer.await.map_err(|never: Infallible| never) }
        });
        let mut connection = std::pin::pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .serve_connection(TokioIo::new(stream), service)
        );
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection broke off");
        }
    }
}
