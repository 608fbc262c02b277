//! The data plane as the agent needs it, and how tasks share it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use contiv_datapath::spec::{Desired, EndpointSpec};
use contiv_datapath::{ContainerEnd, FlowUse, Inspection, Repair, Shortfall};
use contiv_model::agent::{OpeningAnswer, OpeningQuestion, TakenPrefix, Totals};

use crate::error::Error;

/// A kernel that can be filled. Every step may be repeated.
pub trait DataPlane: Send {
    /// Makes the kernel hold this and nothing else; answers with what single objects lack, all
    /// others having theirs.
    fn apply(&mut self, desired: &Desired) -> Result<Vec<Shortfall>, Error>;

    /// Makes the links of an endpoint and lets it in; again for the same id is fine.
    fn add_endpoint(&mut self, id: &str, spec: &EndpointSpec) -> Result<(), Error>;

    /// Closes the endpoint, forgets its flows, deletes its links; unknown ids are fine.
    fn remove_endpoint(&mut self, id: &str) -> Result<(), Error>;

    /// What the kernel knows of each endpoint, by id.
    fn endpoints(&mut self) -> Result<BTreeMap<String, EndpointFacts>, Error>;

    /// Prefixes that the host uses for itself.
    fn taken_prefixes(&mut self) -> Result<Vec<TakenPrefix>, Error>;

    /// Changes when the host starts anew.
    fn boot_id(&mut self) -> String {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        id.unwrap_or_default().trim().to_owned()
    }

    /// Largest packet, in bytes, of the link that leads out of the host.
    fn link_mtu(&mut self) -> Result<u32, Error> {
        Ok(1500)
    }

    /// What the kernel's tables say about a connection that begins.
    fn ask(&mut self, question: &OpeningQuestion) -> Result<OpeningAnswer, Error> {
        let OpeningQuestion { from, to, .. } = question;
        Err(Error::DataPlane(format!(
            "it has no tables to ask about {from} and {to}"
        )))
    }

    /// What rules have decided, and how full the table of connections is.
    fn counts(&mut self) -> Result<Counts, Error> {
        Ok(Counts::default())
    }

    /// What is to be done a few times a second: flows age, and the host's own changes are met. True
    /// says that somebody took away something which [`apply`](Self::apply) puts back.
    fn tick(&mut self) -> Result<bool, Error> {
        Ok(false)
    }

    /// What others took away, and what was put back, since the last call.
    fn repairs(&mut self) -> Vec<Repair> {
        Vec::new()
    }

    /// Gives the container's end of an endpoint's link, which is beside the host's end or half set
    /// up, to the container's namespace; answers with its name there, or none if all is done.
    fn hand_over(
        &mut self,
        id: &str,
        _sandbox: OwnedFd,
        _end: &ContainerEnd,
    ) -> Result<Option<String>, Error> {
        Err(Error::DataPlane(format!("it has no link of endpoint {id}")))
    }

    /// How the host is.
    fn inspect(&mut self) -> Result<Inspection, Error> {
        Ok(Inspection::default())
    }

    /// Removes links that are named as endpoints' are and belong to none; answers with their names.
    fn sweep(&mut self) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }
}

/// What the kernel has counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Changes when totals begin from 0 again; within a life they only grow.
    pub life: String,
    /// When it began, in milliseconds since 1970.
    pub since: u64,
    /// By the numbers of rules; below 16 are those that are built in, of all tenants together.
    pub rules: BTreeMap<u32, Totals>,
    pub flows: FlowUse,
}

/// Where the container's end of an endpoint's link is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attachment {
    /// In another network namespace: a container holds it.
    #[default]
    InUse,
    /// Still, or again, beside the host's end: nobody uses it.
    Detached,
}

/// What the kernel knows of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointFacts {
    /// The host's end of the link.
    pub interface: String,
    pub attachment: Attachment,
    /// The container's end is down.
    pub idle: bool,
    /// The address of the private subnet, unique on the host.
    pub private_address: Option<Ipv4Addr>,
    /// Dropped packets by reason.
    pub drops: BTreeMap<String, u64>,
    /// What the kernel holds it to be.
    pub spec: Option<EndpointSpec>,
}

/// The one data plane of the agent. Its calls block for system calls only, so a
/// thread that may block runs them, one at a time.
#[derive(Clone)]
pub struct SharedPlane {
    plane: Arc<Mutex<dyn DataPlane>>,
    /// Whether its calls block.
    blocks: bool,
}

impl SharedPlane {
    pub fn new(plane: impl DataPlane + 'static) -> SharedPlane {
        SharedPlane {
            plane: Arc::new(Mutex::new(plane)),
            blocks: true,
        }
    }

    /// A data plane that makes no system calls, and needs no thread for them.
    pub fn in_memory(plane: impl DataPlane + 'static) -> SharedPlane {
        SharedPlane {
            plane: Arc::new(Mutex::new(plane)),
            blocks: false,
        }
    }

    /// Runs `act` with the data plane in hand, to its end even if the caller goes away.
    pub async fn with<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut dyn DataPlane) -> T + Send + 'static,
    ) -> T {
        let plane = Arc::clone(&self.plane);
        if !self.blocks {
            return act(&mut *plane.lock().unwrap_or_else(PoisonError::into_inner));
        }
        let task = tokio::task::spawn_blocking(move || {
            act(&mut *plane.lock().unwrap_or_else(PoisonError::into_inner))
        });
        match task.await {
            Ok(answer) => answer,
            Err(failure) => std::panic::resume_unwind(failure.into_panic()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
