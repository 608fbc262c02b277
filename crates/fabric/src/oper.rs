//! The `Oper` halves of inspect documents, from the image and from what hosts report.

mod conditions;

use contiv_ipam::{Family, NumberPool, RangeSet};
use contiv_model::agent::{Encap, ObjectKind, PoolRef, Problem};
use contiv_model::inspect::{
    EndpointOper, GlobalOper, GroupOper, NetworkOper, PolicyHost, PolicyOper, RuleOper, TenantOper,
    printed_labels,
};
use contiv_model::parsed::{NetworkType, is_automatic};

use crate::image::{DEFAULT_TENANT, Image, KnownNetwork};
use crate::key::Key;
use crate::record::EndpointRecord;
use crate::reports::{HostReport, HostReports};
use conditions::Subject;

/// What clients of the original read about the engine that the fabric is for.
const CLUSTER_MODE: &str = "docker";

/// The tags in use.
pub fn global(image: &Image, reports: &HostReports) -> GlobalOper {
    let used = |encap| NumberPool::new(1, u32::MAX).with_used(image.tags(encap));
    let (vlans, vxlans) = (used(Encap::Vlan), used(Encap::Vxlan));
    let free = image.global().and_then(|global| {
        let range = global.parsed.vxlans;
        let tags = NumberPool::new(range.first, range.last);
        tags.with_used(image.tags(Encap::Vxlan)).lowest_free()
    });
    let subject = Subject::new(image, ObjectKind::Global, "global", &Key::Global);
    GlobalOper {
        num_networks: u64::from(vlans.used_count()) + u64::from(vxlans.used_count()),
        default_network: String::new(),
        vlans_in_use: vlans.used_text(),
        vxlans_in_use: vxlans.used_text(),
        free_vxlans_start: free.unwrap_or_default(),
        cluster_mode: CLUSTER_MODE.into(),
        conditions: subject.conditions(reports),
    }
}

/// What is in a tenant.
pub fn tenant(image: &Image, reports: &HostReports, key: &str) -> Option<TenantOper> {
    image.tenant(key)?;
    let networks: Vec<NetworkOper> = image
        .networks_of(key)
        .filter_map(|(network, _)| self::network(image, reports, network))
        .collect();
    let groups: Vec<GroupOper> = image
        .groups_of(key)
        .filter_map(|(group, _)| self::group(image, reports, group))
        .collect();
    let subject = Subject::new(image, ObjectKind::Tenant, key, &Key::Tenant(key.to_owned()));
    Some(TenantOper {
        total_networks: count(networks.len()),
        total_epgs: count(groups.len()),
        total_policies: count(image.policies_of(key).count()),
        total_endpoints: networks.iter().map(|network| network.num_endpoints).sum(),
        networks,
        endpoint_groups: groups,
        conditions: subject.conditions(reports),
    })
}

/// A network's tag, addresses and endpoints.
pub fn network(image: &Image, reports: &HostReports, key: &str) -> Option<NetworkOper> {
    let known = image.network(key)?;
    let (pkt_tag, external_pkt_tag) = tags(known);
    let endpoints = image.endpoints_of_network(key);
    let endpoints: Vec<EndpointOper> = endpoints.map(|e| endpoint(image, reports, e)).collect();
    let pool = PoolRef {
        tenant: known.parsed.tenant.to_string(),
        network: known.parsed.name.to_string(),
        group: None,
    };
    let number = known.record.number;
    let allocated = Family::ALL.map(|family| {
        let used = image.addresses_in_use(number, family).cloned();
        (used.unwrap_or_default(), family)
    });
    let available = Family::ALL.map(|family| (available(image, &pool, number, family), family));
    let mut subject = Subject::new(
        image,
        ObjectKind::Network,
        key,
        &Key::Network(key.to_owned()),
    );
    if known.parsed.nw_type == NetworkType::Data && !is_automatic(&known.parsed.name) {
        subject = subject.with_docker_network();
    }
    if known.parsed.nw_type == NetworkType::Infra {
        subject = subject.with_interfaces();
    }
    Some(NetworkOper {
        pkt_tag,
        external_pkt_tag,
        num_endpoints: count(endpoints.len()),
        allocated_addresses_count: allocated
            .iter()
            .map(|(set, _)| u64::try_from(set.count()).unwrap_or(u64::MAX))
            .sum(),
        allocated_ip_addresses: joined(&allocated),
        available_ip_addresses: joined(&available),
        endpoints,
        network_tag: known.parsed.network_tag(),
        conditions: subject.conditions(reports),
    })
}

