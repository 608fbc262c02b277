//! What somebody else has taken away: noticed, put back, and told.
//!
//! Links, routes and attachments can be changed by everybody who is root on the host. What a data
//! plane has made and does not find any more was somebody else's doing, since it forgets what it
//! takes away itself. An endpoint's link is none of these: it goes with its container.

use std::collections::BTreeSet;
use std::mem::take;

use ipnet::IpNet;

use crate::attach::{Attacher, Program};
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
    routes: BTreeSet<IpNet>,
    turn: u32,
    /// The endpoint that was looked at last.
    last: Option<String>,
    repairs: Vec<Repair>,
}

impl Guard {
    /// Notes what is there.
    pub(crate) fn remember(&mut self, links: &[Link], routes: &[Route]) {
        let ours = links.iter().filter(|link| is_watched(&link.name));
        self.links = ours.map(|link| link.name.clone()).collect();
        self.routes = by_door(links, routes);
    }

    /// Notes what is not there any more; answers with whether anything is missing.
    pub(crate) fn miss(&mut self, links: &[Link], routes: &[Route]) -> bool {
        let names: BTreeSet<&str> = links.iter().map(|link| link.name.as_str()).collect();
        let (have, known) = (by_door(links, routes), take(&mut self.links));
        let mut missing = false;
        for name in known {
            if names.contains(name.as_str()) {
                self.links.insert(name);
            } else {
                missing = true;
                self.note(Lost::Link, "", format!("link {name} was deleted"));
            }
        }
        let whole = self.links.contains(DOOR);
        for to in take(&mut self.routes) {
            if have.contains(&to) {
                self.routes.insert(to);
            } else {
                missing = true;
                // They go with their link.
                if whole {
                    let message = format!("the route to {to} by {DOOR} was deleted");
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

fn is_watched(link: &str) -> bool {
    [DOOR, DOOR_INSIDE, TUNNEL].contains(&link)
}

/// Prefixes that the host reaches by its own door.
fn by_door(links: &[Link], routes: &[Route]) -> BTreeSet<IpNet> {
    let door = links.iter().find(|link| link.name == DOOR);
    let ours = routes
        .iter()
        .filter(|route| !route.local && door.is_some_and(|door| door.index == route.link));
    // The kernel makes and removes those of link-local and multicast addresses by itself.
    let lasting = ours.filter(|route| match route.to {
        IpNet::V4(_) => true,
        IpNet::V6(net) => !net.network().is_multicast() && !net.network().is_unicast_link_local(),
    });
    lasting.map(|route| route.to).collect()
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
        for (id, index) in self.next_endpoints() {
            let name = link_names(&id).0;
            self.watch_program(&name, index, Program::Endpoint, &id)?;
        }
        if !self.guard.turn.is_multiple_of(LOOK) || self.door.is_none() {
            return Ok(false);
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
        let routes = self.routes()?;
        Ok(self.guard.miss(&links, &routes))
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

    fn watch_program(
        &mut self,
        name: &str,
        index: u32,
        program: Program,
        endpoint: &str,
    ) -> Result<(), Error> {
        if self.attacher.runs_by_tcx(name, index) {
            return Ok(());
        }
        let look = |error| Error::netlink(format!("look at {name}"))(error);
        // Links of ends that went with their containers are none that somebody has changed.
        let link = self.netlink.link(name).map_err(look)?;
        let Some(link) = link.filter(|link| link.index == index) else {
            return Ok(());
        };
        if is_attached(&self.attacher, &mut self.netlink, &link)? {
            return Ok(());
        }
        self.attacher.ensure(&mut self.netlink, &link, program)?;
        let what = format!("the program at {name} was detached");
        self.guard.note(Lost::Program, endpoint, what);
        Ok(())
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
        guard.remember(&links, &routes);
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
        guard.remember(&links, &routes);
        assert!(guard.miss(&[], &[]));
        let told = messages(&mut guard);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told.iter().all(|text| text.contains("link contiv")));
    }
}
