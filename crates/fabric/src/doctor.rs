//! What is not well in the fabric, as far as a master knows by itself.

mod clock;
mod leaks;

use std::net::IpAddr;

use contiv_model::agent::Revision;
use contiv_model::doctor::Finding;

use crate::image::{DEFAULT_TENANT, Image, KnownNetwork};
use crate::record::HostRecord;
use crate::reports::{HostReport, HostReports};
pub use clock::clock;
pub use leaks::{Leak, leaks};

/// Commits that a host may be behind before that is told: it may just be applying them.
const BEHIND: u64 = 100;
/// A certificate that ends within this time is told: a week, in milliseconds.
const SOON: u64 = 7 * 24 * 3_600_000;

/// When and by whom the fabric is examined.
#[derive(Clone, Copy, Debug)]
pub struct Examiner<'a> {
    /// Milliseconds since 1970.
    pub now: u64,
    /// Its own version.
    pub version: &'a str,
    /// What it has committed.
    pub revision: Revision,
}

/// What a master finds without asking hosts; leaks are told by [`leaks`].
pub fn examine(image: &Image, reports: &HostReports, by: Examiner<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for record in image.hosts() {
        let report = reports.hosts.get(&record.name);
        findings.extend(of_host(record, report, by));
        findings.extend(in_a_network(image, record));
        findings.extend(certificate(image, &record.name, by.now));
    }
    let problems = reports.live().flat_map(|(host, report)| {
        report.problems.iter().map(move |problem| {
            let what = format!("{}: {}", problem.reason, problem.message);
            let remedy = "see what the message says; netctl inspect shows the object's conditions";
            Finding::warning("object-problem", what, remedy)
                .about(problem.object.key.clone())
                .on(host)
        })
    });
    findings.extend(problems);
    findings
}

fn of_host(record: &HostRecord, report: Option<&HostReport>, by: Examiner<'_>) -> Vec<Finding> {
    let name = &record.name;
    let Some(report) = report.filter(|report| report.live) else {
        let what = "it does not report: what runs there keeps the policy that it had, and nothing \
                    new starts";
        let remedy = format!(
            "look after the host, its netplugin and its way to the masters; if it is gone for \
             good, netctl host rm {name}"
        );
        return vec![Finding::error("host-away", what, remedy).on(name)];
    };
    let mut findings = vec![Finding::ok("host-away", "it reports").on(name)];
    let same = report.applied.epoch == by.revision.epoch;
    let applied = if same { report.applied.number } else { 0 };
    let lag = by.revision.number.saturating_sub(applied);
    if lag > BEHIND {
        let what = format!("it is {lag} commits behind: policy there is older than it should be");
        let remedy = "look at the log of netplugin there, and at netctl host inspect for problems";
        findings.push(Finding::warning("host-behind", what, remedy).on(name));
    }
    findings.push(match record.agent_version == by.version {
        true => Finding::ok("version", format!("netplugin {} as the master", by.version)),
        false => Finding::warning(
            "version",
            format!(
                "netplugin {} and netmaster {} are of different versions",
                record.agent_version, by.version
            ),
            "bring both to one version; one minor version apart works meanwhile",
        ),
    });
    findings.iter_mut().for_each(|f| f.host.clone_from(name));
    findings
}

/// A tunnel's end that lies in a network of the tenant that hosts belong to.
fn in_a_network(image: &Image, record: &HostRecord) -> Option<Finding> {
    let tunnel = record.tunnel?;
    let holds = |network: &KnownNetwork| match tunnel {
        IpAddr::V4(ip) => network.parsed.subnet.claimed().contains(ip),
        IpAddr::V6(ip) => network.parsed.ipv6_subnet.is_some_and(|s| s.contains(&ip)),
    };
    let mut networks = image.networks_of(DEFAULT_TENANT);
    let (key, _) = networks.find(|(_, network)| holds(network))?;
    let what = format!("its tunnel address {tunnel} is an address of network {key}");
    let remedy = "give the network another subnet, or the host another --vtep-ip";
    Some(
        Finding::error("address-conflict", what, remedy)
            .about(key)
            .on(&record.name),
    )
}

fn certificate(image: &Image, host: &str, now: u64) -> Option<Finding> {
    let certificate = image.identity().certificate(host)?;
    let left = certificate.until.saturating_sub(now);
    if left > SOON {
        return None;
    }
    let what = match left {
        0 => "its certificate has expired: masters do not hear it any more".to_owned(),
        left => format!("its certificate expires in {} hours", left / 3_600_000),
    };
    let remedy = format!(
        "netctl host rm {host}, then let it join anew: netctl host token, and netplugin \
         --join-token there"
    );
    let finding = match left {
        0 => Finding::error("certificate", what, remedy),
        _ => Finding::warning("certificate", what, remedy),
    };
    Some(finding.on(host))
}

#[cfg(test)]
mod tests;
