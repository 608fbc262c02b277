//! Docker's driver protocol: NetworkDriver and IpamDriver on one unix socket.
//!
//! Every call is a POST with a JSON body, or none, and is answered within
//! [`Driver::limit`]. A refusal is status 500 with the reason under both names
//! that the engine looks for; an unknown call is 404, which the engine takes for
//! "not implemented". Calls run to their end even when the engine hangs up, so
//! that none leaves half of its work behind. No call ever asks the engine.

mod address;
mod driver;
mod endpoint;
mod network;
mod pool;
mod pool_id;
mod socket;
mod swarm;
mod wire;

pub use driver::Driver;
pub use network::automatic_name;
pub use socket::PluginSocket;

use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::error::Error;
use wire::{AddressSpaces, Implements, NetworkCapabilities, Nothing, OperInfo};

/// The address space from which a Swarm's manager takes pools; its nodes take theirs from the
/// other one.
const MANAGERS: &str = "contiv-global";

const CONTENT: &str = "application/vnd.docker.plugins.v1.2+json";

/// For whom a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// An engine's own networks.
    Local,
    /// Those of a Swarm.
    Swarm,
}

/// The calls of the protocol, answered by `driver`.
pub fn router(driver: Arc<Driver>, scope: Scope) -> Router {
    Router::new().fallback(dispatch).with_state((driver, scope))
}

async fn dispatch(
    State((driver, scope)): State<(Arc<Driver>, Scope)>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> Response {
    let call = uri.path().trim_start_matches('/').to_owned();
    let request = Request { driver, call, body };
    if method != Method::POST {
        return refusal(StatusCode::METHOD_NOT_ALLOWED, "calls are made by POST");
    }
    match request.call.as_str() {
        "Plugin.Activate" => {
            request
                .fixed(Implements {
                    implements: ["NetworkDriver", "IpamDriver"],
                })
                .await
        }
        "NetworkDriver.GetCapabilities" => {
            let capabilities = NetworkCapabilities {
                scope: match scope {
                    Scope::Local => "local",
                    Scope::Swarm => "global",
                },
                connectivity_scope: "global",
            };
            request.fixed(capabilities).await
        }
        "NetworkDriver.AllocateNetwork" if scope == Scope::Swarm => {
            request.answer(Driver::allocate_network).await
        }
        "NetworkDriver.FreeNetwork" if scope == Scope::Swarm => {
            request.answer(Driver::delete_network).await
        }
        "NetworkDriver.CreateNetwork" if scope == Scope::Swarm => {
            request.answer(Driver::enter_swarm_network).await
        }
        "NetworkDriver.DeleteNetwork" if scope == Scope::Swarm => {
            request.answer(Driver::leave_swarm_network).await
        }
        "NetworkDriver.CreateNetwork" => request.answer(Driver::create_network).await,
        "NetworkDriver.DeleteNetwork" => request.answer(Driver::delete_network).await,
        "NetworkDriver.CreateEndpoint" => request.answer(Driver::create_endpoint).await,
        "NetworkDriver.EndpointOperInfo" => {
            request
                .fixed(OperInfo {
                    value: Default::default(),
                })
                .await
        }
        "NetworkDriver.DeleteEndpoint" => request.answer(Driver::delete_endpoint).await,
        "NetworkDriver.Join" => request.answer(Driver::join).await,
        "NetworkDriver.Leave" => request.answer(Driver::leave).await,
        "IpamDriver.GetDefaultAddressSpaces" => {
            let spaces = AddressSpaces {
                local_default_address_space: "contiv-local",
                global_default_address_space: MANAGERS,
            };
            request.fixed(spaces).await
        }
        "IpamDriver.RequestPool" => {
            let act = move |driver, pool| Driver::request_pool(driver, pool, scope);
            request.answer(act).await
        }
        "IpamDriver.RequestAddress" => request.answer(Driver::request_address).await,
        "IpamDriver.ReleaseAddress" => request.answer(Driver::release_address).await,
        // Nothing is kept per pool; reachability is no matter of single calls; hosts are
        // the masters' to know; and a driver of local scope has nothing to allocate.
        "IpamDriver.GetCapabilities"
        | "IpamDriver.ReleasePool"
        | "IpamDriver.DiscoverNew"
        | "IpamDriver.DiscoverDelete"
        | "NetworkDriver.DiscoverNew"
        | "NetworkDriver.DiscoverDelete"
        | "NetworkDriver.ProgramExternalConnectivity"
        | "NetworkDriver.RevokeExternalConnectivity" => request.fixed(Nothing {}).await,
        unknown => refusal(
            StatusCode::NOT_FOUND,
            &format!("there is no call {unknown:?}"),
        ),
    }
}

/// One call of the engine.
struct Request {
    driver: Arc<Driver>,
    call: String,
    body: Bytes,
}

impl Request {
    /// Answers the same whatever the body says, if it is JSON at all.
    async fn fixed<A: Serialize + Send + 'static>(self, answer: A) -> Response {
        self.answer(move |_, _: serde_json::Value| ready(Ok(answer)))
            .await
    }

    async fn answer<Q, A, F>(
        self,
        act: impl FnOnce(Arc<Driver>, Q) -> F + Send + 'static,
    ) -> Response
    where
        Q: DeserializeOwned + Send + 'static,
        A: Serialize + Send + 'static,
        F: Future<Output = Result<A, Error>> + Send + 'static,
    {
        let Request { driver, call, body } = self;
        tracing::debug!(call, body = %String::from_utf8_lossy(&body), "a call of the engine");
        let body: &[u8] = if body.trim_ascii().is_empty() {
            b"{}"
        } else {
            &body
        };
        let question = match serde_json::from_slice(body) {
            Ok(question) => question,
            Err(error) => {
                let reason = format!("{call}: the body cannot be read: {error}");
                return refusal(StatusCode::INTERNAL_SERVER_ERROR, &reason);
            }
        };
        let started = Instant::now();
        let (limit, masters) = (driver.limit, driver.masters.clone());
        let metrics = Arc::clone(&driver.metrics);
        // A task of its own: the engine's hanging up must not stop it half-way.
        let task = tokio::spawn(timeout(limit, act(driver, question)));
        let answer = match task.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Error::TooSlow {
                after: limit,
                masters,
            }),
            Err(failure) => Err(Error::Refused(format!("netplugin failed: {failure}"))),
        };
        metrics.observe_call(&call, started.elapsed(), answer.is_ok());
        match answer {
            Ok(answer) => {
                let body = serde_json::to_vec(&answer).unwrap_or_else(|_| b"{}".to_vec());
                (StatusCode::OK, [(CONTENT_TYPE, CONTENT)], body).into_response()
            }
            Err(error) => {
                tracing::warn!(call, %error, "refused a call of the engine");
                refusal(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    &format!("{call}: {error}"),
                )
            }
        }
    }
}

/// Network drivers are asked for `Err`, address drivers for `Error`.
fn refusal(status: StatusCode, reason: &str) -> Response {
    let body = serde_json::json!({"Err": reason, "Error": reason}).to_string();
    (status, [(CONTENT_TYPE, CONTENT)], body).into_response()
}
