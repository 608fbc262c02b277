//! What has to come to be once everybody is well again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use contiv_datapath::spec::{Desired, EndpointSpec};
use contiv_fabric::{HostReports, Image, reach, snapshot};
use contiv_model::agent::{Revision, StreamMessage};
use contiv_model::reach::TraceRequest;
use contiv_policy::{Action, Direction, Query, evaluate_reference};
use netplugin::Mirror;

use crate::host::HostNode;

/// TCP.
const PROTOCOL: u8 = 6;
const PORTS: [u16; 3] = [80, 160, 443];

/// What a host's agent knows, or should, in an order that does not matter.
fn known(mirror: &Mirror) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    known.extend(mirror.global().map(|o| format!("{o:?}")));
    known.extend(mirror.tenants().map(|o| format!("{o:?}")));
    known.extend(mirror.networks().map(|o| format!("{o:?}")));
    known.extend(mirror.groups().map(|o| format!("{o:?}")));
    known.extend(mirror.policies().map(|o| format!("{o:?}")));
    known.extend(mirror.rules().map(|o| format!("{o:?}")));
    known.extend(mirror.endpoints().map(|o| format!("{o:?}")));
    known.extend(mirror.hosts().map(|o| format!("{o:?}")));
    known.extend(mirror.docker_networks().map(|o| format!("{o:?}")));
    known
}

/// Where a host is not yet what the image says; empty when it is.
pub(crate) fn differences(image: &Image, node: &HostNode) -> Vec<String> {
    let name = &node.name;
    let Some(agent) = &node.agent else {
        return vec![format!("{name} has no agent")];
    };
    let mut wrong = Vec::new();
    let mut mirror = Mirror::default();
    mirror.apply(StreamMessage::Snapshot {
        revision: Revision::default(),
        objects: snapshot(image, name),
    });
    let (should, is) = (known(&mirror), known(&agent.core.replica.read()));
    wrong.extend(
        should
            .difference(&is)
            .map(|o| format!("{name} does not know {o}")),
    );
    wrong.extend(
        is.difference(&should)
            .map(|o| format!("{name} still knows {o}")),
    );

    let kernel = node.kernel.state();
    let stored: BTreeMap<&String, Ipv4Addr> =
        image.endpoints_on(name).map(|e| (&e.id, e.ipv4)).collect();
    for (id, address) in &stored {
        match kernel.endpoints.get(*id) {
            Some(spec) if spec.ipv4 == *address => {}
            other => wrong.push(format!(
                "{name}: {id} at {address} is {other:?} in the kernel"
            )),
        }
    }
    for (id, spec) in kernel
        .endpoints
        .iter()
        .filter(|(id, _)| !stored.contains_key(id))
    {
        wrong.push(format!(
            "{name}: {id} at {} is in the kernel alone",
            spec.ipv4
        ));
    }
    for (id, container) in node.engine.containers() {
        let fenced = agent.has_fenced(&id);
        if container.runs && !stored.contains_key(&id) && !fenced {
            wrong.push(format!(
                "{name}: container {id} runs, and masters do not know it"
            ));
        }
    }
    let containers = node.engine.containers();
    let left = stored.keys().filter(|id| !containers.contains_key(**id));
    wrong.extend(left.map(|id| format!("{name}: {id} is stored, and no container has it")));
    wrong
}

/// Addresses that are held for nobody.
pub(crate) fn leaks(image: &Image) -> Vec<String> {
    let held: BTreeSet<(String, Ipv4Addr)> = image
        .endpoints()
        .map(|e| (format!("{}:{}", e.tenant, e.network), e.ipv4))
        .collect();
    let mut leaks = Vec::new();
    for owned in image.addresses() {
        let network = format!("{}:{}", owned.tenant, owned.network);
        let std::net::IpAddr::V4(address) = owned.address else {
            continue;
        };
        let gateway = address.octets()[3] == 14;
        if !gateway && !held.contains(&(network.clone(), address)) {
            leaks.push(format!(
                "{address} of {network} is held for nobody: {:?}",
                owned.state
            ));
        }
    }
    if held.len() != image.endpoints().count() {
        leaks.push("two endpoints have one address".into());
    }
    leaks
}

/// Pairs of endpoints of which the hosts say something else than the evaluator.
pub(crate) fn disagreements(image: &Image, hosts: &[HostNode]) -> Vec<String> {
    let mut wrong = Vec::new();
    let desired: BTreeMap<&String, Desired> = hosts
        .iter()
        .filter_map(|host| Some((&host.name, host.kernel.state().desired.clone()?)))
        .collect();
    for from in image.endpoints() {
        for to in image.endpoints() {
            let same = (&from.tenant, &from.network) == (&to.tenant, &to.network);
            if !same || from.id == to.id {
                continue;
            }
            for port in PORTS {
                let request = TraceRequest {
                    tenant_name: from.tenant.clone(),
                    from: format!("endpoint:{}", from.id),
                    to: format!("endpoint:{}", to.id),
                    protocol: "tcp".into(),
                    port: Some(port),
                    ..TraceRequest::default()
                };
                let reports = HostReports::default();
                let said = match reach::trace(image, &reports, String::new(), &request) {
                    Ok(tracing) => tracing.document.verdict,
                    Err(refusal) => format!("{refusal:?}"),
                };
                let judge = |host: &String, direction| {
                    judge(desired.get(host)?, (&from.id, &to.id), direction, port)
                };
                let out = judge(&from.host, Direction::Out);
                let into = judge(&to.host, Direction::In);
                let open = out == Some(true) && into == Some(true);
                let found = if open { "allow" } else { "deny" };
                if said != found {
                    let (from, to) = (&from.id, &to.id);
                    wrong.push(format!(
                        "{from} to {to} port {port}: the evaluator says {said}; sender {out:?}, receiver {into:?}"
                    ));
                }
            }
        }
    }
    wrong
}

/// What one host says of its side of a connection.
fn judge(
    desired: &Desired,
    (from, to): (&str, &str),
    direction: Direction,
    port: u16,
) -> Option<bool> {
    let end = |id: &str| -> Option<EndpointSpec> {
        if let Some(local) = desired.local.get(id) {
            return Some(local.clone());
        }
        let remote = desired.remote.get(id)?;
        Some(EndpointSpec {
            tenant: remote.tenant,
            network: remote.network,
            group: remote.group,
            ipv4: remote.ipv4,
            ipv6: remote.ipv6,
            mac: remote.mac,
        })
    };
    let (from, to) = (end(from)?, end(to)?);
    let (own, peer) = match direction {
        Direction::Out => (from, to),
        Direction::In => (to, from),
    };
    let policy = &desired.tenants.get(&own.tenant)?.policy;
    let query = Query {
        root: 0,
        subject_group: own.group,
        peer_group: peer.group,
        own_address: own.ipv4.to_ipv6_mapped().octets(),
        peer_address: peer.ipv4.to_ipv6_mapped().octets(),
        direction,
        protocol: PROTOCOL,
        port,
    };
    Some(evaluate_reference(policy, &query).action == Action::Allow)
}
