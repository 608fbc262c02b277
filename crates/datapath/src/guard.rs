//! What somebody else has taken away: noticed, put back, and told.
//!
//! Links, routes and attachments can be changed by everybody who is root on the host. What a data
//! plane has made and does not find any more was somebody else's doing, since it forgets what it
//! takes away itself. An endpoint's link is made anew, too; whether it was deleted, or went with its
//! container, knows who asks the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;

use ipnet::IpNet;

use crate::attach::{Attacher, Program};
use crate::footholds::is_the_kernels;
use crate::names::{DOOR, DOOR_INSIDE, TUNNEL, link_names};
use crate::netlink::{Link, Netlink, Route};
use crate::{Error, Plane};

/// Endpoints whose attachments are looked at in one tick.
const AT_ONCE: usize = 16;
/// Ticks from one look at the host's own links and routes to the next.
const LOOK: u32 = 4;

/// Something of ours that somebody else took away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    pub lost: Lost,
    /// The endpoint's id; empty when it is about none.
    pub endpoint: String,
    /// For people: what was gone, and what became of it.
    pub message: String,
}

/// What kind of thing was taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    Link,
    Program,
    Route,
    Firewall,
}

impl Lost {
    /// A word for programs.
    pub fn name(self) -> &'static str {
        match self {
            Lost::Link => "link",
            Lost::Program => "program",
            Lost::Route => "route",
            Lost::Firewall => "firewall",
        }
    }
}

/// What was there when all was as it should be.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    links: BTreeSet<String>,
    /// With the name of the link that each leaves by.
    routes: BTreeMap<IpNet, String>,
    /// Names of the host's own interfaces.
    footholds: BTreeSet<String>,
    turn: u32,
    /// The endpoint that was looked at last.
    last: Option<String>,
    repairs: Vec<Repair>,
}

impl Guard {
    /// Notes what is there, the host's own interfaces among it.
    pub(crate) fn remember(
        &mut self,
        footholds: BTreeSet<String>,
        links: &[Link],
        routes: &[Route],
    ) {
        self.footholds = footholds;
        let ours = links.iter().filter(|link| self.watches(&link.name));
        self.links = ours.map(|link| link.name.clone()).collect();
        self.routes = self.by_ours(links, routes);
    }

    fn watches(&self, link: &str) -> bool {
        [DOOR, DOOR_INSIDE, TUNNEL].contains(&link) || self.footholds.contains(link)
    }

    /// Prefixes that the host reaches by links of ours, with their names.
    fn by_ours(&self, links: &[Link], routes: &[Route]) -> BTreeMap<IpNet, String> {
        let ways = links
            .iter()
            .filter(|link| link.name == DOOR || self.footholds.contains(&link.name));
        let ways: BTreeMap<u32, &Link> = ways.map(|link| (link.index, link)).collect();
        let ours = routes
            .iter()
            .filter(|route| !route.local && !is_the_kernels(route.to));
        let ours = ours.filter_map(|route| Some((route.to, ways.get(&route.link)?.name.clone())));
        ours.collect()
    }

    /// Notes what is not there any more; answers with whether anything is missing.
    pub(crate) fn miss(&mut self, links: &[Link], routes: &[Route]) -> bool {
        let names: BTreeSet<&str> = links.iter().map(|link| link.name.as_str()).collect();
        let (have, known) = (self.by_ours(links, routes), take(&mut self.links));
        let mut missing = false;
        for name in known {
            if names.contains(name.as_str()) {
                self.links.insert(name);
            } else {
                missing = true;
                self.note(Lost::Link, "", format!("link {name} was deleted"));
            }
        }
        for (to, by) in take(&mut self.routes) {
            if have.get(&to) == Some(&by) {
                self.routes.insert(to, by);
            } else {
                missing = true;
                // They go with their link.
                if self.links.contains(&by) {
                    let message = format!("the route to {to} by {by} was deleted");
                    self.note(Lost::Route, "", message);
                }
            }
        }
        missing
    }

    pub(crate) fn note(&mut self, lost: Lost, endpoint: &str, what: String) {
        let message = format!("{what} by somebody else; it is put back");
        tracing::warn!(endpoint, "{message}");
        self.repairs.push(Repair {
            lost,
            endpoint: endpoint.to_owned(),
            message,
        });
    }
}

impl Plane {
    /// What was put back since the last call.
    pub fn repairs(&mut self) -> Vec<Repair> {
        if self.firewall.was_changed() {
            let what = "the nft table inet contiv was changed or flushed".to_owned();
            self.guard.note(Lost::Firewall, "", what);
        }
        take(&mut self.guard.repairs)
    }

