//! Profiles: what one kind of peer may do, and their numbers.

use std::collections::HashMap;
use std::sync::Arc;

use contiv_datapath_abi::policy::{Decision, DecisionKey, Profile, Selector};

use crate::numbers::Lent;
use crate::table::Table;
use crate::terms::Term;

/// Decisions by the packets that they are about, sorted; the fewest that say it, so that
/// profiles of the same effect and the same rules are equal.
pub(crate) type Entries = Arc<[(Selector, Decision)]>;

/// Makes the first entry that a look-up finds the winner of all that match; `None` if no rule
/// matches anything.
///
/// 1. A protocol's entry takes over the rules for every protocol, and a block of ports those of
///    the blocks around it and of the protocol.
/// 2. What then says the same as the next more general entry is not stored.
/// 3. A protocol with blocks has an entry in any case, which says what sizes there are.
pub(crate) fn entries<'a>(terms: impl Iterator<Item = &'a Arc<Term>>) -> Option<Entries> {
    let mut found: Vec<(Selector, Decision)> = terms
        .flat_map(|term| term.selectors.iter().map(|s| (*s, term.decision)))
        .collect();
    // By protocol, the most general first, and blocks before those that they hold.
    let place = |s: &Selector| {
        let class = s.scope.min(2);
        (class != 0, s.protocol, class, s.port, u8::MAX - s.scope)
    };
    found.sort_unstable_by(|(a, x), (b, y)| place(a).cmp(&place(b)).then(y.cmp(x)));
    found.dedup_by_key(|(selector, _)| *selector);

    let mut entries = Vec::with_capacity(found.len());
    let mut rest = &found[..];
    let mut all = Decision::NONE;
    if let [(Selector::ALL, decision), others @ ..] = rest {
        (all, rest) = (*decision, others);
        entries.push((Selector::ALL, all));
    }
    for of_protocol in rest.chunk_by(|(a, _), (b, _)| a.protocol == b.protocol) {
        let protocol = of_protocol[0].0.protocol;
        let (general, blocks) = match of_protocol {
            [(selector, decision), blocks @ ..] if selector.scope == 1 => {
                (all.max(*decision), blocks)
            }
            blocks => (all, blocks),
        };
        let mut sizes = 0;
        // The last port and the decision of each block around the next one.
        let mut around: Vec<(u32, Decision)> = Vec::new();
        for &(block, decision) in blocks {
            let (first, size) = (u32::from(block.port), u32::from(block.scope) - 2);
            while around.pop_if(|(last, _)| *last < first).is_some() {}
            let outer = around.last().map_or(general, |(_, decision)| *decision);
            if decision > outer {
                around.push((first + (1 << (4 * size)) - 1, decision));
                entries.push((block, decision));
                sizes |= 1 << size;
            }
        }
        if sizes != 0 || general > all {
            entries.push((Selector::protocol(protocol), general.with_blocks(sizes)));
        }
    }
    entries.sort_unstable_by_key(|(selector, _)| *selector);
    (!entries.is_empty()).then(|| entries.into())
}

/// With more entries than this, a profile's number says that there may be all kinds of them: to
/// change the number is to write every entry anew.
const FEW: usize = 64;

/// What a profile's number has to say that the profile has, and nothing in vain.
fn told(entries: &[(Selector, Decision)]) -> u32 {
    if entries.len() > FEW {
        return Profile::ENTRIES;
    }
    let kind = |selector: &Selector| match *selector {
        Selector::ALL => Profile::ALL,
        Selector { protocol, .. } => Profile::of(protocol),
    };
    entries
        .iter()
        .fold(0, |all, (selector, _)| all | kind(selector))
}

/// The profiles of a lineage: equal ones have one number, as long as somebody uses it.
#[derive(Debug, Default)]
pub(crate) struct Profiles {
    by_content: HashMap<Entries, u32>,
    slots: HashMap<u32, Slot>,
}

#[derive(Debug)]
struct Slot {
    entries: Entries,
    users: usize,
}

impl Profiles {
    /// The number for a user's new entries, 0 for none; `old` is the number that it had.
    ///
    /// A profile with one user is changed in place, so that a rule among ten thousand costs one
    /// row; but where its number does not tell of what is new in it.
    pub(crate) fn exchange(
        &mut self,
        old: u32,
        new: Option<Entries>,
        rows: &mut Table<DecisionKey, Decision>,
        numbers: &mut Lent,
    ) -> u32 {
        let Some(new) = new else {
            self.release(old, rows, numbers);
            return 0;
        };
        if let Some(&number) = self.by_content.get(&new) {
            if number != old {
                if let Some(slot) = self.slots.get_mut(&number) {
                    slot.users += 1;
                }
                self.release(old, rows, numbers);
            }
            return number;
        }
        if let Some(slot) = self.slots.get_mut(&old)
            && slot.users == 1
            && told(&new) & !Profile(old).entries() == 0
        {
            let before = std::mem::replace(&mut slot.entries, Arc::clone(&new));
            self.by_content.remove(&before);
            self.by_content.insert(Arc::clone(&new), old);
            rewrite(old, &before, &new, rows);
            return old;
        }
        self.release(old, rows, numbers);
        let number = Profile::new(numbers.take(), told(&new)).0;
        rewrite(number, &[], &new, rows);
        self.by_content.insert(Arc::clone(&new), number);
        let slot = Slot {
            entries: new,
            users: 1,
        };
        self.slots.insert(number, slot);
        number
    }

    fn release(
        &mut self,
        number: u32,
        rows: &mut Table<DecisionKey, Decision>,
        numbers: &mut Lent,
    ) {
        let Some(slot) = self.slots.get_mut(&number) else {
            return;
        };
        slot.users -= 1;
        if slot.users == 0
            && let Some(slot) = self.slots.remove(&number)
        {
            self.by_content.remove(&slot.entries);
            rewrite(number, &slot.entries, &[], rows);
            numbers.give_back(Profile(number).bare());
        }
    }
}

/// Writes what differs; both are sorted by selector.
fn rewrite(
    profile: u32,
    mut before: &[(Selector, Decision)],
    mut after: &[(Selector, Decision)],
    rows: &mut Table<DecisionKey, Decision>,
) {
    loop {
        match (before, after) {
            ([], []) => return,
            ([old, ..], []) => {
                rows.remove(DecisionKey::new(profile, old.0));
                before = &before[1..];
            }
            ([old, ..], [new, ..]) if old.0 < new.0 => {
                rows.remove(DecisionKey::new(profile, old.0));
                before = &before[1..];
            }
            ([old, ..], [new, ..]) if old.0 == new.0 => {
                if old.1 != new.1 {
                    rows.put(DecisionKey::new(profile, new.0), new.1);
                }
                (before, after) = (&before[1..], &after[1..]);
            }
            (_, [new, ..]) => {
                rows.put(DecisionKey::new(profile, new.0), new.1);
                after = &after[1..];
            }
        }
    }
}

#[cfg(test)]
mod tests;
