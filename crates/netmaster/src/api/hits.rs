//! `GET /api/v1/hits/`: what rules have decided.

use std::collections::{BTreeMap, HashMap};

use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use contiv_fabric::{Image, Key, Numbered};
use contiv_model::inspect::{HitsDocument, RuleHits};
use contiv_model::object::Rule;

use super::answer::Problem;
use super::{Shared, both};
use crate::hits::Sum;

/// What is decided where no rule matches: its number, direction and action, and its name.
const BUILT_IN: [(u32, &str, &str, &str); 3] = [
    (1, "", "allow", "default"),
    (3, "in", "deny", "default-deny-in"),
    (4, "out", "deny", "default-deny-out"),
];

pub(super) fn routes(router: Router<Shared>) -> Router<Shared> {
    both(router, "/api/v1/hits/", get(hits))
}

/// Rules in the order of their keys, and behind them, where all are asked for, the defaults.
async fn hits(
    State(shared): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<HitsDocument>, Problem> {
    let (tenant, policy) = (query.get("tenant"), query.get("policy"));
    let committed = shared.ledger.read();
    let image = committed.image();
    if let Some(tenant) = tenant.filter(|tenant| image.tenant(tenant).is_none()) {
        return Err(Problem::not_found(format!("tenant {tenant} not found")));
    }
    if let (Some(tenant), Some(policy)) = (tenant, policy)
        && image.policy(&format!("{tenant}:{policy}")).is_none()
    {
        let message = format!("policy {tenant}:{policy} not found");
        return Err(Problem::not_found(message));
    }
    shared.hits.retain(|number| exists(image, number));
    let mut sums = shared.hits.sums();
    let (hosts, since) = shared.hits.sources();
    let mut rules = Vec::new();
    for (name, _) in image.tenants() {
        if tenant.is_some_and(|tenant| tenant != name) {
            continue;
        }
        let known = image.rules_of(name);
        let asked = known.filter(|(_, rule)| {
            let of = rule.parsed.policy.to_string();
            policy.is_none_or(|policy| *policy == of)
        });
        rules.extend(asked.map(|(_, known)| {
            let policy = format!("{name}:{}", known.parsed.policy);
            let staged = image.policy(&policy).is_some_and(|p| p.parsed.staged);
            let sum = sums.remove(&known.record.number);
            of_rule(&known.record.object, known.record.number, staged, sum)
        }));
    }
    // Hosts count what no rule decides for all tenants together: that is no tenant's to see.
    if policy.is_none() && tenant.is_none() {
        rules.extend(built_in(&mut sums));
    }
    Ok(Json(HitsDocument {
        since,
        hosts,
        rules,
    }))
}

fn exists(image: &Image, number: u32) -> bool {
    BUILT_IN.iter().any(|(built_in, ..)| *built_in == number)
        || image.number_of(&Key::Number(Numbered::Rules, number).to_string()) != 0
}

fn of_rule(rule: &Rule, number: u32, staged: bool, sum: Option<Sum>) -> RuleHits {
    let hits = RuleHits {
        tenant: rule.tenant_name.clone(),
        policy: rule.policy_name.clone(),
        rule: rule.rule_id.clone(),
        number,
        direction: rule.direction.clone(),
        action: rule.action.clone(),
        staged,
        ..RuleHits::default()
    };
    counted(hits, sum.unwrap_or_default())
}

/// Defaults that have never decided anything are no news.
fn built_in(sums: &mut BTreeMap<u32, Sum>) -> Vec<RuleHits> {
    let hit = BUILT_IN
        .into_iter()
        .filter_map(|(number, direction, action, name)| {
            let sum = sums.remove(&number)?;
            let hits = RuleHits {
                rule: name.into(),
                number,
                direction: direction.into(),
                action: action.into(),
                ..RuleHits::default()
            };
            Some(counted(hits, sum))
        });
    hit.collect()
}

fn counted(hits: RuleHits, sum: Sum) -> RuleHits {
    RuleHits {
        packets: sum.totals.packets,
        bytes: sum.totals.bytes,
        connections: sum.totals.connections,
        staged_packets: sum.totals.staged_packets,
        staged_bytes: sum.totals.staged_bytes,
        staged_connections: sum.totals.staged_connections,
        last_hit: sum.last_hit,
        hosts: sum.hosts,
        ..hits
    }
}
