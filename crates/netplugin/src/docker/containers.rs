//! Which container an endpoint belongs to, as the engine tells it.

use std::collections::BTreeMap;

use super::client::EngineContainer;

/// A container's name and labels. No packet's fate depends on them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerFacts {
    pub id: String,
    pub name: String,
    pub labels: BTreeMap<String, String>,
}

/// The containers by the endpoints that they hold.
pub(super) fn by_endpoint(containers: &[EngineContainer]) -> BTreeMap<String, ContainerFacts> {
    let mut found = BTreeMap::new();
    for container in containers {
        let name = container
            .names
            .iter()
            .map(|name| name.trim_start_matches('/'));
        let facts = ContainerFacts {
            id: container.id.clone(),
            // Links show up as further names, OTHER/ALIAS.
            name: name
                .min_by_key(|name| name.matches('/').count())
                .unwrap_or_default()
                .to_owned(),
            labels: container.labels.clone(),
        };
        let held = container.network_settings.networks.values();
        for endpoint in held.filter(|occupant| !occupant.endpoint_id.is_empty()) {
            found.insert(endpoint.endpoint_id.clone(), facts.clone());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_found_by_each_of_its_endpoints() {
        let text = r#"[{"Id": "c1", "Names": ["/other/alias", "/web"], "Labels": {"a": "b"},
            "NetworkSettings": {"Networks": {"one": {"EndpointID": "e1"},
            "two": {"EndpointID": "e2"}, "none": {"EndpointID": ""}}}},
            {"Id": "c2", "Names": null, "Labels": null, "NetworkSettings": null}]"#;
        let found = by_endpoint(&serde_json::from_str::<Vec<_>>(text).unwrap());
        assert_eq!(found.keys().collect::<Vec<_>>(), ["e1", "e2"]);
        assert_eq!(
            (found["e2"].name.as_str(), found["e2"].labels["a"].as_str()),
            ("web", "b")
        );
    }
}
