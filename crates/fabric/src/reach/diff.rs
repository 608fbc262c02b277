//! What applying would open and close.

use std::collections::BTreeSet;

use contiv_model::agent::AddressRange;
use contiv_model::manifest::Apply;
use contiv_model::reach::{DiffChange, DiffTenant, PolicyDiff};
use contiv_policy::{Action, Change, PortRange};

use super::party::told;
use super::said::Said;
use crate::decide::apply;
use crate::image::Image;
use crate::record::Stamp;
use crate::refusal::Refusal;
use crate::reports::HostReports;

/// Questions that are asked about one tenant.
const QUESTIONS: usize = 400_000;

/// Decides on the request as [`apply`] does, and compares what policies say before and after.
///
/// Groups that go have no members any more: what happens to them opens and closes nothing.
pub fn diff(
    image: &Image,
    reports: &HostReports,
    revision: String,
    stamps: &[Stamp],
    request: &Apply,
) -> Result<PolicyDiff, Refusal> {
    let wish = Apply {
        dry_run: false,
        ..request.clone()
    };
    let decision = apply(image, reports, stamps, &wish)?;
    let mut after = image.clone();
    after
        .apply(image.number() + 1, &decision.transaction.writes)
        .expect("records that were just written can be read");
    let tenants: BTreeSet<&str> = after.tenants().map(|(name, _)| name).collect();
    let mut found = PolicyDiff {
        revision,
        steps: decision.answer.steps,
        tenants: Vec::new(),
    };
    for tenant in tenants {
        let (old, new) = (Said::of(image, tenant), Said::of(&after, tenant));
        if old.policy == new.policy {
            continue;
        }
        let told = compare(tenant, &old, &new)?;
        if !told.changes.is_empty() || !told.cut.is_empty() {
            found.tenants.push(told);
        }
    }
    Ok(found)
}

fn compare(tenant: &str, old: &Said, new: &Said) -> Result<DiffTenant, Refusal> {
    let found = contiv_policy::diff(&old.policy, &new.policy, QUESTIONS)
        .map_err(|error| Refusal::conflict("", error))?;
    let is_there = |group: u32| group == 0 || new.policy.groups.contains_key(&group);
    let changes = found.changes.iter();
    let changes = changes.filter(|change| is_there(change.from) && is_there(change.to));
    Ok(DiffTenant {
        tenant_name: tenant.to_owned(),
        changes: changes.map(|change| told_change(new, change)).collect(),
        cut: found.cut.map(|cut| cut.to_string()).unwrap_or_default(),
    })
}

fn told_change(said: &Said, change: &Change) -> DiffChange {
    let group = |number| match number {
        0 => "outside".to_owned(),
        number => said.names.group(number),
    };
    let range = |range: &Option<AddressRange>| range.as_ref().map(told).unwrap_or_default();
    DiffChange {
        change: match change.becomes {
            Action::Allow => "opens",
            Action::Deny | Action::Pass => "closes",
        }
        .to_owned(),
        from: group(change.from),
        to: group(change.to),
        from_addresses: range(&change.from_addresses),
        to_addresses: range(&change.to_addresses),
        protocol: match change.protocol {
            None => "other".to_owned(),
            Some(1) => "icmp".to_owned(),
            Some(6) => "tcp".to_owned(),
            Some(17) => "udp".to_owned(),
            Some(58) => "icmpv6".to_owned(),
            Some(number) => number.to_string(),
        },
        ports: ports(change.protocol, change.ports),
    }
}

fn ports(protocol: Option<u8>, PortRange { first, last }: PortRange) -> String {
    if (first, last) == (0, u16::MAX) {
        return String::new();
    }
    let one = |port: u16| match protocol {
        Some(1 | 58) => {
            let [kind, code] = port.to_be_bytes();
            format!("{kind}/{code}")
        }
        _ => port.to_string(),
    };
    match first == last {
        true => one(first),
        false => format!("{}-{}", one(first), one(last)),
    }
}
