//! Policies of tenants in the kernel's tables, changed from one build to the next.
//!
//! 1. [`Policies::build`] compiles what changed and writes it where no packet can meet it yet:
//!    on the side of the tenant's rows that is not in force, or as rows of a new root.
//! 2. The caller makes the root the tenant's ([`crate::tenants`]).
//! 3. [`Policies::retire`] waits for a grace period, then makes both sides equal and deletes
//!    what is needed no more; the first time also what earlier agents have left.

use std::collections::{BTreeMap, BTreeSet};

use contiv_datapath_abi::policy::{
    Decision, DecisionKey, OwnKey, Peer, PeerKey, PrefixKey, Profile, RuleSet, Sides, Subject,
    SubjectKey,
};
use contiv_datapath_abi::{Plain, maps};
use contiv_policy::{Build, HostTables, PolicyError, Rows, TenantPolicy};

use crate::Error;
use crate::bpf::{Prefixed, Table, grace_period};
use crate::error::Failures;
use crate::pins::Pins;

/// The tables of policies.
#[derive(Debug)]
struct Tables {
    subjects: Table<SubjectKey, Sides<Subject>>,
    own: Table<Prefixed<OwnKey>, Sides<RuleSet>>,
    /// Those of builds before [`RuleSet::TELLING`], which are only to go.
    older_groups: Table<PeerKey, Sides<u32>>,
    groups: Table<PeerKey, Sides<Peer>>,
    prefixes: Table<Prefixed<PrefixKey>, Sides<u32>>,
    decisions: Table<DecisionKey, Sides<Decision>>,
}

/// What is in the tables, and which build is whose.
#[derive(Debug)]
pub(crate) struct Policies {
    tables: Tables,
    numbers: HostTables,
    installed: BTreeMap<u32, Installed>,
    /// What a build has replaced, until it is in force.
    replaced: BTreeMap<u32, Option<Installed>>,
    /// Tenants whose rows could not be made equal on both sides.
    uneven: BTreeSet<u32>,
    /// The last policy of a tenant that was not compiled, and why.
    refused: BTreeMap<u32, (TenantPolicy, PolicyError)>,
    /// Tenants that are no more.
    gone: Vec<u32>,
    /// Rows up to this number are an earlier agent's.
    inherited: Option<u32>,
}

#[derive(Debug)]
struct Installed {
    policy: TenantPolicy,
    root: u32,
}

impl Policies {
    pub(crate) fn open(pins: &Pins) -> Result<Policies, Error> {
        let tables = Tables {
            subjects: pins.table(maps::POLICY_SUBJECTS)?,
            own: pins.table(maps::POLICY_OWN)?,
            older_groups: pins.table(maps::POLICY_GROUPS)?,
            groups: pins.table(maps::POLICY_PEERS)?,
            prefixes: pins.table(maps::POLICY_PREFIXES)?,
            decisions: pins.table(maps::POLICY_DECISIONS)?,
        };
        let highest = tables.highest()?;
        Ok(Policies {
            tables,
            numbers: HostTables::after(highest),
            installed: BTreeMap::new(),
            replaced: BTreeMap::new(),
            uneven: BTreeSet::new(),
            refused: BTreeMap::new(),
            gone: Vec::new(),
            inherited: (highest > 0).then_some(highest),
        })
    }

    /// The root under which the tenant's policy is in the tables; 0 for a policy without rules.
    /// Unchanged policies cost a comparison.
    pub(crate) fn build(&mut self, tenant: u32, policy: &TenantPolicy) -> Result<u32, Error> {
        if let Some(installed) = self.installed.get(&tenant)
            && installed.policy == *policy
            && !self.uneven.contains(&tenant)
        {
            return Ok(installed.root);
        }
        let build = self.prepare(tenant, policy)?;
        if let Err(error) = self.tables.write(&build.write) {
            self.tables.delete(&self.numbers.abandon(tenant)).ok();
            return Err(error);
        }
        let root = build.root;
        let installed = Installed {
            policy: policy.clone(),
            root,
        };
        let old = self.installed.insert(tenant, installed);
        self.replaced.insert(tenant, old);
        Ok(root)
    }

    fn prepare(&mut self, tenant: u32, policy: &TenantPolicy) -> Result<Build, Error> {
        let refusal = match self.refused.remove(&tenant) {
            Some((refused, why)) if refused == *policy => why,
            _ => match self.numbers.prepare(tenant, policy) {
                Ok(build) => return Ok(build),
                Err(why) => why,
            },
        };
        let source = refusal.clone();
        self.refused.insert(tenant, (policy.clone(), refusal));
        Err(Error::Policy { tenant, source })
    }

    /// Gives up the last build of a tenant, whose root could not be put in force.
    pub(crate) fn abandon(&mut self, tenant: u32) {
        match self.replaced.remove(&tenant) {
            Some(Some(old)) => {
                self.installed.insert(tenant, old);
            }
            Some(None) => {
                self.installed.remove(&tenant);
            }
            None => return,
        }
        self.tables.delete(&self.numbers.abandon(tenant)).ok();
    }

    /// Whether a policy that this agent built is there for the tenant.
    pub(crate) fn has(&self, tenant: u32) -> bool {
        self.installed.contains_key(&tenant)
    }

    /// Whether the tenant's policy says what members of the group may do. One that does not know
    /// the group would let them do all.
    pub(crate) fn knows(&self, tenant: u32, group: u32) -> bool {
        let installed = self.installed.get(&tenant);
        installed.is_some_and(|i| group == 0 || i.policy.groups.contains_key(&group))
    }

