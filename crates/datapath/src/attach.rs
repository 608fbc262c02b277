//! Programs on links: by tcx where the kernel has it, else by clsact.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use contiv_datapath_abi::programs;

use crate::bpf::{self, LinkFacts};
use crate::netlink::{Link, Netlink};
use crate::pins::{Loaded, Pins};
use crate::{Attach, Error};

/// The programs and how they come to links.
#[derive(Debug)]
pub(crate) struct Attacher {
    programs: Loaded,
    pins: Pins,
    tcx: bool,
    /// By tcx in the end, by clsact to begin with.
    quick_first: bool,
}

/// Which program is meant, by what sends to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Endpoint,
    Host,
    Overlay,
}

impl Attacher {
    pub(crate) fn new(programs: Loaded, pins: Pins, wanted: Attach) -> Attacher {
        let tcx = match wanted {
            Attach::Auto => bpf::has_tcx(),
            Attach::Tcx => true,
            Attach::Clsact => false,
        };
        Attacher {
            programs,
            pins,
            tcx,
            quick_first: tcx && wanted == Attach::Auto,
        }
    }

    /// Whether programs come to links by tcx.
    pub(crate) fn by_tcx(&self) -> bool {
        self.tcx
    }

    /// Has the program run for what arrives at the link, without waiting for the kernel. Says
    /// whether it is attached for good; if not, [`ensure`](Self::ensure) is still to come.
    pub(crate) fn begin(
        &self,
        netlink: &mut Netlink,
        link: &Link,
        program: Program,
    ) -> Result<bool, Error> {
        if !self.quick_first || self.pins.link(&link.name).exists() {
            return self.ensure(netlink, link, program).map(|()| true);
        }
        let (name, descriptor) = self.program(program);
        let set = netlink.set_filter(link.index, name, descriptor);
        let what = format!("attach program {name} to {}", link.name);
        set.map(|()| false).map_err(Error::netlink(what))
    }

    /// Has the program run for what arrives at the link, whatever ran there before.
    ///
    /// An older program is replaced between two packets; what was attached the other
    /// way goes after the new one has come, so that no packet passes unseen.
    pub(crate) fn ensure(
        &self,
        netlink: &mut Netlink,
        link: &Link,
        program: Program,
    ) -> Result<(), Error> {
        let (name, descriptor) = self.program(program);
        let what = || format!("attach program {name} to {}", link.name);
        if self.tcx {
            self.ensure_tcx(link, descriptor)
                .map_err(Error::netlink(what()))?;
            netlink
                .remove_filter(link.index)
                .map_err(Error::netlink(what()))
        } else {
            netlink
                .set_filter(link.index, name, descriptor)
                .map_err(Error::netlink(what()))?;
            self.forget(&link.name)
        }
    }

    /// Whether a program of ours runs for what arrives at the link, one way or the other.
    pub(crate) fn is_attached(&self, netlink: &mut Netlink, link: &Link) -> io::Result<bool> {
        if self.runs_by_tcx(&link.name, link.index) {
            return Ok(true);
        }
        Ok(netlink.filters(link.index)?.iter().any(|f| f.ours))
    }

    /// Whether the link that is pinned for the interface is attached to it.
    pub(crate) fn runs_by_tcx(&self, name: &str, index: u32) -> bool {
        let pinned = bpf::get(&self.pins.link(name));
        let facts = pinned.and_then(|pinned| bpf::link_facts(pinned.as_fd()));
        facts.is_ok_and(|facts| facts.interface == index)
    }

    /// The kernel's numbers of our programs.
    pub(crate) fn numbers(&self) -> io::Result<Vec<u32>> {
        let programs = [Program::Endpoint, Program::Host, Program::Overlay];
        let numbers = programs.map(|program| bpf::program_id(self.program(program).1));
        numbers.into_iter().collect()
    }

    fn program(&self, program: Program) -> (&'static str, BorrowedFd<'_>) {
        match program {
            Program::Endpoint => (programs::FROM_ENDPOINT, self.programs.from_endpoint.as_fd()),
            Program::Host => (programs::FROM_HOST, self.programs.from_host.as_fd()),
            Program::Overlay => (programs::FROM_OVERLAY, self.programs.from_overlay.as_fd()),
        }
    }

    fn ensure_tcx(&self, link: &Link, program: BorrowedFd<'_>) -> io::Result<()> {
        let path = self.pins.link(&link.name);
        match bpf::get(&path) {
            Ok(pinned) => {
                let facts: LinkFacts = bpf::link_facts(pinned.as_fd())?;
                if facts.interface == link.index {
                    if facts.program != bpf::program_id(program)? {
                        bpf::update_link(pinned.as_fd(), program)?;
                    }
                    return Ok(());
                }
                // Of a link that had the name before.
                fs::remove_file(&path)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let attached = match self.older_link(link) {
            Some(older) => {
                bpf::update_link(older.as_fd(), program)?;
                older
            }
            None => bpf::create_tcx(program, link.index)?,
        };
        bpf::pin(attached.as_fd(), &path)
    }

    /// The link that an agent of an older layout has attached there, whose program is replaced
    /// between two packets, too.
    fn older_link(&self, link: &Link) -> Option<OwnedFd> {
        let mut older = self.pins.older();
        older.find_map(|pins| {
            let pinned = bpf::get(&pins.link(&link.name)).ok()?;
            let facts = bpf::link_facts(pinned.as_fd()).ok()?;
            (facts.interface == link.index).then_some(pinned)
        })
    }

    /// Detaches by forgetting the pin; fine when there is none.
    pub(crate) fn forget(&self, interface: &str) -> Result<(), Error> {
        let path = self.pins.link(interface);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::file(format!("remove {}", path.display()))(error))
            }
            _ => Ok(()),
        }
    }
}
