//! What the kernel of a host holds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contiv_datapath::Shortfall;
use contiv_datapath::spec::{Desired, EndpointSpec};
use contiv_model::agent::TakenPrefix;
use netplugin::{Attachment, DataPlane, EndpointFacts, Error};

/// A kernel, which outlives agents; clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kernel(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub(crate) struct State {
    boot: u64,
    /// Counts agents; only the present one's calls arrive.
    agent: u64,
    /// A fault: the first policy is kept.
    stale: bool,
    pub(crate) endpoints: BTreeMap<String, EndpointSpec>,
    /// What was applied last; none since the host's start.
    pub(crate) desired: Option<Desired>,
}

impl Kernel {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A kernel that keeps the first policy it is given of each tenant.
    pub(crate) fn stale() -> Kernel {
        let kernel = Kernel::default();
        kernel.state().stale = true;
        kernel
    }

    /// The host starts anew: nothing is left.
    pub(crate) fn reboot(&self) {
        let mut state = self.state();
        let boot = state.boot + 1;
        let agent = state.agent + 1;
        *state = State {
            boot,
            agent,
            stale: state.stale,
            ..State::default()
        };
    }

    /// The kernel for the next agent; calls of the ones before come to nothing.
    pub(crate) fn plane(&self) -> Plane {
        let mut state = self.state();
        state.agent += 1;
        Plane {
            kernel: self.clone(),
            agent: state.agent,
        }
    }
}

/// The kernel, as one agent's life reaches it.
pub(crate) struct Plane {
    kernel: Kernel,
    agent: u64,
}

impl Plane {
    fn state(&self) -> Result<MutexGuard<'_, State>, Error> {
        let state = self.kernel.state();
        match state.agent == self.agent {
            true => Ok(state),
            false => Err(Error::DataPlane("this agent is dead".into())),
        }
    }
}

impl DataPlane for Plane {
    fn apply(&mut self, desired: &Desired) -> Result<Vec<Shortfall>, Error> {
        let mut state = self.state()?;
        state.endpoints.clone_from(&desired.local);
        let mut desired = desired.clone();
        if let (true, Some(before)) = (state.stale, &state.desired) {
            for (number, tenant) in &mut desired.tenants {
                if let Some(before) = before.tenants.get(number) {
                    tenant.policy = before.policy.clone();
                }
            }
        }
        state.desired = Some(desired);
        Ok(Vec::new())
    }

    fn add_endpoint(&mut self, id: &str, spec: &EndpointSpec) -> Result<(), Error> {
        self.state()?.endpoints.insert(id.to_owned(), spec.clone());
        Ok(())
    }

    fn remove_endpoint(&mut self, id: &str) -> Result<(), Error> {
        self.state()?.endpoints.remove(id);
        Ok(())
    }

    fn endpoints(&mut self) -> Result<BTreeMap<String, EndpointFacts>, Error> {
        let facts = |(id, spec): (&String, &EndpointSpec)| {
            let facts = EndpointFacts {
                interface: format!("cv{id}"),
                attachment: Attachment::InUse,
                spec: Some(spec.clone()),
                ..EndpointFacts::default()
            };
            (id.clone(), facts)
        };
        Ok(self.state()?.endpoints.iter().map(facts).collect())
    }

    fn taken_prefixes(&mut self) -> Result<Vec<TakenPrefix>, Error> {
        Ok(Vec::new())
    }

    fn boot_id(&mut self) -> String {
        format!("boot-{}", self.kernel.state().boot)
    }
}