/// A group's tag, addresses and endpoints.
pub fn group(image: &Image, reports: &HostReports, key: &str) -> Option<GroupOper> {
    let known = image.group(key)?;
    let network = format!("{}:{}", known.parsed.tenant, known.parsed.network);
    let network = image.network(&network)?;
    let (pkt_tag, external_pkt_tag) = tags(network);
    let endpoints = image.endpoints_of_group(key);
    let endpoints: Vec<EndpointOper> = endpoints.map(|e| endpoint(image, reports, e)).collect();
    let pool = PoolRef {
        tenant: known.parsed.tenant.to_string(),
        network: known.parsed.network.to_string(),
        group: Some(known.parsed.name.to_string()),
    };
    let (mut allocated, mut free) = (RangeSet::new(), RangeSet::new());
    if known.parsed.pool.is_some() {
        let number = network.record.number;
        let all = image.pool(&pool, Family::Ipv4).map(|pool| pool.set());
        free = available(image, &pool, number, Family::Ipv4);
        allocated = all.unwrap_or_default().without(&free);
    }
    let subject = Subject::new(image, ObjectKind::Group, key, &Key::Group(key.to_owned()));
    Some(GroupOper {
        pkt_tag,
        external_pkt_tag,
        num_endpoints: count(endpoints.len()),
        endpoints,
        allocated_ip_addresses: Family::Ipv4.text(&allocated),
        available_ip_addresses: Family::Ipv4.text(&free),
        group_tag: known.parsed.group_tag(),
        conditions: subject.with_docker_network().conditions(reports),
    })
}

/// The endpoints of the groups that have a policy.
pub fn policy(image: &Image, reports: &HostReports, key: &str) -> Option<PolicyOper> {
    let policy = &image.policy(key)?.record.object;
    let groups = image.groups_of(&policy.tenant_name);
    let users = groups.filter(|(_, group)| {
        let policies = &group.record.object.policies;
        policies.contains(&policy.policy_name)
    });
    let endpoints: Vec<EndpointOper> = users
        .flat_map(|(group, _)| image.endpoints_of_group(group))
        .map(|e| endpoint(image, reports, e))
        .collect();
    let revision = image.revision(image.policy_number(key));
    let subject = Subject::of_policy(key, &policy.tenant_name, revision);
    Some(PolicyOper {
        revision: revision.to_string(),
        hosts: policy_hosts(image, reports, &policy.tenant_name, &subject),
        num_endpoints: count(endpoints.len()),
        endpoints,
        conditions: subject.conditions(reports),
    })
}

/// What each live host enforces of a policy.
fn policy_hosts(
    image: &Image,
    reports: &HostReports,
    tenant: &str,
    subject: &Subject<'_>,
) -> Vec<PolicyHost> {
    let of = |(host, report): (&str, &HostReport)| {
        let concerned = tenant == DEFAULT_TENANT || image.is_present(tenant, host);
        // What a host says before it has come to the change is about what there was before.
        let heard = concerned && subject.is_heard(report);
        let problem = subject.problems(report).first().copied();
        let problem = problem.filter(|_| heard);
        let state = match (concerned, heard, problem) {
            (false, ..) => "idle",
            (true, false, _) => "behind",
            (true, true, Some(_)) => "refused",
            (true, true, None) => "current",
        };
        let words = |problem: &Problem| (problem.reason.clone(), problem.message.clone());
        let (reason, message) = problem.map(words).unwrap_or_default();
        PolicyHost {
            host: host.to_owned(),
            applied: report.applied.to_string(),
            state: state.into(),
            reason,
            message,
        }
    };
    reports.live().map(of).collect()
}

