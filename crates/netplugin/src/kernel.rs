//! The data plane of this host's kernel.

use std::collections::BTreeMap;

use contiv_datapath::spec::{Desired, EndpointSpec};
use contiv_model::agent::TakenPrefix;

use crate::config::Config;
use crate::data_plane::{DataPlane, EndpointFacts};
use crate::error::Error;

/// Programs, maps and links of this host.
pub struct Kernel;

impl Kernel {
    pub fn open(_config: &Config) -> Result<Kernel, Error> {
        Ok(Kernel)
    }
}

impl DataPlane for Kernel {
    fn apply(&mut self, _desired: &Desired) -> Result<(), Error> {
        Ok(())
    }
    fn add_endpoint(&mut self, _id: &str, _spec: &EndpointSpec) -> Result<(), Error> {
        Ok(())
    }
    fn remove_endpoint(&mut self, _id: &str) -> Result<(), Error> {
        Ok(())
    }
    fn endpoints(&mut self) -> Result<BTreeMap<String, EndpointFacts>, Error> {
        Ok(BTreeMap::new())
    }
    fn taken_prefixes(&mut self) -> Result<Vec<TakenPrefix>, Error> {
        Ok(Vec::new())
    }
}

/// Removes every trace of Contiv from the kernel.
pub fn cleanup(_config: &Config) -> anyhow::Result<()> {
    Ok(())
}
