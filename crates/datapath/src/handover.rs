//! From an older layout of the maps to this build's, while packets flow.
//!
//! 1. The new layout's maps are made aside. Those that are alike in both layouts are the old ones
//!    themselves, rows and all: endpoints, serials and private addresses, tenants, policies.
//! 2. They take their place by one rename, so that an agent that ends before begins anew.
//! 3. Rows of maps that have changed are converted: the host's settings, and connections.
//! 4. Programs of this build take the place of the old ones at each link between two packets. The
//!    old ones work until then, and nothing changes what they see.
//! 5. Connections that have begun meanwhile are converted, too. Then the old pins go.
//!
//! Whoever ends between these steps leaves the old pins, by which the next one does them again.

mod layout1;

use std::fs;
use std::os::fd::AsFd;

use contiv_datapath_abi::maps;

use crate::Error;
use crate::bpf::{self, Shape};
use crate::pins::Pins;
use layout1::Layout1;

/// An older layout whose place is being taken.
#[derive(Debug)]
pub(crate) struct HandOver {
    rows: Layout1,
}

impl HandOver {
    /// Sees to it that the new layout's maps are there if an older one is.
    pub(crate) fn begin(pins: &Pins) -> Result<Option<HandOver>, Error> {
        let Some(old) = pins.older().next() else {
            return Ok(None);
        };
        if !pins.has_maps() {
            let kept = make(pins, &old)?;
            tracing::info!(
                kept = kept.join(" "),
                "the maps have a new layout and take over from the old one"
            );
        }
        let rows = Layout1::open(&old, pins)?;
        Ok(Some(HandOver { rows }))
    }

    /// Fills maps that have changed, before programs read them.
    pub(crate) fn fill(&self) -> Result<(), Error> {
        self.rows.convert_config()?;
        let connections = self.rows.convert_flows()?;
        self.rows.count(&connections)?;
        let connections: u64 = connections.values().sum();
        tracing::info!(connections, "connections go on in the new layout");
        Ok(())
    }

    /// Takes over what has begun before the last program was replaced.
    pub(crate) fn finish(self) -> Result<(), Error> {
        self.rows.convert_flows().map(drop)
    }
}

/// Makes the maps aside, and puts them in their place. Says which are the old ones.
fn make(pins: &Pins, old: &Pins) -> Result<Vec<&'static str>, Error> {
    let part = pins.in_part();
    part.remove_layout()?;
    part.make_maps()?;
    let mut kept = Vec::new();
    for (name, _) in maps::ALL {
        let Some(before) = shape(old, name)? else {
            continue;
        };
        if shape(&part, name)? != Some(before) {
            continue;
        }
        let (from, to) = (old.map(name), part.map(name));
        let failed = |error| Error::file(format!("keep map {name}"))(error);
        let map = bpf::get(&from).map_err(failed)?;
        fs::remove_file(&to).map_err(failed)?;
        bpf::pin(map.as_fd(), &to).map_err(failed)?;
        kept.push(name);
    }
    part.replace(pins)?;
    Ok(kept)
}

/// What a map is like; none when there is none.
fn shape(pins: &Pins, name: &str) -> Result<Option<Shape>, Error> {
    let path = pins.map(name);
    if !path.exists() {
        return Ok(None);
    }
    let shape = bpf::get(&path).and_then(|map| bpf::shape(map.as_fd()));
    shape
        .map(Some)
        .map_err(Error::file(format!("look at {}", path.display())))
}
