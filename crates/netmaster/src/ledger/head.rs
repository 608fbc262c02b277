//! The image that requests are decided on: the committed one, and what is on its way.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use contiv_fabric::{Image, Lane};
use contiv_store::{Commit, TICKETS, Write};

use crate::error::Error;

/// In the place of a ticket: others committed it.
const OTHERS: u64 = u64::MAX;

/// An image that is ahead of the store by the transactions that were sent to it.
///
/// 1. What was sent has a ticket in the place of its number. Later decisions build on it, and
///    compare with the ticket.
/// 2. A commit that has all of a ticket's writes is that ticket's, and gives it its number: of
///    tickets that wrote just the same, the first one's.
/// 3. What was sent before a ticket and wrote one of its keys has failed when that is
///    committed, since commits come in the order of tickets. What others committed is taken
///    over, and whatever was sent and wrote one of its keys will fail.
/// 4. What has failed is taken back, key by key, and nothing else with it: who built on it
///    fails as well, since its ticket comes to nothing.
///
/// At each key the image has what was sent last and wrote there, or else what is committed.
#[derive(Debug)]
pub(crate) struct Head {
    image: Option<Image>,
    sent: BTreeMap<u64, Vec<Write>>,
    /// The ticket that is given next.
    next: u64,
    /// Counts what turned out otherwise.
    generation: u64,
    lane: Option<Lane>,
}

impl Head {
    /// A head whose tickets begin at `first`.
    pub(crate) fn new(first: u64) -> Head {
        Head {
            image: None,
            sent: BTreeMap::new(),
            next: first.max(TICKETS),
            generation: 0,
            lane: None,
        }
    }

    /// The image, which begins with what is committed.
    pub(crate) fn image(&mut self, committed: impl FnOnce() -> Image) -> &Image {
        let lane = self.lane;
        self.image.get_or_insert_with(|| {
            let mut image = committed();
            image.set_lane(lane);
            image
        })
    }

    /// Counts how often something that the head assumed turned out otherwise.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The last ticket that was given.
    pub(crate) fn last(&self) -> u64 {
        self.next - 1
    }

    /// Everything up to this ticket is durable, or has failed.
    pub(crate) fn settled(&self) -> u64 {
        let first = self.sent.first_key_value();
        first.map_or(self.next, |(ticket, _)| *ticket) - 1
    }

    /// Whether something is on its way.
    pub(crate) fn is_ahead(&self) -> bool {
        !self.sent.is_empty()
    }

    /// Where decisions look for free addresses first.
    pub(crate) fn set_lane(&mut self, lane: Option<Lane>) {
        self.lane = lane;
        if let Some(image) = &mut self.image {
            image.set_lane(lane);
        }
    }

    /// Assumes that these writes will be committed; gives their ticket.
    pub(crate) fn push(&mut self, writes: &mut Vec<Write>) -> Result<u64, Error> {
        let ticket = self.next;
        self.next += 1;
        if let Some(image) = &mut self.image {
            // The end of what is absent changes nothing, and is no part of a commit.
            let absent = |key: &str| image.number_of(key) == 0;
            writes.retain(|write| !matches!(write, Write::Delete { key } if absent(key)));
            image.apply(ticket, writes)?;
            self.sent.insert(ticket, writes.clone());
        }
        Ok(ticket)
    }

    /// Takes a commit; `committed` is the image with it.
    pub(crate) fn take(&mut self, commit: &Commit, committed: &Image) -> Result<(), Error> {
        let Some(image) = &mut self.image else {
            return Ok(());
        };
        let number = commit.revision.number;
        if number <= image.number() {
            return Ok(()); // The image was made of it.
        }
        let whose = take_off(&mut self.sent, commit);
        let fails = |ticket, write: &Write| whose.get(write.key()).is_some_and(|by| ticket < *by);
        let sent = self.sent.iter();
        let lost = sent.filter(|(ticket, writes)| writes.iter().any(|w| fails(**ticket, w)));
        let lost: Vec<u64> = lost.map(|(ticket, _)| *ticket).collect();
        let ahead: HashSet<&str> = self.sent.values().flatten().map(Write::key).collect();
        let free = commit.writes.iter().filter(|w| !ahead.contains(w.key()));
        let free: Vec<Write> = free.cloned().collect();
        image.apply(number, &free)?;
        for ticket in lost {
            self.fail(ticket, committed)?;
        }
        Ok(())
    }

    /// What was sent under a ticket will not be, or is no longer waited for.
    pub(crate) fn fail(&mut self, ticket: u64, committed: &Image) -> Result<(), Error> {
        let Some(writes) = self.sent.remove(&ticket) else {
            return Ok(());
        };
        self.generation += 1;
        let Some(image) = &mut self.image else {
            return Ok(());
        };
        let keys: BTreeSet<String> = writes.iter().map(|w| w.key().to_owned()).collect();
        image.take_over(&keys, committed)?;
        for (ticket, writes) in &self.sent {
            let again = writes.iter().filter(|w| keys.contains(w.key()));
            let again: Vec<Write> = again.cloned().collect();
            image.apply(*ticket, &again)?;
        }
        Ok(())
    }

    /// Forgets all of it: the next decision begins with what is committed.
    pub(crate) fn reset(&mut self) {
        self.image = None;
        self.sent.clear();
        self.generation += 1;
    }
}

/// Takes off what a commit has made durable, and says which ticket each of its writes is of.
fn take_off<'a>(sent: &mut BTreeMap<u64, Vec<Write>>, commit: &'a Commit) -> HashMap<&'a str, u64> {
    let mut left: HashMap<&str, &Write> = commit.writes.iter().map(|w| (w.key(), w)).collect();
    let mut whose = HashMap::new();
    sent.retain(|ticket, writes| {
        let is_in = |write: &Write| left.get(write.key()) == Some(&write);
        if writes.is_empty() || !writes.iter().all(is_in) {
            return true;
        }
        let keys = writes.iter().filter_map(|w| left.remove_entry(w.key()));
        whose.extend(keys.map(|(key, _)| (key, *ticket)));
        false
    });
    whose.extend(left.into_keys().map(|key| (key, OTHERS)));
    whose
}

#[cfg(test)]
mod tests;
