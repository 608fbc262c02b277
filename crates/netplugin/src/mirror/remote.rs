//! Endpoints of other hosts, in numbers, kept as they change: there may be tens of
//! thousands, and one that comes or goes is no reason to look at the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use contiv_datapath::spec::RemoteSpec;
use contiv_model::agent::{Encap, EndpointView};

use super::{Mirror, Touched, endpoint_spec};

/// The endpoints of other hosts whose network spans hosts.
#[derive(Debug, Default)]
pub(crate) struct Remotes {
    specs: Arc<BTreeMap<String, RemoteSpec>>,
}

impl Remotes {
    /// Follows the mirror of `host` in what was touched since the last time.
    pub(crate) fn follow(&mut self, mirror: &Mirror, touched: Touched, host: &str) {
        match touched {
            Touched::Endpoints(ids) => {
                for id in ids {
                    let endpoint = mirror.endpoint(&id);
                    let spec = endpoint.and_then(|e| remote_spec(mirror, e, host));
                    // An equal one is left alone: whoever has the map need not look again.
                    if self.specs.get(&id) == spec.as_ref() {
                        continue;
                    }
                    let specs = Arc::make_mut(&mut self.specs);
                    match spec {
                        Some(spec) => specs.insert(id, spec),
                        None => specs.remove(&id),
                    };
                }
            }
            Touched::All => {
                let endpoints = mirror.endpoints();
                let specs: BTreeMap<String, RemoteSpec> = endpoints
                    .filter_map(|e| Some((e.id.clone(), remote_spec(mirror, e, host)?)))
                    .collect();
                if *self.specs != specs {
                    self.specs = Arc::new(specs);
                }
            }
        }
    }

    pub(crate) fn specs(&self) -> Arc<BTreeMap<String, RemoteSpec>> {
        Arc::clone(&self.specs)
    }
}

/// None for an endpoint of this host, or one that is not met over the underlay.
fn remote_spec(mirror: &Mirror, endpoint: &EndpointView, host: &str) -> Option<RemoteSpec> {
    if endpoint.host == host {
        return None;
    }
    let network = mirror.network(&endpoint.tenant, &endpoint.network)?;
    if network.encap != Encap::Vxlan {
        return None;
    }
    let spec = endpoint_spec(mirror, endpoint)?;
    Some(RemoteSpec {
        tenant: spec.tenant,
        network: spec.network,
        group: spec.group,
        ipv4: spec.ipv4,
        ipv6: spec.ipv6,
        mac: spec.mac,
        host: endpoint.host.clone(),
    })
}
