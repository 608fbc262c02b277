//! Frees what leaked.

use std::collections::BTreeSet;

use contiv_ipam::AddressState;

use super::endpoint::end;
use crate::decision::{Decided, Draft};
use crate::doctor::{Leak, leaks};
use crate::image::Image;
use crate::key::Key;
use crate::reports::HostReports;

/// Leaks that one transaction frees.
const PORTION: usize = 200;

/// Frees a portion of what leaks; the answer is what that was, and is empty at the end.
pub fn mend(image: &Image, reports: &HostReports) -> Decided<Vec<Leak>> {
    let mut all = leaks(image, reports);
    // An endpoint's end writes its addresses, which are looked at again afterwards.
    let first = all.iter().any(|leak| matches!(leak, Leak::Endpoint { .. }));
    all.retain(|leak| matches!(leak, Leak::Endpoint { .. }) == first);
    all.truncate(PORTION);
    let mut draft = Draft::new(image);
    for leak in &all {
        match leak {
            Leak::Endpoint { id, host } => {
                draft.rely_on(&Key::Host(host.clone()));
                if let Some(endpoint) = image.endpoint(id) {
                    end(&mut draft, image, endpoint);
                }
            }
            Leak::Address {
                network, address, ..
            } => {
                let Some(number) = image.network(network).map(|n| n.record.number) else {
                    continue;
                };
                let state = image.address(number, *address).cloned();
                let left = freed(&mut draft, image, reports, state);
                draft.replace(&Key::Address(number, *address), left.as_ref());
            }
        }
    }
    Ok(draft.answer(all))
}

/// What is left of an address's state without whoever is not there.
fn freed(
    draft: &mut Draft<'_>,
    image: &Image,
    reports: &HostReports,
    state: Option<AddressState>,
) -> Option<AddressState> {
    match state {
        Some(AddressState::Bound { ref endpoint, .. }) => {
            let endpoint = endpoint.clone();
            draft.rely_on(&Key::Endpoint(endpoint.clone()));
            AddressState::unbind(state, &endpoint, BTreeSet::new())
        }
        Some(AddressState::Draining { ref awaited, .. }) => {
            let unknown =
                |host: &str| image.host(host).is_none() && !reports.hosts.contains_key(host);
            for host in awaited.iter().filter(|host| unknown(host)) {
                draft.rely_on(&Key::Host(host.clone()));
            }
            AddressState::settle(state, unknown)
        }
        _ => None,
    }
}
