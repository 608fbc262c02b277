//! The data plane of this host's kernel.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use contiv_datapath::spec::{Desired, EndpointSpec};
use contiv_datapath::{
    ContainerEnd, EventReader, Inspection, Options, Plane, Repair, RuleTotals, Shortfall,
};
use contiv_model::agent::{OpeningAnswer, OpeningQuestion, TakenPrefix, Totals};

use crate::config::{Attach, Config};
use crate::data_plane::{Attachment, Counts, DataPlane, EndpointFacts};
use crate::error::Error;
use crate::questions::{answer_of, beginning};

/// Programs, maps and links of this host.
pub struct Kernel(Plane);

impl Kernel {
    /// Takes over what an earlier agent has left, or begins anew.
    pub fn open(config: &Config) -> Result<Kernel, Error> {
        Ok(Kernel(Plane::open(&options(config)).map_err(error)?))
    }

    /// A reader of what programs tell, which takes it away from every other.
    pub fn events(&self) -> Result<EventReader, Error> {
        self.0.events().map_err(error)
    }
}

impl DataPlane for Kernel {
    fn apply(&mut self, desired: &Desired) -> Result<Vec<Shortfall>, Error> {
        self.0.apply(desired).map_err(error)
    }

    fn add_endpoint(&mut self, id: &str, spec: &EndpointSpec) -> Result<(), Error> {
        self.0.add_endpoint(id, spec).map_err(error)
    }

    fn remove_endpoint(&mut self, id: &str) -> Result<(), Error> {
        self.0.remove_endpoint(id).map_err(error)
    }

    fn endpoints(&mut self) -> Result<BTreeMap<String, EndpointFacts>, Error> {
        let endpoints = self.0.endpoints().map_err(error)?.into_iter();
        let facts = endpoints.map(|(id, facts)| {
            let attachment = if facts.detached {
                Attachment::Detached
            } else {
                Attachment::InUse
            };
            let facts = EndpointFacts {
                interface: facts.interface,
                attachment,
                idle: facts.idle,
                private_address: facts.private_address,
                drops: facts.drops,
                spec: facts.spec,
            };
            (id, facts)
        });
        Ok(facts.collect())
    }

    fn taken_prefixes(&mut self) -> Result<Vec<TakenPrefix>, Error> {
        let taken = self.0.taken_prefixes().map_err(error)?.into_iter();
        let taken = taken.map(|taken| TakenPrefix {
            prefix: taken.prefix,
            by: taken.by,
        });
        Ok(taken.collect())
    }

    fn link_mtu(&mut self) -> Result<u32, Error> {
        self.0.link_mtu().map_err(error)
    }

    fn ask(&mut self, question: &OpeningQuestion) -> Result<OpeningAnswer, Error> {
        let found = self.0.ask(&beginning(question)).map_err(error)?;
        Ok(answer_of(&found.course))
    }

    fn counts(&mut self) -> Result<Counts, Error> {
        let (life, since) = self.0.counting_since().map_err(error)?;
        let rules = self.0.rule_totals().map_err(error)?.into_iter();
        Ok(Counts {
            life,
            since,
            rules: rules
                .map(|(rule, counted)| (rule, totals(counted)))
                .collect(),
            flows: self.0.flow_use().map_err(error)?,
        })
    }

    fn tick(&mut self) -> Result<bool, Error> {
        self.0.tick().map_err(error)
    }

    fn repairs(&mut self) -> Vec<Repair> {
        self.0.repairs()
    }

    fn hand_over(
        &mut self,
        id: &str,
        sandbox: OwnedFd,
        end: &ContainerEnd,
    ) -> Result<Option<String>, Error> {
        self.0.hand_over(id, sandbox, end).map_err(error)
    }

    fn inspect(&mut self) -> Result<Inspection, Error> {
        self.0.inspect().map_err(error)
    }

    fn sweep(&mut self) -> Result<Vec<String>, Error> {
        self.0.sweep().map_err(error)
    }
}

fn totals(counted: RuleTotals) -> Totals {
    let RuleTotals { enforced, staged } = counted;
    Totals {
        packets: enforced.packets,
        bytes: enforced.bytes,
        connections: enforced.connections,
        staged_packets: staged.packets,
        staged_bytes: staged.bytes,
        staged_connections: staged.connections,
    }
}

/// Removes every trace of Contiv from the kernel.
pub fn cleanup(config: &Config) -> anyhow::Result<()> {
    Ok(contiv_datapath::cleanup(&options(config))?)
}

fn options(config: &Config) -> Options {
    Options {
        pin_dir: config.pin_dir.clone(),
        attach: match config.attach {
            Attach::Auto => contiv_datapath::Attach::Auto,
            Attach::Tcx => contiv_datapath::Attach::Tcx,
            Attach::Clsact => contiv_datapath::Attach::Clsact,
        },
    }
}

fn error(error: contiv_datapath::Error) -> Error {
    Error::DataPlane(error.to_string())
}
