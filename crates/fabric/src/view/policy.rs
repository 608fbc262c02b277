//! What policies of one tenant are made of.

use contiv_model::agent::HostObject;

use super::object;
use crate::image::Image;

/// The groups, policies and rules of a tenant, as hosts are told of them.
pub(crate) fn policy_of<'a>(
    image: &'a Image,
    tenant: &'a str,
) -> impl Iterator<Item = HostObject> + use<'a> {
    let groups = image.groups_of(tenant);
    let groups = groups.map(|(_, group)| object::group(group));
    let policies = image.policies_of(tenant);
    let policies = policies.map(|(_, policy)| object::policy(policy));
    let rules = image.rules_of(tenant);
    let rules = rules.map(|(_, rule)| object::rule(image, rule));
    groups.chain(policies).chain(rules)
}