/// The number that names a rule in verdicts and counters.
pub fn rule(image: &Image, reports: &HostReports, key: &str) -> Option<RuleOper> {
    let known = image.rule(key)?;
    let subject = Subject::new(image, ObjectKind::Rule, key, &Key::Rule(key.to_owned()));
    Some(RuleOper {
        number: known.record.number,
        conditions: subject.conditions(reports),
    })
}

/// One interface of one container.
pub fn endpoint(image: &Image, reports: &HostReports, record: &EndpointRecord) -> EndpointOper {
    let EndpointRecord {
        id,
        tenant,
        network,
        host,
        ..
    } = record;
    let report = reports.hosts.get(host);
    let status = report.and_then(|report| report.endpoints.get(id));
    let status = status.cloned().unwrap_or_default();
    let group = record.group.as_ref();
    let group_number = group.and_then(|group| {
        let group = image.group(&format!("{tenant}:{group}"))?;
        Some(group.record.number)
    });
    let subject = Subject::new(image, ObjectKind::Endpoint, id, &Key::Endpoint(id.clone()));
    EndpointOper {
        tenant: tenant.clone(),
        network: format!("{network}.{tenant}"),
        endpoint_id: id.clone(),
        service_name: group.cloned().unwrap_or_default(),
        endpoint_group_id: group_number.unwrap_or_default(),
        endpoint_group_key: group.map(|g| format!("{g}:{tenant}")).unwrap_or_default(),
        ip_address: record.addresses().map(|a| a.to_string()).collect(),
        mac_address: record.mac.to_string(),
        homing_host: host.clone(),
        vtep_ip: String::new(),
        labels: printed_labels(&status.labels),
        container_id: status.container_id,
        container_name: status.container_name,
        virtual_port: match status.interface.as_str() {
            "" => String::new(),
            interface => format!("v{interface}"),
        },
        intf_name: status.interface,
        private_address: status
            .private_address
            .map(|address| address.to_string())
            .unwrap_or_default(),
        drops: status.drops,
        conditions: subject.on(host).conditions(reports),
    }
}

/// The endpoint whose id, container's id or container's name contains `text`; one that
/// is named exactly comes before all others.
pub fn find_endpoint<'a>(
    image: &'a Image,
    reports: &HostReports,
    text: &str,
) -> Option<&'a EndpointRecord> {
    let with = |fits: fn(&str, &str) -> bool| {
        image.endpoints().find(|record| {
            let report = reports.hosts.get(&record.host);
            let status = report.and_then(|report| report.endpoints.get(&record.id));
            fits(&record.id, text)
                || status.is_some_and(|status| {
                    fits(&status.container_id, text) || fits(&status.container_name, text)
                })
        })
    };
    image
        .endpoint(text)
        .or_else(|| with(|name, text| name == text))
        .or_else(|| with(|name, text| name.contains(text)))
}

/// `pktTag` and `externalPktTag`.
fn tags(network: &KnownNetwork) -> (u32, u32) {
    let tag = network.record.tag;
    match network.parsed.encap {
        Encap::Vlan => (tag, tag),
        Encap::Vxlan => (0, tag),
    }
}

fn available(image: &Image, pool: &PoolRef, network: u32, family: Family) -> RangeSet {
    let Some(pool) = image.pool(pool, family) else {
        return RangeSet::new();
    };
    match image.addresses_in_use(network, family) {
        Some(used) => pool.set().without(used),
        None => pool.set(),
    }
}

fn joined(families: &[(RangeSet, Family)]) -> String {
    let texts = families.iter().map(|(set, family)| family.text(set));
    texts
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join(", ")
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
