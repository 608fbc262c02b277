//! The five tables of one lineage, and what of the tenant's share they use.

use std::sync::Arc;

use contiv_datapath_abi::policy::{
    Decision, DecisionKey, OwnKey, Peer, PeerKey, PrefixKey, RuleSet, Selector, Subject, SubjectKey,
};

use crate::numbers::Lent;
use crate::profile::{Entries, Profiles, entries};
use crate::table::Table;
use crate::terms::Term;
use crate::{Limits, PolicyError};

/// Where the parts of a compiled policy write their rows.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    pub(crate) limits: Limits,
    pub(crate) numbers: Lent,
    pub(crate) tables: Tables,
    profiles: Profiles,
    decisions: usize,
    prefixes: usize,
    peer_groups: usize,
}

/// The rows of a lineage.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) subjects: Table<SubjectKey, Subject>,
    pub(crate) own_addresses: Table<(OwnKey, u32), RuleSet>,
    pub(crate) peer_groups: Table<PeerKey, Peer>,
    pub(crate) peer_prefixes: Table<(PrefixKey, u32), u32>,
    pub(crate) decisions: Table<DecisionKey, Decision>,
}

impl Tables {
    /// Forgets what was before the last build.
    pub(crate) fn settle(&mut self) {
        self.subjects.settle();
        self.own_addresses.settle();
        self.peer_groups.settle();
        self.peer_prefixes.settle();
        self.decisions.settle();
    }
}

/// The rules that a kind of peer meets, with their profile.
#[derive(Debug, Default)]
pub(crate) struct Position {
    /// Those that name this kind of peer.
    pub(crate) terms: Vec<Arc<Term>>,
    pub(crate) profile: u32,
    /// Entries that it was counted with.
    cost: usize,
}

impl Position {
    pub(crate) fn remove(&mut self, term: &Arc<Term>) {
        if let Some(index) = self.terms.iter().position(|t| Arc::ptr_eq(t, term)) {
            self.terms.swap_remove(index);
        }
    }

    /// Gives the position the profile of its rules and of those `around` it.
    pub(crate) fn settle(
        &mut self,
        around: &[&Arc<Term>],
        writer: &mut Writer,
    ) -> Result<(), PolicyError> {
        let entries = self.entries(around, writer)?;
        self.exchange(entries, writer);
        Ok(())
    }

    /// As [`settle`](Self::settle) with nothing around, where a profile is not needed for one
    /// decision about all packets.
    pub(crate) fn settle_peer(&mut self, writer: &mut Writer) -> Result<Option<Peer>, PolicyError> {
        let entries = self.entries(&[], writer)?;
        if let Some([(Selector::ALL, decision)]) = entries.as_deref() {
            self.exchange(None, writer);
            return Ok(Some(Peer::decided(*decision)));
        }
        self.exchange(entries, writer);
        Ok((self.profile != 0).then(|| Peer::of_profile(self.profile)))
    }

    /// The entries of the position's rules and of those `around` it, counted.
    fn entries(
        &mut self,
        around: &[&Arc<Term>],
        writer: &mut Writer,
    ) -> Result<Option<Entries>, PolicyError> {
        let terms = || around.iter().copied().chain(&self.terms);
        let cost = terms().map(|term| term.selectors.len()).sum();
        let others = writer.decisions - self.cost;
        writer.decisions = others + cost;
        if writer.decisions > writer.limits.decisions {
            let mut used = others;
            let too_much = terms().find(|term| {
                used += term.selectors.len();
                used > writer.limits.decisions
            });
            if let Some(term) = too_much {
                let limit = writer.limits.decisions;
                return Err(PolicyError::too_large(&term.rule, "entries", limit));
            }
        }
        self.cost = cost;
        Ok(entries(terms()))
    }

    fn exchange(&mut self, entries: Option<Entries>, writer: &mut Writer) {
        self.profile = writer.profiles.exchange(
            self.profile,
            entries,
            &mut writer.tables.decisions,
            &mut writer.numbers,
        );
    }

    /// Gives the profile back.
    pub(crate) fn clear(&mut self, writer: &mut Writer) {
        writer.decisions -= self.cost;
        self.cost = 0;
        self.exchange(None, writer);
    }
}

impl Writer {
    pub(crate) fn within(limits: Limits) -> Writer {
        Writer {
            limits,
            ..Writer::default()
        }
    }

    /// Counts prefixes that came and went; `blame` is the rule of the last one.
    pub(crate) fn count_prefixes(
        &mut self,
        before: usize,
        after: usize,
        blame: Option<&Arc<Term>>,
    ) -> Result<(), PolicyError> {
        self.prefixes = self.prefixes + after - before;
        check(
            self.prefixes,
            self.limits.prefixes,
            "address prefixes",
            blame,
        )
    }

    /// Counts peer groups that came and went; `blame` is the rule of the last one.
    pub(crate) fn count_peer_groups(
        &mut self,
        before: usize,
        after: usize,
        blame: Option<&Arc<Term>>,
    ) -> Result<(), PolicyError> {
        self.peer_groups = self.peer_groups + after - before;
        check(
            self.peer_groups,
            self.limits.peer_groups,
            "peer groups",
            blame,
        )
    }
}

fn check(
    used: usize,
    limit: usize,
    what: &'static str,
    blame: Option<&Arc<Term>>,
) -> Result<(), PolicyError> {
    match blame {
        Some(term) if used > limit => Err(PolicyError::too_large(&term.rule, what, limit)),
        _ => Ok(()),
    }
}
