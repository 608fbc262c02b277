//! Running containers that have lost their link, and get another one.
//!
//! Somebody may delete a link, on the host or in a container. The data plane makes the pair anew;
//! then it is an endpoint like one that no engine has taken yet. It is given to its container
//! when all of this holds:
//! 1. the master says that it is on this host, and it is not departing;
//! 2. the container's end is beside the host's end, or down: an agent may have ended between
//!    moving it and setting it up;
//! 3. so it has been for longer than an engine takes from making an endpoint to moving its end;
//! 4. the engine says that a container which runs holds it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use contiv_datapath::ContainerEnd;
use contiv_model::agent::{EndpointView, ObjectKind, ObjectRef, Problem};
use ipnet::{Ipv4Net, Ipv6Net};

use super::client::{EngineClient, EngineProcess};
use super::containers::ContainerFacts;
use super::lasting::Lasting;
use crate::data_plane::{Attachment, EndpointFacts, SharedPlane};
use crate::mirror::Mirror;

/// Why an endpoint is not as it should be, in a word.
const LINK_LOST: &str = "LinkLost";

/// An engine moves an end as soon as the endpoint is made.
const WHILE: Duration = Duration::from_secs(2);

/// What does not come right within this time is looked at from time to time.
const URGENT: Duration = Duration::from_secs(10);

/// Endpoints that no container seems to have, and since when.
#[derive(Debug, Default)]
pub(super) struct Severed {
    since: Lasting,
}

impl Severed {
    /// Takes a look; answers with those that have been without a container for long enough.
    pub(super) fn look(
        &mut self,
        mirror: &Mirror,
        host: &str,
        departing: &BTreeSet<String>,
        kernel: &BTreeMap<String, EndpointFacts>,
        now: Instant,
    ) -> Vec<EndpointView> {
        let detached =
            |facts: &EndpointFacts| facts.attachment == Attachment::Detached || facts.idle;
        let lacking = |id: &str| kernel.get(id).is_none_or(detached);
        let found: BTreeMap<&str, &EndpointView> = mirror
            .endpoints()
            .filter(|e| e.host == host && !departing.contains(&e.id) && lacking(&e.id))
            .map(|e| (e.id.as_str(), e))
            .collect();
        self.since.note(found.keys().copied(), now);
        let ripe = found
            .into_iter()
            .filter(|(id, _)| kernel.get(*id).is_some_and(detached))
            .filter(|(id, _)| self.since.is_ripe(id, WHILE, now));
        ripe.map(|(_, endpoint)| endpoint.clone()).collect()
    }

    /// Whether another look is to come soon.
    pub(super) fn is_urgent(&self, now: Instant) -> bool {
        self.since.has_younger(URGENT, now)
    }
}

/// Gives an endpoint a new end in the container that holds it; answers with the end's name, or
/// none if it has one, which it has put down itself.
pub(super) async fn give_back(
    endpoint: &EndpointView,
    container: &ContainerFacts,
    end: ContainerEnd,
    engine: &EngineClient,
    plane: &SharedPlane,
) -> Result<Option<String>, String> {
    let process = engine.container(&container.id).await;
    let process = process.map_err(|error| error.to_string())?;
    let sandbox = open(&process)?;
    let id = endpoint.id.clone();
    let handed = plane.with(move |plane| plane.hand_over(&id, sandbox.into(), &end));
    handed.await.map_err(|error| error.to_string())
}

/// The container's namespace: by where its engine keeps it, which may be out of this agent's sight,
/// else by the container's first process.
fn open(process: &EngineProcess) -> Result<File, String> {
    let mut ways = Vec::new();
    if !process.sandbox.sandbox_key.is_empty() {
        ways.push(PathBuf::from(&process.sandbox.sandbox_key));
    }
    if process.state.pid > 0 {
        ways.push(PathBuf::from(format!("/proc/{}/ns/net", process.state.pid)));
    }
    let mut seen = Vec::new();
    for way in ways {
        match File::open(&way) {
            Ok(sandbox) => return Ok(sandbox),
            Err(error) => seen.push(format!("{}: {error}", way.display())),
        }
    }
    Err(match seen.is_empty() {
        true => "the engine names no namespace of it".into(),
        false => seen.join("; "),
    })
}

