//! The agent API, as one host speaks it. The messages are those of [`contiv_model::agent`].

use bytes::Bytes;
use contiv_model::agent::{
    AddressGrant, AddressRelease, AddressRequest, Answer, Asked, DockerNetwork, EndpointGrant,
    EndpointRequest, EventBatch, HitsReport, HostStatus, Progress, Register, Registered, Reported,
    Revision,
};
use contiv_model::encode_segment;
use hyper::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::Error;
use crate::stream::MessageStream;
use crate::transport::Client;

/// Speaks for one host.
#[derive(Clone, Debug)]
pub struct HostClient {
    client: Client,
    /// `/agent/v1/hosts/{host}`.
    base: String,
}

impl Client {
    /// The agent API for the host of this name.
    pub fn host(&self, name: &str) -> Result<HostClient, Error> {
        if name.is_empty() {
            return Err(Error::EmptyName { what: "host" });
        }
        Ok(HostClient {
            client: self.clone(),
            base: format!("/agent/v1/hosts/{}", encode_segment(name)),
        })
    }
}

impl HostClient {
    /// First words after a start of the host or of the master.
    pub async fn register(&self, register: &Register) -> Result<Registered, Error> {
        self.client
            .post_json(&format!("{}/register", self.base), register)
            .await
    }

    /// What the host needs to know: changes after `after`, or a snapshot first.
    pub async fn stream(&self, after: Option<Revision>) -> Result<MessageStream, Error> {
        let path = match after {
            Some(revision) => format!("{}/stream?after={revision}", self.base),
            None => format!("{}/stream", self.base),
        };
        self.lines(&path).await
    }

    /// What the master asks of the host.
    pub async fn questions(&self) -> Result<MessageStream<Asked>, Error> {
        self.lines(&format!("{}/questions", self.base)).await
    }

    /// Waits until a call of this client, or of another one made of it by [`Client::each`], was
    /// in vain at this master, and so is one more: whoever listens to it may listen for ever.
    pub async fn until_silent(&self, master: &str) {
        self.client.until_silent(master).await;
    }

    /// Reports how far the host has come, when its status is as it was.
    pub async fn report_progress(&self, progress: &Progress) -> Result<Reported, Error> {
        self.client
            .post_json(&format!("{}/progress", self.base), progress)
            .await
    }

    /// Answers a question.
    pub async fn answer(&self, id: &str, answer: &Answer) -> Result<(), Error> {
        self.client
            .post_json::<_, Value>(&self.path("answers", "question", id)?, answer)
            .await
            .map(drop)
    }

    async fn lines<T: DeserializeOwned>(&self, path: &str) -> Result<MessageStream<T>, Error> {
        let answer = self.client.call(Method::GET, path, Bytes::new()).await?;
        let answer = answer.success().await?;
        let idle = self.client.timeouts().stream_idle;
        Ok(MessageStream::new(
            answer.master,
            answer.response.into_body(),
            idle,
        ))
    }

    /// Asks for an address; it is freed again unless an endpoint takes it soon.
    pub async fn request_address(&self, request: &AddressRequest) -> Result<AddressGrant, Error> {
        self.client
            .post_json(&format!("{}/addresses", self.base), request)
            .await
    }

    /// Hints that an address is no longer used.
    pub async fn release_address(&self, release: &AddressRelease) -> Result<(), Error> {
        let path = format!("{}/addresses/release", self.base);
        self.client
            .post_json::<_, Value>(&path, release)
            .await
            .map(drop)
    }

    /// Makes an endpoint; the same request again gives the same answer.
    pub async fn put_endpoint(
        &self,
        id: &str,
        request: &EndpointRequest,
    ) -> Result<EndpointGrant, Error> {
        self.client
            .put_json(&self.path("endpoints", "endpoint", id)?, request)
            .await
    }

    /// Removes an endpoint of this host.
    pub async fn delete_endpoint(&self, id: &str) -> Result<(), Error> {
        self.client
            .delete_at(&self.path("endpoints", "endpoint", id)?)
            .await
    }

    /// Tells what a network of this host's engine stands for.
    pub async fn put_docker_network(&self, network: &DockerNetwork) -> Result<(), Error> {
        let path = self.path("docker-networks", "docker network", &network.id)?;
        self.client
            .put_json::<_, Value>(&path, network)
            .await
            .map(drop)
    }

    /// What a network of the engine stands for; none when the master does not know it.
    pub async fn docker_network(&self, id: &str) -> Result<Option<DockerNetwork>, Error> {
        match self
            .client
            .get_json(&self.path("docker-networks", "docker network", id)?)
            .await
        {
            Ok(network) => Ok(Some(network)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Forgets a network of the engine.
    pub async fn delete_docker_network(&self, id: &str) -> Result<(), Error> {
        self.client
            .delete_at(&self.path("docker-networks", "docker network", id)?)
            .await
    }

    /// Reports what the host has applied and what hinders it.
    pub async fn report(&self, status: &HostStatus) -> Result<Reported, Error> {
        let path = format!("{}/status", self.base);
        self.client.post_json(&path, status).await
    }

    /// Reports what rules have decided since the last such report.
    pub async fn report_hits(&self, hits: &HitsReport) -> Result<Reported, Error> {
        let path = format!("{}/hits", self.base);
        self.client.post_json(&path, hits).await
    }

    /// Reports events.
    pub async fn report_events(&self, events: &EventBatch) -> Result<Reported, Error> {
        let path = format!("{}/events", self.base);
        self.client.post_json(&path, events).await
    }

    fn path(&self, collection: &str, what: &'static str, id: &str) -> Result<String, Error> {
        if id.is_empty() {
            return Err(Error::EmptyName { what });
        }
        Ok(format!("{}/{collection}/{}", self.base, encode_segment(id)))
    }
}
