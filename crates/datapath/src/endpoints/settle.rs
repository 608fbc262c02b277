//! From the way of attaching that is quick to begin with to the one that is quick afterwards.
//!
//! To attach by tcx waits for a grace period of the kernel, ten milliseconds or so, and has
//! everybody wait who changes links; a filter of `clsact` takes less than one. So a new
//! endpoint's program comes by a filter, and when no endpoint was made for a while it comes
//! by tcx as well and leaves the filter. Packets meet one program at all times.

use std::collections::BTreeSet;

use super::{Endpoints, links};
use crate::Error;
use crate::attach::{Attacher, Program};
use crate::names::link_names;
use crate::netlink::Netlink;

/// Ticks without a new endpoint before links are settled: two seconds, since starts of
/// containers follow each other more quickly where time matters.
const QUIET: u32 = 8;

/// Endpoints whose program is not attached for good. A later agent sees it by the links.
#[derive(Debug, Default)]
pub(super) struct Unsettled {
    ids: BTreeSet<String>,
    /// Ticks since one was added.
    quiet: u32,
}

impl Unsettled {
    pub(super) fn add(&mut self, id: &str) {
        self.ids.insert(id.to_owned());
        self.quiet = 0;
    }

    pub(super) fn forget(&mut self, id: &str) {
        self.ids.remove(id);
    }

    /// The next one to settle, if it is time.
    fn next(&mut self) -> Option<String> {
        self.quiet = self.quiet.saturating_add(1);
        if self.quiet < QUIET {
            return None;
        }
        self.ids.pop_first()
    }
}

impl Endpoints {
    /// Attaches one endpoint's program for good, if it is time.
    pub(crate) fn settle(
        &mut self,
        netlink: &mut Netlink,
        attacher: &Attacher,
    ) -> Result<(), Error> {
        let Some(id) = self.unsettled.next() else {
            return Ok(());
        };
        let Some(local) = self.by_id.get(&id) else {
            return Ok(());
        };
        // Its container may have ended and taken the link along.
        let link = links::find(netlink, &link_names(&id).0)?;
        let Some(link) = link.filter(|link| link.index == local.row.interface) else {
            return Ok(());
        };
        let settled = attacher.ensure(netlink, &link, Program::Endpoint);
        if settled.is_err() {
            self.unsettled.ids.insert(id);
        }
        settled
    }
}
