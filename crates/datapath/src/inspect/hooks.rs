//! Programs of others where ours run.

use std::collections::BTreeSet;

use crate::names::{DOOR_INSIDE, TUNNEL, is_ours};
use crate::netlink::Link;
use crate::{Error, Plane, bpf};

/// A program of somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    pub link: String,
    pub hook: Hook,
    /// Its name, or its number.
    pub program: String,
}

/// Where a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    Xdp,
    TcxIngress,
    TcxEgress,
    TcIngress,
    TcEgress,
}

impl Hook {
    /// As the tools of the kernel name it.
    pub fn name(self) -> &'static str {
        match self {
            Hook::Xdp => "xdp",
            Hook::TcxIngress => "tcx/ingress",
            Hook::TcxEgress => "tcx/egress",
            Hook::TcIngress => "tc ingress",
            Hook::TcEgress => "tc egress",
        }
    }
}

impl Plane {
    /// Programs of others on our links and on the one to the other hosts, and our links at which
    /// nothing of ours runs.
    pub(super) fn hooks(
        &mut self,
        links: &[Link],
        endpoints: &BTreeSet<String>,
        underlay: Option<&str>,
    ) -> Result<(Vec<Foreign>, Vec<String>), Error> {
        let ours = self.attacher.numbers();
        let ours = ours.map_err(Error::netlink("ask for the numbers of programs"))?;
        let (mut foreign, mut bare) = (Vec::new(), Vec::new());
        for link in links {
            let watched = is_ours(&link.name) || underlay == Some(link.name.as_str());
            if !watched {
                continue;
            }
            let (others, is_guarded) = self.hooks_of(link, &ours)?;
            foreign.extend(others);
            let guarded = endpoints.contains(&link.name)
                || [DOOR_INSIDE, TUNNEL].contains(&link.name.as_str());
            if guarded && !is_guarded {
                bare.push(link.name.clone());
            }
        }
        Ok((foreign, bare))
    }

    fn hooks_of(&mut self, link: &Link, ours: &[u32]) -> Result<(Vec<Foreign>, bool), Error> {
        let mut found = Vec::new();
        let mut is_guarded = false;
        let mut add = |hook, program: String| {
            let link = link.name.clone();
            found.push(Foreign {
                link,
                hook,
                program,
            });
        };
        if let Some(id) = link.xdp {
            add(Hook::Xdp, named(id));
        }
        for (hook, arriving) in [(Hook::TcxIngress, true), (Hook::TcxEgress, false)] {
            // Kernels without tcx have nobody's programs there.
            for id in bpf::tcx_programs(link.index, arriving).unwrap_or_default() {
                match ours.contains(&id) {
                    true => is_guarded |= arriving,
                    false => add(hook, named(id)),
                }
            }
        }
        let filters = self.netlink.filters(link.index);
        let what = || format!("list the filters of {}", link.name);
        for filter in filters.map_err(|error| Error::netlink(what())(error))? {
            match (filter.ours, filter.arriving) {
                (true, _) => is_guarded = true,
                (false, true) => add(Hook::TcIngress, filter.name),
                (false, false) => add(Hook::TcEgress, filter.name),
            }
        }
        Ok((found, is_guarded))
    }
}

fn named(id: u32) -> String {
    bpf::program_name(id).unwrap_or_else(|| format!("number {id}"))
}
