//! After a restore: hosts know more than the store does.
//!
//! A snapshot is older than what was given since. Endpoints that were made meanwhile live
//! on their hosts, and have addresses that the restored store takes for free. So a restored
//! store gives no address before every host that it knows has registered its endpoints
//! again, or its time to do so is over.

use std::collections::BTreeSet;

use contiv_ipam::AddressState;

use crate::decision::{Decided, Draft, settled};
use crate::image::Image;
use crate::key::Key;
use crate::record::AdoptionRecord;
use crate::refusal::Refusal;

/// What a restored store begins with: the hosts to wait for, until a time.
pub fn adoption(image: &Image, until: u64) -> AdoptionRecord {
    let records = image.hosts().map(|host| host.name.clone());
    let endpoints = image.endpoints().map(|endpoint| endpoint.host.clone());
    let engines = image.docker_networks();
    let engines = engines.filter(|network| network.swarm.is_none());
    let engines = engines.map(|network| network.host.clone());
    AdoptionRecord {
        hosts: records.chain(endpoints).chain(engines).collect(),
        until,
    }
}

/// What a restored store must not begin with: grants that no endpoint was made of.
///
/// They are as old as the snapshot. The address may have become an endpoint's of any host since, which
/// would be refused to it; and its host may ask again, and would get what has an owner. Who still makes
/// an endpoint of one needs no grant for that.
pub fn grants(image: &Image) -> impl Iterator<Item = Key> {
    let addresses = image.unsettled_addresses();
    let granted = addresses.filter(|(.., state)| matches!(state, AddressState::Tentative { .. }));
    granted.map(|(network, address, _)| Key::Address(network, address))
}

/// Takes note that a host has registered all that lives on it; the answer is who is awaited.
pub fn adopted(image: &Image, host: &str) -> Decided<BTreeSet<String>> {
    let Some(known) = image.adoption() else {
        return Ok(settled(BTreeSet::new()));
    };
    let mut hosts = known.hosts.clone();
    if !hosts.remove(host) {
        return Ok(settled(hosts));
    }
    let mut draft = Draft::new(image);
    match hosts.is_empty() {
        true => draft.delete(&Key::Adoption),
        false => draft.put(
            &Key::Adoption,
            &AdoptionRecord {
                hosts: hosts.clone(),
                until: known.until,
            },
        ),
    }
    Ok(draft.answer(hosts))
}

/// Ends the wait when its time is over.
pub fn end_adoption(image: &Image, now: u64) -> Decided<BTreeSet<String>> {
    let Some(known) = image.adoption().filter(|known| known.until <= now) else {
        return Ok(settled(BTreeSet::new()));
    };
    let mut draft = Draft::new(image);
    draft.delete(&Key::Adoption);
    Ok(draft.answer(known.hosts.clone()))
}

/// Refuses to give an address while hosts are awaited. Who names an address that it has
/// already, from before, is not given one.
pub(super) fn check(image: &Image) -> Result<(), Refusal> {
    // Nobody compares this record: a restore begins an epoch to which nothing old is committed.
    let Some(known) = image.adoption() else {
        return Ok(());
    };
    let names: Vec<&str> = known.hosts.iter().map(String::as_str).collect();
    let message = format!(
        "the store was restored, and no address is given before these hosts have said what lives \
         on them: {}; start their agents, remove hosts that are no more by netctl host rm, or \
         wait until --adopt-timeout is over",
        names.join(", ")
    );
    Err(Refusal::conflict("", message))
}