/// How the end of an endpoint is in its container; none while its network is not known.
pub(super) fn end_of(mirror: &Mirror, endpoint: &EndpointView) -> Option<ContainerEnd> {
    let network = mirror.network(&endpoint.tenant, &endpoint.network)?;
    let ipv6 = endpoint.ipv6.zip(network.ipv6_subnet);
    Some(ContainerEnd {
        ipv4: Ipv4Net::new(endpoint.ipv4, network.subnet.prefix_len()).ok()?,
        ipv6: ipv6.and_then(|(ip, subnet)| Ipv6Net::new(ip, subnet.prefix_len()).ok()),
        gateway: network.gateway,
        ipv6_gateway: network.ipv6_gateway.filter(|_| ipv6.is_some()),
    })
}

/// That an endpoint has no link in its container, and why it gets none.
pub(super) fn problem(endpoint: &EndpointView, whose: &str, why: &str) -> Problem {
    Problem {
        object: ObjectRef {
            kind: ObjectKind::Endpoint,
            key: endpoint.id.clone(),
        },
        reason: LINK_LOST.into(),
        message: format!(
            "{} in network {} of tenant {} has no link in {whose}: {why}",
            endpoint.ipv4, endpoint.network, endpoint.tenant
        ),
    }
}

#[cfg(test)]
mod tests {
    use contiv_model::agent::{HostObject, Mac, Revision, StreamMessage};

    use super::*;

    fn mirror(ids: &[&str]) -> Mirror {
        let view = |id: &&str| {
            HostObject::Endpoint(EndpointView {
                id: (*id).into(),
                tenant: "default".into(),
                network: "net".into(),
                group: None,
                host: "h1".into(),
                ipv4: "10.1.2.1".parse().unwrap(),
                ipv6: None,
                mac: Mac::default(),
            })
        };
        let mut mirror = Mirror::default();
        mirror.apply(StreamMessage::Snapshot {
            revision: Revision::default(),
            objects: ids.iter().map(view).collect(),
        });
        mirror
    }

    #[test]
    fn what_is_made_anew_and_stays_beside_the_hosts_end_is_given_back() {
        let mirror = mirror(&["in-use", "severed", "departing"]);
        let departing = BTreeSet::from(["departing".to_owned()]);
        let facts = |attachment| EndpointFacts {
            attachment,
            ..EndpointFacts::default()
        };
        let mut kernel = BTreeMap::from([("in-use".to_owned(), facts(Attachment::InUse))]);
        let (start, mut severed) = (Instant::now(), Severed::default());
        let after = |millis: u64| start + Duration::from_millis(millis);
        let mut look = |kernel: &_, now| {
            let found = severed.look(&mirror, "h1", &departing, kernel, now);
            let ids: Vec<String> = found.into_iter().map(|e| e.id).collect();
            (ids, severed.is_urgent(now))
        };
        assert_eq!(
            look(&kernel, after(0)),
            (vec![], true),
            "the link is not made yet"
        );
        kernel.insert("severed".into(), facts(Attachment::Detached));
        assert_eq!(
            look(&kernel, after(1000)),
            (vec![], true),
            "an engine may yet move it"
        );
        assert_eq!(look(&kernel, after(2000)).0, ["severed"]);
        assert!(
            !look(&kernel, after(11_000)).1,
            "it is looked at from time to time"
        );
        kernel.insert("severed".into(), facts(Attachment::InUse));
        assert_eq!(look(&kernel, after(12_000)), (vec![], false));
    }
}
