//! What time and hosts make free.

use std::collections::BTreeMap;

use contiv_ipam::AddressState;
use contiv_model::agent::{DockerNetwork, SwarmLife};
use contiv_store::Transaction;

use crate::decision::Draft;
use crate::image::Image;
use crate::key::Key;

/// Ends the grants of tentative addresses that no endpoint was made of since before `before`,
/// in milliseconds since 1970.
pub fn expire(image: &Image, before: u64) -> Transaction {
    let mut draft = Draft::new(image);
    for (network, address) in image.tentative_before(before) {
        let after = AddressState::expire(image.address(network, address).cloned());
        draft.replace(&Key::Address(network, address), after.as_ref());
    }
    draft.answer(()).transaction
}

/// Frees what a Swarm's manager reserved before `before` in a life that has ended, and has not
/// reserved again in the one that followed: its service or task is no more.
///
/// A manager that starts reserves all that it has; so nothing of a network's is freed before the
/// last start of one for it is as long ago.
pub fn forsake(image: &Image, before: u64) -> Transaction {
    let mut draft = Draft::new(image);
    let swarms = || {
        let of = |d: &DockerNetwork| Some((d.tenant.clone(), d.network.clone(), d.swarm.clone()?));
        image.docker_networks().filter_map(of)
    };
    for (network, address) in image.reserved_before(before) {
        let Some(known) = image.address(network, address) else {
            continue;
        };
        let life = known.reservation().map(|r| r.life.as_str());
        let is_kept =
            |swarm: &SwarmLife| Some(swarm.life.as_str()) == life || swarm.since >= before;
        let of = |tenant: &str, name: &str| {
            let network_of = image.network(&format!("{tenant}:{name}"));
            network_of.is_some_and(|n| n.record.number == network)
        };
        if !swarms().any(|(tenant, name, swarm)| is_kept(&swarm) && of(&tenant, &name)) {
            draft.delete(&Key::Address(network, address));
        }
    }
    draft.answer(()).transaction
}

/// Frees the draining addresses whose release all awaited hosts have in their kernels.
///
/// 1. `applied` has the number of the last commit that a host applied, of the store's present
///    epoch; hosts that are not in it are waited for.
/// 2. Nobody waits for a host that was removed.
/// 3. Hosts belong to tenant `default` themselves, with or without a container of it: what was
///    an endpoint's there waits until `everywhere`, which all hosts that are here have applied.
/// 4. What no host at all has applied yet is not looked at, whomever it waits for.
///
/// An address stays whole until then: a record that is written in between would have
/// to be confirmed anew.
pub fn settle(image: &Image, applied: &BTreeMap<String, u64>, everywhere: u64) -> Transaction {
    let mut draft = Draft::new(image);
    let Some(furthest) = applied.values().max() else {
        return Transaction::default();
    };
    for (number, network, address) in image.draining_until(*furthest) {
        if number > everywhere && image.is_of_hosts(network) {
            continue;
        }
        let dropped = |host: &str| {
            let heard = applied.get(host).is_some_and(|applied| *applied >= number);
            heard || image.host(host).is_none()
        };
        let state = image.address(network, address).cloned();
        let after = AddressState::settle(state, dropped);
        if !matches!(after, Some(AddressState::Draining { .. })) {
            draft.replace(&Key::Address(network, address), after.as_ref());
        }
    }
    draft.answer(()).transaction
}
