//! Whether hosts' tables have room for a tenant's policies.
//!
//! The compiler refuses a policy that is larger than a tenant's share, and hosts then keep enforcing
//! the one before. So a change that makes it too large is refused here, before it is stored.
//!
//! 1. A bound that the image keeps says of nearly every change that it fits.
//! 2. Where the bound is beyond the limits, the policy that comes out is compiled, as hosts do.
//! 3. A tenant that is too large already may lose whatever it likes. (A removal can make a policy
//!    larger: a prefix that encloses fewer others may be repeated in each of them.)

use std::collections::BTreeSet;

use contiv_policy::{Limits, PolicyError, PolicyRule, compile};

use crate::decision::{Decided, Decision};
use crate::image::{Image, KnownRule};
use crate::refusal::Refusal;
use crate::view;

/// A change of what a tenant's policies are made of.
pub(super) struct Change<'a> {
    pub(super) tenant: &'a str,
    /// The field that the refusal names; empty for none.
    pub(super) field: &'a str,
    /// Rules as they come to be.
    pub(super) rules: Vec<PolicyRule>,
    /// The policies that a group gets.
    pub(super) set: BTreeSet<&'a str>,
    /// A policy that is staged from now on.
    pub(super) staged: Option<&'a str>,
}

impl<'a> Change<'a> {
    pub(super) fn of(tenant: &'a str) -> Change<'a> {
        Change {
            tenant,
            field: "",
            rules: Vec::new(),
            set: BTreeSet::new(),
            staged: None,
        }
    }

    pub(super) fn rules<'r>(
        mut self,
        image: &Image,
        rules: impl IntoIterator<Item = &'r KnownRule>,
    ) -> Change<'a> {
        let rules = rules.into_iter();
        self.rules
            .extend(rules.filter_map(|rule| view::rule_of(image, rule)));
        self
    }

    /// Lets the decision through if there is room for what it brings.
    pub(super) fn check<A>(self, image: &Image, decision: Decision<A>) -> Decided<A> {
        let Change {
            tenant,
            field,
            rules,
            set,
            staged,
        } = self;
        let surely = surely_fits(image, tenant, &rules, set, staged);
        if !surely && let Err(why) = compiled(&after(image, &decision), tenant) {
            return Err(refused(tenant, field, &why));
        }
        Ok(decision)
    }
}

/// Lets a removal through, unless with it the policies of a tenant become too large.
pub(super) fn check_removal<A>(image: &Image, tenant: &str, decision: Decision<A>) -> Decided<A> {
    if !surely_fits(image, tenant, &[], BTreeSet::new(), None)
        && let Err(why) = compiled(&after(image, &decision), tenant)
        && compiled(image, tenant).is_ok()
    {
        return Err(refused(tenant, "", &why));
    }
    Ok(decision)
}

/// Lets a decision through if there is room for what it makes of a tenant's policies.
pub(super) fn check_after<A>(image: &Image, tenant: &str, decision: Decision<A>) -> Decided<A> {
    match check_all(&after(image, &decision), tenant) {
        Ok(()) => Ok(decision),
        Err(why) => Err(refused(tenant, "", &why)),
    }
}

/// Why the policies of a tenant do not fit, as they are in an image.
pub(super) fn check_all(image: &Image, tenant: &str) -> Result<(), PolicyError> {
    match surely_fits(image, tenant, &[], BTreeSet::new(), None) {
        true => Ok(()),
        false => compiled(image, tenant),
    }
}

fn surely_fits(
    image: &Image,
    tenant: &str,
    rules: &[PolicyRule],
    set: BTreeSet<&str>,
    staged: Option<&str>,
) -> bool {
    let none = contiv_policy::Weights::default();
    let weights = image.weights(tenant).unwrap_or(&none);
    let groups = image.groups_of(tenant);
    let sets = groups.map(|(_, group)| {
        let policies = group.parsed.policies.iter();
        policies.map(contiv_model::Name::as_str).collect()
    });
    let sets: BTreeSet<BTreeSet<&str>> = sets.chain([set]).collect();
    let staged = |name: &str| {
        let known = image.policy(&format!("{tenant}:{name}"));
        staged == Some(name) || known.is_some_and(|known| known.parsed.staged)
    };
    weights.surely_fit(rules, &sets, staged, Limits::default())
}

fn after<A>(image: &Image, decision: &Decision<A>) -> Image {
    let mut after = image.clone();
    after
        .apply(image.number() + 1, &decision.transaction.writes)
        .expect("records that were just written can be read");
    after
}

fn compiled(image: &Image, tenant: &str) -> Result<(), PolicyError> {
    compile(&view::tenant_policy(image, tenant).0).map(|_| ())
}

pub(super) fn refused(tenant: &str, field: &str, why: &PolicyError) -> Refusal {
    let message = format!(
        "hosts have no room for the policies of tenant {tenant} after this: {why}, or give the \
         policy to fewer combinations of groups' policies"
    );
    Refusal::conflict(field, message)
}
