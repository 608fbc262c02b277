//! Many objects at once: what there is becomes what is declared, in one transaction.

mod merged;
mod operation;

use std::collections::BTreeSet;

use contiv_model::manifest::{Apply, Change, Declared, KINDS, Plan, Step};

use super::room;
use crate::decision::{Decided, Decision, settled};
use crate::image::Image;
use crate::record::Stamp;
use crate::refusal::Refusal;
use crate::reports::HostReports;
use merged::Merged;
use operation::{Operation, Removal};

/// Decides on each object with the decision of its kind, on a scratch image that has what
/// was decided before it. Nothing is committed in between, and a refusal refuses the whole.
///
/// 1. First rules, groups and networks go that are to be removed, then what is declared is
///    put in the order in which objects build on each other, then policies go that no group
///    has any more.
/// 2. A refused one is tried again when others have got further: what stood in its way may
///    be out of it. Only when a round brings nothing is the first refusal the answer, with
///    the field as `objects[INDEX].FIELD`.
/// 3. All of it is one transaction, so hosts see one revision. How a store commits one of
///    any size, at once or staged and then flipped, is the business of its `commit`.
/// 4. Hosts must have room for what comes out, not for what is on the way there.
pub fn apply(
    image: &Image,
    reports: &HostReports,
    stamps: &[Stamp],
    request: &Apply,
) -> Decided<Plan> {
    check_single(&request.objects)?;
    let mut scratch = image.clone();
    let number = image.number() + 1;
    let (mut merged, mut plan, mut steps) = (Merged::default(), Plan::default(), Vec::new());
    let mut waiting = operations(image, stamps, request);
    while !waiting.is_empty() {
        let before = waiting.len();
        let (mut refused, mut refusal) = (Vec::new(), None);
        for operation in waiting {
            match operation.decide(&scratch, reports) {
                Err(why) => {
                    refusal.get_or_insert_with(|| operation.name_in(why));
                    refused.push(operation);
                }
                Ok((_, None)) => plan.unchanged += 1,
                Ok((transaction, Some(step))) => {
                    scratch
                        .apply(number, &transaction.writes)
                        .expect("records that were just written can be read");
                    merged.add(transaction);
                    steps.push((operation.place, step));
                }
            }
        }
        if let Some(refusal) = refusal.filter(|_| refused.len() == before) {
            return Err(refusal);
        }
        waiting = refused;
    }
    check_room(&scratch, request, &steps)?;
    steps.sort_by_key(|(place, _)| *place);
    plan.steps = steps.into_iter().map(|(_, step)| step).collect();
    // A repeat of what was done, after a lost answer, finds nothing to do.
    let other = request.expected.as_ref().is_some_and(|e| *e != plan.steps);
    if other && !plan.steps.is_empty() {
        let message = "the fabric has changed since the plan was made; look at the new plan";
        return Err(Refusal::conflict("expected", message));
    }
    if request.dry_run {
        return Ok(settled(plan));
    }
    Ok(Decision {
        transaction: merged.transaction(image.number()),
        answer: plan,
    })
}

/// Refuses policies that hosts have no room for, in any tenant of which something changes; names
/// the rule that is one too many if it is declared.
fn check_room(after: &Image, request: &Apply, steps: &[(usize, Step)]) -> Result<(), Refusal> {
    let tenants = steps.iter().filter_map(|(_, step)| {
        let named = step.key.split_once(':').map(|(tenant, _)| tenant);
        named.filter(|_| step.kind != "tenant" && step.kind != "global")
    });
    for tenant in tenants.collect::<BTreeSet<&str>>() {
        let Err(why) = room::check_all(after, tenant) else {
            continue;
        };
        let declared = request.objects.iter().position(|object| match object {
            Declared::Rule(rule) => {
                rule.tenant_name == tenant
                    && why.rule() == Some((rule.policy_name.as_str(), rule.rule_id.as_str()))
            }
            _ => false,
        });
        let field = declared.map(|index| format!("objects[{index}]"));
        return Err(room::refused(tenant, &field.unwrap_or_default(), &why));
    }
    Ok(())
}

/// Everything that is to be done, in order.
fn operations<'a>(image: &Image, stamps: &'a [Stamp], request: &'a Apply) -> Vec<Operation<'a>> {
    let mut operations = Vec::new();
    let removals = match request.prune {
        true => Removal::all(image, &request.objects),
        false => Vec::new(),
    };
    let (policies, others): (Vec<_>, Vec<_>) = removals
        .into_iter()
        .partition(|removal| removal.kind == "policy");
    operations.extend(others.into_iter().map(Operation::remove));
    for kind in KINDS {
        let declared = request.objects.iter().zip(stamps).enumerate();
        let of_kind = declared.filter(|(_, (object, _))| object.kind() == kind);
        operations
            .extend(of_kind.map(|(index, (object, stamp))| Operation::put(index, object, stamp)));
    }
    operations.extend(policies.into_iter().map(Operation::remove));
    for (place, operation) in operations.iter_mut().enumerate() {
        operation.place = place;
    }
    operations
}

/// Refuses an object that is declared twice.
fn check_single(objects: &[Declared]) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    for (index, object) in objects.iter().enumerate() {
        let (kind, key) = (object.kind(), object.key());
        if !seen.insert((kind, key.clone())) {
            let message = format!("{kind} {key} is declared twice; leave one of them out");
            return Err(Refusal::invalid(&format!("objects[{index}]"), message));
        }
    }
    Ok(())
}

/// The plan's words for what becomes of an object.
fn change_of(existed: bool) -> Change {
    match existed {
        false => Change::Create,
        true => Change::Change,
    }
}
