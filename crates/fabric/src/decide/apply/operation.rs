//! One object of many: how it is put or removed, and what that changes.

use std::collections::BTreeSet;

use contiv_model::manifest::{Change, Declared, FieldChange, Step};
use contiv_model::object::Keyed;
use contiv_model::parsed::is_automatic;
use contiv_store::Transaction;
use serde::Serialize;
use serde_json::{Map, Value};

use super::change_of;
use crate::decide::group::put_group_anyway;
use crate::decide::network::{delete_network_anyway, put_network_anyway};
use crate::decide::policy::put_policy_anyway;
use crate::decide::rule::{delete_rule_anyway, put_rule_anyway};
use crate::decide::{delete_group, delete_policy, put_global, put_tenant};
use crate::decision::Decided;
use crate::image::Image;
use crate::record::Stamp;
use crate::refusal::Refusal;
use crate::reports::HostReports;

/// Something to be done to one object.
pub(super) struct Operation<'a> {
    /// Among all of them, in order.
    pub(super) place: usize,
    what: What<'a>,
}

enum What<'a> {
    Put {
        index: usize,
        object: &'a Declared,
        stamp: &'a Stamp,
    },
    Remove(Removal),
}

/// An object that is not declared, and is to go.
pub(super) struct Removal {
    pub(super) kind: &'static str,
    key: String,
}

/// What an operation writes, and its step of the plan; none when it changes nothing.
type Done = (Transaction, Option<Step>);

impl<'a> Operation<'a> {
    pub(super) fn put(index: usize, object: &'a Declared, stamp: &'a Stamp) -> Operation<'a> {
        Operation {
            place: 0,
            what: What::Put {
                index,
                object,
                stamp,
            },
        }
    }

    pub(super) fn remove(removal: Removal) -> Operation<'a> {
        Operation {
            place: 0,
            what: What::Remove(removal),
        }
    }

    /// Whatever hosts have room for: that is asked of what comes out of all operations.
    pub(super) fn decide(&self, image: &Image, reports: &HostReports) -> Result<Done, Refusal> {
        match &self.what {
            What::Put { object, stamp, .. } => decide_put(image, reports, object, stamp),
            What::Remove(removal) => removal.decide(image),
        }
    }

    /// The refusal, with the object that it is about.
    pub(super) fn name_in(&self, refusal: Refusal) -> Refusal {
        let Refusal {
            kind,
            field,
            message,
        } = refusal;
        match &self.what {
            What::Put { index, object, .. } => Refusal {
                kind,
                field: match field.as_str() {
                    "" => format!("objects[{index}]"),
                    field => format!("objects[{index}].{field}"),
                },
                message: format!("{} {}: {message}", object.kind(), object.key()),
            },
            What::Remove(Removal { kind: what, key }) => Refusal {
                kind,
                field,
                message: format!("{what} {key} cannot be removed: {message}"),
            },
        }
    }
}

/// A declared object says all of itself: what it does not name has the default.
fn decide_put(
    image: &Image,
    reports: &HostReports,
    object: &Declared,
    stamp: &Stamp,
) -> Result<Done, Refusal> {
    let key = object.key();
    match object {
        Declared::Global(object) => {
            let before = image.global().map(|known| &known.record.object);
            done("global", before, put_global(image, stamp, object, None))
        }
        Declared::Tenant(object) => {
            let before = image.tenant(&key).map(|known| &known.object);
            done("tenant", before, put_tenant(image, stamp, object, None))
        }
        Declared::Network(object) => {
            let before = image.network(&key).map(|known| &known.record.object);
            let decided = put_network_anyway(image, reports, stamp, object, None);
            done("network", before, decided)
        }
        Declared::EndpointGroup(object) => {
            let before = image.group(&key).map(|known| &known.record.object);
            let decided = put_group_anyway(image, stamp, &object.spelled_out(), None);
            done("endpointGroup", before, decided)
        }
        Declared::Policy(object) => {
            let before = image.policy(&key).map(|known| &known.record.object);
            let decided = put_policy_anyway(image, stamp, &object.spelled_out(), None);
            done("policy", before, decided)
        }
        Declared::Rule(object) => {
            let before = image.rule(&key).map(|known| &known.record.object);
            done("rule", before, put_rule_anyway(image, stamp, object, None))
        }
    }
}

fn done<O: Keyed + Serialize>(
    kind: &'static str,
    before: Option<&O>,
    decided: Decided<O>,
) -> Result<Done, Refusal> {
    let decision = decided?;
    if decision.is_settled() {
        return Ok((decision.transaction, None));
    }
    let step = Step {
        change: change_of(before.is_some()),
        kind: kind.to_owned(),
        key: decision.answer.key_of_fields(),
        fields: match before {
            None => Vec::new(),
            Some(before) => differences(&fields(before), &fields(&decision.answer)),
        },
    };
    Ok((decision.transaction, Some(step)))
}

fn fields(object: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(object) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn differences(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<FieldChange> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let value = |of: &Map<String, Value>, name: &str| of.get(name).cloned().unwrap_or_default();
    let change = |name: &String| FieldChange {
        field: name.clone(),
        from: value(before, name),
        to: value(after, name),
    };
    let changes = names.into_iter().map(change);
    changes.filter(|change| change.from != change.to).collect()
}

impl Removal {
    /// What the tenants of the declared objects have besides them: rules, then groups, then
    /// networks, then policies. Networks that were made for a Docker network go with it.
    pub(super) fn all(image: &Image, declared: &[Declared]) -> Vec<Removal> {
        let tenants: BTreeSet<&str> = declared.iter().filter_map(Declared::tenant).collect();
        let named: BTreeSet<(&str, String)> =
            declared.iter().map(|o| (o.kind(), o.key())).collect();
        let mut removals = Vec::new();
        let mut add = |kind: &'static str, key: &str| {
            let key = key.to_owned();
            if !named.contains(&(kind, key.clone())) {
                removals.push(Removal { kind, key });
            }
        };
        for tenant in &tenants {
            let rules = image.rules_of(tenant);
            rules.for_each(|(key, _)| add("rule", key));
        }
        for tenant in &tenants {
            let groups = image.groups_of(tenant);
            groups.for_each(|(key, _)| add("endpointGroup", key));
        }
        for tenant in &tenants {
            let networks = image.networks_of(tenant);
            let own = networks.filter(|(_, known)| !is_automatic(&known.parsed.name));
            own.for_each(|(key, _)| add("network", key));
        }
        for tenant in &tenants {
            let policies = image.policies_of(tenant);
            policies.for_each(|(key, _)| add("policy", key));
        }
        removals
    }

    fn decide(&self, image: &Image) -> Result<Done, Refusal> {
        let Removal { kind, key } = self;
        let decision = match *kind {
            "rule" => delete_rule_anyway(image, key, None),
            "endpointGroup" => delete_group(image, key, None),
            "network" => delete_network_anyway(image, key, None),
            _ => delete_policy(image, key, None),
        }?;
        let step = Step {
            change: Change::Remove,
            kind: (*kind).to_owned(),
            key: key.clone(),
            fields: Vec::new(),
        };
        Ok((decision.transaction, Some(step)))
    }
}
