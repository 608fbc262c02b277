//! What policies of one tenant are made of.

use contiv_model::agent::{GroupView, HostObject, PolicyView, RuleView};
use contiv_policy::{PolicyRule, TenantPolicy};

use super::object;
use crate::image::{Image, KnownRule};

/// The groups, policies and rules of a tenant, as hosts are told of them.
fn policy_of<'a>(image: &'a Image, tenant: &'a str) -> impl Iterator<Item = HostObject> + use<'a> {
    let groups = image.groups_of(tenant);
    let groups = groups.map(|(_, group)| object::group(group));
    let policies = image.policies_of(tenant);
    let policies = policies.map(|(_, policy)| object::policy(policy));
    let rules = image.rules_of(tenant);
    let rules = rules.map(|(_, rule)| object::rule(image, rule));
    groups.chain(policies).chain(rules)
}

/// The same as hosts compile it, with the groups' views.
pub(crate) fn tenant_policy(image: &Image, tenant: &str) -> (TenantPolicy, Vec<GroupView>) {
    let mut groups: Vec<GroupView> = Vec::new();
    let mut policies: Vec<PolicyView> = Vec::new();
    let mut rules: Vec<RuleView> = Vec::new();
    for object in policy_of(image, tenant) {
        match object {
            HostObject::Group(group) => groups.push(group),
            HostObject::Policy(policy) => policies.push(policy),
            HostObject::Rule(rule) => rules.push(rule),
            _ => {}
        }
    }
    let policy = TenantPolicy::from_views(&groups, &policies, &rules);
    (policy, groups)
}

/// A rule as hosts compile it, in a fabric that is the image's otherwise.
pub(crate) fn rule_of(image: &Image, known: &KnownRule) -> Option<PolicyRule> {
    match object::rule(image, known) {
        HostObject::Rule(view) => Some(PolicyRule::from(&view)),
        _ => None,
    }
}
