//! The conversation with the masters: one of them tells what is to be ([`Listener`]), and each
//! hears what is ([`Relay`]): the status that the [`Reporter`] makes, what rules have decided,
//! and events.

mod relay;
mod status;

pub use relay::Relay;
pub use status::Reporter;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use contiv_client::{Error as ClientError, HostClient};
use contiv_model::agent::{Register, Registered, Versions};
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::data_plane::{DataPlane, SharedPlane};
use crate::error::Error;
use crate::metrics::Metrics;
use crate::replica::Replica;
use crate::underlay::Underlay;

pub(crate) const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Reads the stream into the replica, and reads on after every failure.
pub struct Listener {
    pub host: HostClient,
    pub introduction: Introduction,
    pub replica: Arc<Replica>,
    pub metrics: Arc<Metrics>,
    /// Counts registrations: after each, a master wants to hear all reports again.
    pub registrations: watch::Sender<u64>,
}

/// What a host says of itself before anything else.
#[derive(Clone)]
pub struct Introduction {
    pub plane: SharedPlane,
    pub underlay: Arc<Underlay>,
}

impl Listener {
    /// Listens until the agent ends.
    pub async fn run(self, stop: CancellationToken) {
        let mut pause = RETRY.0;
        let mut told = false;
        loop {
            let heard = tokio::select! {
                () = stop.cancelled() => return,
                heard = self.listen(&mut pause) => heard,
            };
            if self.metrics.stream.set(0) == 1 {
                tracing::warn!(error = %heard, "no master tells of changes; enforcing what is known");
            } else if !std::mem::replace(&mut told, true) {
                tracing::warn!(error = %heard, "no master tells of changes yet; asking on");
            } else {
                tracing::debug!(error = %heard, "no master yet");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(pause) => pause = (pause * 2).min(RETRY.1),
            }
        }
    }

    async fn listen(&self, pause: &mut Duration) -> Error {
        match self.introduction.to(&self.host).await {
            Ok(_) => self.registrations.send_modify(|n| *n += 1),
            Err(error) => return error,
        }
        let after = {
            let mirror = self.replica.read();
            mirror.is_complete().then(|| mirror.revision())
        };
        let mut stream = match self.host.stream(after).await {
            Ok(stream) => stream,
            Err(error) => return error.into(),
        };
        let master = stream.master().to_owned();
        let ended = |reason: &str| {
            Error::Master(ClientError::StreamEnded {
                master: master.clone(),
                reason: reason.into(),
            })
        };
        let mut silent = pin!(self.host.until_silent(&master));
        let mut told = false;
        loop {
            let message = tokio::select! {
                message = stream.next() => message,
                () = &mut silent => return ended("the master answers no calls"),
            };
            let mut message = match message {
                Some(Ok(message)) => message,
                Some(Err(error)) => return error.into(),
                None => return ended("it ended"),
            };
            let unknown = message.forget_unknown();
            if unknown > 0 && !std::mem::replace(&mut told, true) {
                tracing::warn!(
                    master,
                    unknown,
                    "the master is of a later version and speaks of things that this agent does \
                     not know; they are left out until the agent is upgraded"
                );
            }
            self.replica.apply(message);
            *pause = RETRY.0;
            if self.metrics.stream.set(1) == 0 {
                tracing::info!(master, revision = %self.replica.heard(), "listening to a master");
            }
        }
    }
}

impl Introduction {
    /// Introduces the host.
    async fn to(&self, host: &HostClient) -> Result<Registered, Error> {
        let look = |plane: &mut dyn DataPlane| {
            let boot_id = plane.boot_id();
            Ok::<_, Error>((boot_id, plane.taken_prefixes()?, plane.link_mtu()?))
        };
        let (boot_id, taken, mtu) = self.plane.with(look).await?;
        let register = Register {
            stream_version: Versions::OURS.latest,
            oldest_stream_version: Some(Versions::OURS.oldest),
            agent_version: env!("CARGO_PKG_VERSION").into(),
            boot_id,
            taken,
            tunnel: self.underlay.tunnel().await,
            mtu: Some(mtu),
            control: self.underlay.control().await,
            vxlan_port: self.underlay.port(),
        };
        Ok(host.register(&register).await?)
    }
}
