//! The few calls of the engine's API that the agent makes.
//!
//! Paths carry no version, so that engines answer with their own: one that still
//! speaks 1.41 and one that has dropped it are served alike, by fields that have
//! not changed in between.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::error::Error;

/// Creating a network comes back to us for pool and gateway before it is answered.
const CALL: Duration = Duration::from_secs(30);

/// A client of the engine at one unix socket.
#[derive(Clone, Debug)]
pub struct EngineClient {
    socket: PathBuf,
}

/// A network, as the engine lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EngineNetwork {
    pub id: String,
    pub name: String,
    pub driver: String,
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    pub options: BTreeMap<String, String>,
    /// By container; filled by [`EngineClient::network`] alone.
    #[serde(deserialize_with = "nullable")]
    pub containers: BTreeMap<String, Occupant>,
}

/// A container's place in a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Occupant {
    #[serde(rename = "EndpointID")]
    pub endpoint_id: String,
    /// Both are told of containers' places alone, not of networks'.
    #[serde(rename = "NetworkID")]
    pub network_id: String,
    #[serde(rename = "IPAddress")]
    pub ip_address: String,
}

/// A running container, as the engine lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EngineContainer {
    pub id: String,
    #[serde(deserialize_with = "nullable")]
    pub names: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    pub network_settings: NetworkSettings,
}

/// Where a container is attached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkSettings {
    /// By name of the Docker network.
    #[serde(deserialize_with = "nullable")]
    pub networks: BTreeMap<String, Occupant>,
}

/// A container by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EngineProcess {
    pub state: ProcessState,
    #[serde(rename = "NetworkSettings")]
    pub sandbox: Sandbox,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ProcessState {
    /// The first process; 0 while none runs.
    pub pid: i32,
}

/// A container's network namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Sandbox {
    /// Where the engine keeps it.
    pub sandbox_key: String,
}

/// A network to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct NewNetwork {
    pub name: String,
    /// Older engines make a second network of the same name unless told not to.
    pub check_duplicate: bool,
    pub driver: String,
    #[serde(rename = "EnableIPv6")]
    pub enable_ipv6: bool,
    pub attachable: bool,
    #[serde(rename = "IPAM")]
    pub ipam: NewIpam,
    pub options: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
}

/// Where a network to be made takes its addresses from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct NewIpam {
    pub driver: String,
    pub options: BTreeMap<String, String>,
    pub config: Vec<PoolConfig>,
}

/// One subnet of a network to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PoolConfig {
    pub subnet: String,
    /// The engine shows only a gateway that it was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
}

/// Happenings in the engine; only that something happened counts.
pub struct EventStream(Incoming);

#[derive(Deserialize)]
struct Refusal {
    message: String,
}

impl EngineClient {
    pub fn new(socket: PathBuf) -> EngineClient {
        EngineClient { socket }
    }

    /// Every network, without its containers.
    pub async fn networks(&self) -> Result<Vec<EngineNetwork>, Error> {
        self.read("/networks").await
    }

    /// One network with its containers; none when the engine does not know it.
    pub async fn network(&self, id: &str) -> Result<Option<EngineNetwork>, Error> {
        let response = self
            .send(Method::GET, &format!("/networks/{id}"), None)
            .await?;
        if response.status() == 404 {
            return Ok(None);
        }
        parse(response).await.map(Some)
    }

    /// Running containers; it answers while others start, from what was last saved.
    pub async fn containers(&self) -> Result<Vec<EngineContainer>, Error> {
        self.read("/containers/json").await
    }

    /// One container; waits for its start, if it starts.
    pub async fn container(&self, id: &str) -> Result<EngineProcess, Error> {
        self.read(&format!("/containers/{id}/json")).await
    }

    pub async fn create_network(&self, network: &NewNetwork) -> Result<(), Error> {
        let body = serde_json::to_vec(network).map_err(|e| Error::Engine(e.to_string()))?;
        let response = self
            .send(Method::POST, "/networks/create", Some(body))
            .await?;
        done(response).await
    }

    /// Removes a network; one that is gone already is fine.
    pub async fn remove_network(&self, id: &str) -> Result<(), Error> {
        let response = self
            .send(Method::DELETE, &format!("/networks/{id}"), None)
            .await?;
        if response.status() == 404 {
            return Ok(());
        }
        done(response).await
    }

    /// What happens to networks and containers from now on.
    pub async fn events(&self) -> Result<EventStream, Error> {
        // {"type":["network","container"]}
        let path = "/events?filters=%7B%22type%22%3A%5B%22network%22%2C%22container%22%5D%7D";
        let response = self.send(Method::GET, path, None).await?;
        match response.status().is_success() {
            true => Ok(EventStream(response.into_body())),
            false => Err(refused(response).await),
        }
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        parse(self.send(Method::GET, path, None).await?).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Response<Incoming>, Error> {
        let exchange = async {
            let stream = UnixStream::connect(&self.socket)
                .await
                .map_err(|e| self.failed(&e))?;
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream))
                    .await
                    .map_err(|e| self.failed(&e))?;
            // Ends by itself once the answer is read or dropped.
            tokio::spawn(connection);
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header(HOST, "docker")
                .header(CONTENT_TYPE, "application/json")
                .body(Full::new(Bytes::from(body.unwrap_or_default())))
                .map_err(|e| self.failed(&e))?;
            sender
                .send_request(request)
                .await
                .map_err(|e| self.failed(&e))
        };
        match timeout(CALL, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::Engine(format!(
                "no answer to {path} in {} s",
                CALL.as_secs()
            ))),
        }
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> Error {
        Error::Engine(format!("{}: {error}", self.socket.display()))
    }
}

impl EventStream {
    /// Waits for the next happening; false at the end of the stream.
    pub async fn next(&mut self) -> bool {
        matches!(self.0.frame().await, Some(Ok(_)))
    }
}

async fn done(response: Response<Incoming>) -> Result<(), Error> {
    match response.status().is_success() {
        true => Ok(()),
        false => Err(refused(response).await),
    }
}

async fn parse<T: DeserializeOwned>(response: Response<Incoming>) -> Result<T, Error> {
    if !response.status().is_success() {
        return Err(refused(response).await);
    }
    let body = read(response).await?;
    serde_json::from_slice(&body)
        .map_err(|e| Error::Engine(format!("an answer of another form: {e}")))
}

async fn refused(response: Response<Incoming>) -> Error {
    let status = response.status();
    let body = read(response).await.unwrap_or_default();
    match serde_json::from_slice::<Refusal>(&body) {
        Ok(refusal) => Error::Engine(refusal.message),
        Err(_) => Error::Engine(format!("status {status}")),
    }
}

async fn read(response: Response<Incoming>) -> Result<BytesMut, Error> {
    let mut body = response.into_body();
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| Error::Engine(format!("an answer broke off: {e}")))?;
        if let Some(data) = frame.data_ref() {
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes)
}

fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
