//! Work that is to be done once, whatever number of masters there is.
//!
//! The lease of such work names its holder. The holder renews it; a master that has seen
//! no renewal for a while, by its own clock, takes it over. No two clocks are compared.
//! What the holder then writes compares the lease ([`fence`]): of one that slept through
//! the loss of its lease, nothing is committed.

use std::collections::BTreeMap;

use contiv_store::{Compare, Transaction};

use crate::decision::{Decided, Draft, settled};
use crate::image::Image;
use crate::key::Key;
use crate::record::LeaseRecord;

/// Renews the lease that `master` holds, or takes it when nobody holds it or when `expired`
/// is the number of its last renewal. The answer is whether `master` holds it.
pub fn hold_lease(image: &Image, name: &str, master: &str, expired: Option<u64>) -> Decided<bool> {
    let key = Key::Lease(name.to_owned());
    let known = image.lease(name);
    let own = known.is_none_or(|known| known.holder == master);
    if !own && expired != Some(image.number_of(&key.to_string())) {
        return Ok(settled(false));
    }
    let mut draft = Draft::new(image);
    let record = LeaseRecord {
        holder: master.to_owned(),
        turn: known.map_or(1, |known| known.turn + 1),
    };
    draft.put(&key, &record);
    Ok(draft.answer(true))
}

/// Lets a lease go, so that another master need not wait.
pub fn drop_lease(image: &Image, name: &str, master: &str) -> Decided<()> {
    let mut draft = Draft::new(image);
    if image
        .lease(name)
        .is_some_and(|known| known.holder == master)
    {
        draft.delete(&Key::Lease(name.to_owned()));
    }
    Ok(draft.answer(()))
}

/// The same transaction, of which nothing is done once the lease is another's; nothing at all
/// when it is one already.
pub fn fence(image: &Image, name: &str, master: &str, transaction: Transaction) -> Transaction {
    if image.lease(name).is_none_or(|known| known.holder != master) {
        return Transaction::default();
    }
    if transaction.writes.is_empty() {
        return transaction;
    }
    let key = Key::Lease(name.to_owned()).to_string();
    let compares = transaction.compares.into_iter().map(|c| (c.key, c.number));
    let mut compares: BTreeMap<String, u64> = compares.collect();
    compares.insert(key.clone(), image.number_of(&key));
    let compare = |(key, number)| Compare { key, number };
    Transaction {
        compares: compares.into_iter().map(compare).collect(),
        ..transaction
    }
}