    /// Forgets tenants that are not among these. Their roots must be out of force.
    pub(crate) fn keep(&mut self, tenants: &BTreeSet<u32>) {
        self.refused.retain(|tenant, _| tenants.contains(tenant));
        self.installed.retain(|tenant, _| tenants.contains(tenant));
        let gone = self.numbers.tenants();
        self.gone = gone.filter(|tenant| !tenants.contains(tenant)).collect();
    }

    /// Tidies up after what has come into force, when no packet can be looking at it.
    ///
    /// `settled`: every tenant has a root of this agent's.
    pub(crate) fn retire(&mut self, settled: bool) -> Result<(), Error> {
        let pending = self.numbers.tenants();
        let pending: Vec<u32> = pending.filter(|t| self.numbers.is_pending(*t)).collect();
        let inherited = self.inherited.filter(|_| settled);
        let replacing = pending.iter().any(|t| self.numbers.is_replacing(*t));
        if replacing || !self.gone.is_empty() || inherited.is_some() {
            grace_period().map_err(Error::bpf("wait for a grace period"))?;
        }
        let mut failures = Failures::default();
        self.replaced.clear();
        for tenant in std::mem::take(&mut self.gone) {
            let rows = self.numbers.forget(tenant);
            failures.note(self.tables.delete(&rows));
        }
        for tenant in pending {
            let rows = self.numbers.settle(tenant);
            self.uneven.remove(&tenant);
            if failures.note(self.tables.write(&rows.write)).is_none() {
                self.uneven.insert(tenant);
                self.numbers.start_anew(tenant);
            }
            failures.note(self.tables.delete(&rows.delete));
        }
        if let Some(highest) = inherited
            && failures.note(self.tables.delete_up_to(highest)).is_some()
        {
            self.inherited = None;
        }
        failures.result()
    }
}

impl Tables {
    /// The highest number of a lineage, set or profile in any table, of profiles without what
    /// they say.
    fn highest(&self) -> Result<u32, Error> {
        let subjects = self.subjects.rows()?;
        let subjects = subjects.iter().flat_map(|(key, sides)| {
            let sides = [sides.left, sides.right].into_iter();
            let sets = sides.flat_map(|subject| [subject.receiving, subject.sending]);
            sets.map(|set| set.set).chain([key.lineage])
        });
        let own = self.own.keys()?.into_iter().map(|key| key.key.set);
        let groups = self.groups.rows()?.into_iter().map(|(key, _)| key.set);
        let older = self.older_groups.rows()?.into_iter();
        let groups = groups.chain(older.map(|(key, _)| key.set));
        let prefixes = self.prefixes.keys()?.into_iter().map(|key| key.key.set);
        let decisions = self.decisions.rows()?.into_iter();
        let decisions = decisions.map(|(key, _)| Profile(key.profile).bare());
        let all = subjects.chain(own).chain(groups).chain(prefixes);
        Ok(all.chain(decisions).max().unwrap_or(0))
    }

    /// In an order by which no row leads to one that is not there.
    fn write(&self, rows: &Rows) -> Result<(), Error> {
        put_all(
            &self.decisions,
            rows.decisions.iter().map(|(k, v)| (*k, *v)),
        )?;
        put_all(&self.groups, rows.peer_groups.iter().map(|(k, v)| (*k, *v)))?;
        put_all(&self.prefixes, prefixed(&rows.peer_prefixes))?;
        put_all(&self.own, prefixed(&rows.own_addresses))?;
        put_all(&self.subjects, rows.subjects.iter().map(|(k, v)| (*k, *v)))
    }

    /// In the opposite order; goes on after a failure.
    fn delete(&self, rows: &Rows) -> Result<(), Error> {
        let mut failures = Failures::default();
        for key in rows.subjects.keys() {
            failures.note(self.subjects.remove(key));
        }
        for (key, _) in prefixed(&rows.own_addresses) {
            failures.note(self.own.remove(&key));
        }
        for (key, _) in prefixed(&rows.peer_prefixes) {
            failures.note(self.prefixes.remove(&key));
        }
        for key in rows.peer_groups.keys() {
            failures.note(self.groups.remove(key));
        }
        for key in rows.decisions.keys() {
            failures.note(self.decisions.remove(key));
        }
        failures.result()
    }

    /// Deletes the rows of lineages, sets and profiles with numbers up to `highest`.
    fn delete_up_to(&self, highest: u32) -> Result<(), Error> {
        let mut failures = Failures::default();
        for (key, _) in self.subjects.rows()? {
            if key.lineage <= highest {
                failures.note(self.subjects.remove(&key));
            }
        }
        for key in self.own.keys()? {
            if key.key.set <= highest {
                failures.note(self.own.remove(&key));
            }
        }
        for key in self.prefixes.keys()? {
            if key.key.set <= highest {
                failures.note(self.prefixes.remove(&key));
            }
        }
        for (key, _) in self.groups.rows()? {
            if key.set <= highest {
                failures.note(self.groups.remove(&key));
            }
        }
        for (key, _) in self.older_groups.rows()? {
            if key.set <= highest {
                failures.note(self.older_groups.remove(&key));
            }
        }
        for (key, _) in self.decisions.rows()? {
            if Profile(key.profile).bare() <= highest {
                failures.note(self.decisions.remove(&key));
            }
        }
        failures.result()
    }
}

fn put_all<K: Plain, V: Plain>(
    table: &Table<K, V>,
    rows: impl Iterator<Item = (K, V)>,
) -> Result<(), Error> {
    for (key, value) in rows {
        table.put(&key, &value)?;
    }
    Ok(())
}

fn prefixed<K: Plain, V: Plain>(
    rows: &BTreeMap<(K, u32), V>,
) -> impl Iterator<Item = (Prefixed<K>, V)> {
    rows.iter().map(|((key, bits), value)| {
        (
            Prefixed {
                bits: *bits,
                key: *key,
            },
            *value,
        )
    })
}
