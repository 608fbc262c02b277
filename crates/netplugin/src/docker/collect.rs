//! Endpoints that nobody will delete: their container, or the engine that should
//! have deleted them, died at the wrong moment.
//!
//! An endpoint is collected when all of this holds:
//! 1. the master says that it is on this host, and it is not departing;
//! 2. the kernel has no link of it in use: none at all, or one whose container's
//!    end is not in any container;
//! 3. so it has been for a while, longer than a start takes;
//! 4. the engine says, for each Docker network that the endpoint could be of, that
//!    no container holds it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use contiv_model::agent::Foothold;

use super::client::EngineClient;
use super::lasting::Lasting;
use crate::data_plane::{Attachment, EndpointFacts};
use crate::error::Error;
use crate::mirror::Mirror;

/// An engine gives up on a container's start long before.
const WHILE: Duration = Duration::from_secs(15);

/// Endpoints that look abandoned, and since when.
#[derive(Debug, Default)]
pub(super) struct Abandoned {
    since: Lasting,
}

impl Abandoned {
    /// Takes a look; answers with those that have looked abandoned for long enough.
    pub(super) fn look(
        &mut self,
        mirror: &Mirror,
        host: &str,
        departing: &BTreeSet<String>,
        kernel: &BTreeMap<String, EndpointFacts>,
        now: Instant,
    ) -> Vec<String> {
        let abandoned = |id: &str| match kernel.get(id) {
            None => true,
            Some(facts) => facts.attachment == Attachment::Detached,
        };
        let found: BTreeSet<&str> = mirror
            .endpoints()
            .filter(|e| e.host == host && !departing.contains(&e.id) && abandoned(&e.id))
            // The host's own interfaces are no engine's.
            .filter(|e| !Foothold::is_id(&e.id))
            .map(|e| e.id.as_str())
            .collect();
        self.since.note(found.iter().copied(), now);
        let ripe = found
            .into_iter()
            .filter(|id| self.since.is_ripe(id, WHILE, now));
        ripe.map(str::to_owned).collect()
    }
}

/// Those of `ids` that the engine, asked for each of `networks`, holds no container for.
pub(super) async fn unheld(
    engine: &EngineClient,
    networks: &BTreeSet<String>,
    ids: Vec<String>,
) -> Result<Vec<String>, Error> {
    let mut held = BTreeSet::new();
    for network in networks {
        if let Some(network) = engine.network(network).await? {
            held.extend(network.containers.into_values().map(|o| o.endpoint_id));
        }
    }
    Ok(ids.into_iter().filter(|id| !held.contains(id)).collect())
}

#[cfg(test)]
mod tests {
    use contiv_model::agent::{EndpointView, HostObject, Mac, Revision, StreamMessage};

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
        let objects = ids.iter().map(view).collect();
        mirror.apply(StreamMessage::Snapshot {
            revision: Revision::default(),
            objects,
        });
        mirror
    }

    fn facts(attachment: Attachment) -> EndpointFacts {
        EndpointFacts {
            attachment,
            ..EndpointFacts::default()
        }
    }

    #[test]
    fn only_what_stays_unused_for_a_while_is_ripe() {
        let mirror = mirror(&["in-use", "detached", "missing", "departing"]);
        let departing = BTreeSet::from(["departing".to_owned()]);
        let mut kernel = BTreeMap::from([
            ("in-use".to_owned(), facts(Attachment::InUse)),
            ("detached".to_owned(), facts(Attachment::Detached)),
        ]);
        let (start, mut abandoned) = (Instant::now(), Abandoned::default());
        let mut look = |kernel: &_, after: u64| {
            abandoned.look(
                &mirror,
                "h1",
                &departing,
                kernel,
                start + Duration::from_secs(after),
            )
        };
        assert!(look(&kernel, 0).is_empty());
        assert!(look(&kernel, 14).is_empty());
        assert_eq!(look(&kernel, 15), ["detached", "missing"]);

        kernel.insert("detached".into(), facts(Attachment::InUse));
        assert_eq!(look(&kernel, 16), ["missing"]);
        kernel.insert("detached".into(), facts(Attachment::Detached));
        assert_eq!(look(&kernel, 17), ["missing"], "the time starts anew");
    }

    #[test]
    fn endpoints_of_other_hosts_are_not_looked_at() {
        let mirror = mirror(&["missing"]);
        let mut abandoned = Abandoned::default();
        for after in [0, 100] {
            let now = Instant::now() + Duration::from_secs(after);
            let found = abandoned.look(&mirror, "h2", &BTreeSet::new(), &BTreeMap::new(), now);
            assert!(found.is_empty());
        }
    }
}
