//! A data plane of memory, which can be told to fail.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contiv_datapath::spec::{Desired, EndpointSpec};
use contiv_datapath::{Cause, Shortfall, Subject};
use contiv_model::agent::TakenPrefix;
use netplugin::{Attachment, DataPlane, EndpointFacts, Error};

/// What the kernel would hold; clones are the same one, and it outlives agents.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryPlane(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) endpoints: BTreeMap<String, EndpointSpec>,
    pub(crate) refuse_to_apply: bool,
    /// Its policy is refused, and nothing is in force for it.
    pub(crate) refused_tenant: Option<u32>,
    pub(crate) refuse_to_add: bool,
    pub(crate) refuse_to_remove: bool,
}

impl MemoryPlane {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused<T>(what: &str) -> Result<T, Error> {
    Err(Error::DataPlane(format!("the kernel refuses to {what}")))
}

impl DataPlane for MemoryPlane {
    fn apply(&mut self, desired: &Desired) -> Result<Vec<Shortfall>, Error> {
        let mut state = self.state();
        if state.refuse_to_apply {
            return refused("apply");
        }
        state.endpoints.clone_from(&desired.local);
        let Some(tenant) = state.refused_tenant else {
            return Ok(Vec::new());
        };
        let of_tenant = desired.local.iter().filter(|(_, e)| e.tenant == tenant);
        let closed = of_tenant.map(|(id, _)| Subject::Endpoint(id.clone()));
        let lacks = std::iter::once(Subject::Tenant(tenant)).chain(closed);
        let lack = |subject| Shortfall {
            subject,
            cause: Cause::Policy,
            message: "rule 7 of policy web: the kernel refuses it".to_owned(),
        };
        Ok(lacks.map(lack).collect())
    }

    fn add_endpoint(&mut self, id: &str, spec: &EndpointSpec) -> Result<(), Error> {
        let mut state = self.state();
        if state.refuse_to_add {
            return refused("add");
        }
        state.endpoints.insert(id.to_owned(), spec.clone());
        Ok(())
    }

    fn remove_endpoint(&mut self, id: &str) -> Result<(), Error> {
        let mut state = self.state();
        if state.refuse_to_remove {
            return refused("remove");
        }
        state.endpoints.remove(id);
        Ok(())
    }

    fn endpoints(&mut self) -> Result<BTreeMap<String, EndpointFacts>, Error> {
        let facts = |id: &String, spec: &EndpointSpec| EndpointFacts {
            interface: format!("cv{id}"),
            attachment: Attachment::InUse,
            spec: Some(spec.clone()),
            ..EndpointFacts::default()
        };
        let state = self.state();
        let endpoints = state.endpoints.iter();
        Ok(endpoints
            .map(|(id, spec)| (id.clone(), facts(id, spec)))
            .collect())
    }

    fn taken_prefixes(&mut self) -> Result<Vec<TakenPrefix>, Error> {
        Ok(Vec::new())
    }
}
