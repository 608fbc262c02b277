//! A data plane for tests of what stands on one.

use super::*;

/// Has what it was given, and does nothing.
#[derive(Default)]
pub(crate) struct Idle(pub(crate) BTreeMap<String, EndpointFacts>);

impl DataPlane for Idle {
    fn apply(&mut self, _: &Desired) -> Result<Vec<Shortfall>, Error> {
        Ok(Vec::new())
    }

    fn add_endpoint(&mut self, _: &str, _: &EndpointSpec) -> Result<(), Error> {
        Ok(())
    }

    fn remove_endpoint(&mut self, _: &str) -> Result<(), Error> {
        Ok(())
    }

    fn endpoints(&mut self) -> Result<BTreeMap<String, EndpointFacts>, Error> {
        Ok(self.0.clone())
    }

    fn taken_prefixes(&mut self) -> Result<Vec<TakenPrefix>, Error> {
        Ok(Vec::new())
    }
}