    /// Looks at a few attachments, and now and then at links and routes. Programs are put back at
    /// once; true says that [`apply`](Plane::apply) is to put back the rest.
    pub(crate) fn watch(&mut self) -> Result<bool, Error> {
        self.guard.turn = self.guard.turn.wrapping_add(1);
        let mut severed = false;
        for (id, index) in self.next_endpoints() {
            let name = link_names(&id).0;
            severed |= !self.watch_program(&name, index, Program::Endpoint, &id)?;
        }
        if !self.guard.turn.is_multiple_of(LOOK) || self.door.is_none() {
            return Ok(severed);
        }
        let mut links = Vec::new();
        for (name, program) in [
            (DOOR, None),
            (DOOR_INSIDE, Some(Program::Host)),
            (TUNNEL, Some(Program::Overlay)),
        ] {
            let link = self.netlink.link(name);
            let link = link.map_err(Error::netlink(format!("look at {name}")))?;
            if let (Some(link), Some(program)) = (&link, program)
                && self.guard.links.contains(name)
            {
                self.watch_program(name, link.index, program, "")?;
            }
            links.extend(link);
        }
        for name in self.guard.footholds.clone() {
            let link = self.netlink.link(&name);
            links.extend(link.map_err(Error::netlink(format!("look at {name}")))?);
        }
        let routes = self.routes()?;
        Ok(self.guard.miss(&links, &routes) || severed)
    }

    /// The next few endpoints by id, with their links' indexes, beginning anew after the last.
    fn next_endpoints(&mut self) -> Vec<(String, u32)> {
        let last = self.guard.last.take();
        let behind = |id: &str| last.as_deref().is_none_or(|last| id > last);
        let all = self.endpoints.iter().filter(|(id, _)| behind(id));
        let few: Vec<_> = all
            .take(AT_ONCE)
            .map(|(id, local)| (id.to_owned(), local.row.interface))
            .collect();
        if few.len() == AT_ONCE {
            self.guard.last = few.last().map(|(id, _)| id.clone());
        }
        few
    }

    /// False if there is no such link.
    fn watch_program(
        &mut self,
        name: &str,
        index: u32,
        program: Program,
        endpoint: &str,
    ) -> Result<bool, Error> {
        if self.attacher.runs_by_tcx(name, index) {
            return Ok(true);
        }
        let look = |error| Error::netlink(format!("look at {name}"))(error);
        // Links of ends that went with their containers are none that somebody has changed.
        let link = self.netlink.link(name).map_err(look)?;
        let Some(link) = link.filter(|link| link.index == index) else {
            return Ok(false);
        };
        if is_attached(&self.attacher, &mut self.netlink, &link)? {
            return Ok(true);
        }
        self.attacher.ensure(&mut self.netlink, &link, program)?;
        let what = format!("the program at {name} was detached");
        self.guard.note(Lost::Program, endpoint, what);
        Ok(true)
    }
}

fn is_attached(attacher: &Attacher, netlink: &mut Netlink, link: &Link) -> Result<bool, Error> {
    let attached = attacher.is_attached(netlink, link);
    attached.map_err(Error::netlink(format!("look at {}", link.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str) -> Link {
        Link {
            index,
            name: name.into(),
            ..Link::default()
        }
    }

    fn route(to: &str, link: u32) -> Route {
        Route {
            to: to.parse().unwrap(),
            link,
            source: None,
            mtu: 0,
            gateway: false,
            via: None,
            local: false,
        }
    }

    fn messages(guard: &mut Guard) -> Vec<String> {
        let repairs = take(&mut guard.repairs).into_iter();
        repairs.map(|repair| repair.message).collect()
    }

    #[test]
    fn what_was_there_and_is_not_is_told_once() {
        let links = [link(2, DOOR), link(3, DOOR_INSIDE), link(9, "cv1a")];
        let routes = [
            route("10.1.0.0/16", 2),
            route("10.2.0.0/16", 2),
            route("fe80::/64", 2),
            route("10.3.0.0/16", 5),
        ];
        let mut guard = Guard::default();
        assert!(!guard.miss(&links, &routes), "nothing was made yet");
        guard.remember(BTreeSet::new(), &links, &routes);
        assert!(!guard.miss(&links[..2], &routes), "a container has ended");
        assert!(guard.miss(&links, &routes[..1]));
        let told = messages(&mut guard);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("10.2.0.0/16"), "{told:?}");
        assert!(!guard.miss(&links, &routes[..1]), "it was told");
    }

    #[test]
    fn routes_that_went_with_their_link_are_not_told() {
        let links = [link(2, DOOR), link(3, DOOR_INSIDE)];
        let routes = [route("10.1.0.0/16", 2)];
        let mut guard = Guard::default();
        guard.remember(BTreeSet::new(), &links, &routes);
        assert!(guard.miss(&[], &[]));
        let told = messages(&mut guard);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told.iter().all(|text| text.contains("link contiv")));
    }
}
