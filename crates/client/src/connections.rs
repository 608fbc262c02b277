//! How connections come about, are kept, and give an answer or an end.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::Builder;
use hyper_util::client::legacy::connect::{HttpConnector, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower::ServiceExt;
use tower::util::MapResponse;

use crate::dial::{Connector, Dial};
use crate::witness::{self, Witness};

type Http<C> = hyper_util::client::legacy::Client<C, Full<Bytes>>;

type Socket = MaybeHttpsStream<TokioIo<TcpStream>>;
type Sockets = MapResponse<HttpsConnector<HttpConnector>, fn(Socket) -> Witness<Socket>>;

/// The connections of a client.
#[derive(Clone, Debug)]
pub(crate) enum Connections {
    Sockets(Http<Sockets>),
    Dialed(Http<Connector>),
}

/// Why there is no answer.
pub(crate) struct NoAnswer {
    pub(crate) why: String,
    /// Nothing was sent.
    pub(crate) is_unsent: bool,
}

impl Connections {
    /// Connections over the network, in plain text or encrypted, as addresses say.
    pub(crate) fn new(tls: ClientConfig, patience: Duration) -> Connections {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(patience));
        connector.set_nodelay(true);
        connector.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector)
            .map_response(Witness::new as fn(Socket) -> Witness<Socket>);
        Connections::Sockets(pool().build(connector))
    }

    /// Connections that somebody else makes.
    pub(crate) fn dialed(dial: Dial) -> Connections {
        Connections::Dialed(pool().build(dial.connector()))
    }

    /// Asks, and waits until there is an answer or can be none.
    pub(crate) async fn ask(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, NoAnswer> {
        let connection = capture_connection(&mut request);
        let answer = match self {
            Connections::Sockets(http) => http.request(request),
            Connections::Dialed(http) => http.request(request),
        };
        tokio::select! {
            biased;
            answer = answer => answer.map_err(|error| NoAnswer {
                why: witness::cause(&error),
                is_unsent: error.is_connect(),
            }),
            why = witness::ended(connection) => Err(NoAnswer {
                why,
                is_unsent: false,
            }),
        }
    }
}

fn pool() -> Builder {
    let mut pool = hyper_util::client::legacy::Client::builder(TokioExecutor::new());
    pool.pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(60));
    pool
}
