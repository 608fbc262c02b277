//! What time and hosts make free.

use std::collections::BTreeMap;

use contiv_ipam::AddressState;
use contiv_store::Transaction;

use crate::decision::Draft;
use crate::image::Image;
use crate::key::Key;

/// Frees the tentative addresses that no endpoint was made of since before `before`,
/// in milliseconds since 1970.
pub fn expire(image: &Image, before: u64) -> Transaction {
    let mut draft = Draft::new(image);
    for (network, address) in image.tentative_before(before) {
        draft.delete(&Key::Address(network, address));
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
        if AddressState::settle(state, dropped).is_none() {
            draft.delete(&Key::Address(network, address));
        }
    }
    draft.answer(()).transaction
}
