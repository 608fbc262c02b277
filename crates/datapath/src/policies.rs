//! Policies of tenants in the kernel's tables, changed from one build to the next.
//!
//! 1. [`Policies::build`] compiles what changed and writes it where no packet can meet it yet:
//!    on the side of the tenant's rows that is not in force, or as rows of a new root.
//! 2. The caller makes the root the tenant's ([`crate::tenants`]).
//! 3. [`Policies::retire`] waits for a grace period, then makes both sides equal and deletes
//!    what is needed no more; the first time also what earlier agents have left.

use std::collections::{BTreeMap, BTreeSet};

use contiv_datapath_abi::policy::{
    Decision, DecisionKey, OwnKey, PeerKey, PrefixKey, RuleSet, Sides, Subject, SubjectKey,
};
use contiv_datapath_abi::{Plain, maps};
use contiv_policy::{HostTables, Rows, TenantPolicy};

use crate::Error;
use crate::bpf::{Prefixed, Table, grace_period};
use crate::error::Failures;
use crate::pins::Pins;

/// The five tables of policies.
#[derive(Debug)]
struct Tables {
    subjects: Table<SubjectKey, Sides<Subject>>,
    own: Table<Prefixed<OwnKey>, Sides<RuleSet>>,
    groups: Table<PeerKey, Sides<u32>>,
    prefixes: Table<Prefixed<PrefixKey>, Sides<u32>>,
    decisions: Table<DecisionKey, Sides<Decision>>,
}

/// What is in the tables, and which build is whose.
#[derive(Debug)]
pub(crate) struct Policies {
    tables: Tables,
    numbers: HostTables,
    installed: BTreeMap<u32, Installed>,
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
            groups: pins.table(maps::POLICY_GROUPS)?,
            prefixes: pins.table(maps::POLICY_PREFIXES)?,
            decisions: pins.table(maps::POLICY_DECISIONS)?,
        };
        let highest = tables.highest()?;
        Ok(Policies {
            tables,
            numbers: HostTables::after(highest),
            installed: BTreeMap::new(),
            gone: Vec::new(),
            inherited: (highest > 0).then_some(highest),
        })
    }

    /// The root under which the tenant's policy is in the tables; 0 for a policy without rules.
    /// Unchanged policies cost a comparison.
    pub(crate) fn build(&mut self, tenant: u32, policy: &TenantPolicy) -> Result<u32, Error> {
        if let Some(installed) = self.installed.get(&tenant)
            && installed.policy == *policy
        {
            return Ok(installed.root);
        }
        let build = self.numbers.prepare(tenant, policy);
        let build = build.map_err(|source| Error::Policy { tenant, source })?;
        if let Err(error) = self.tables.write(&build.write) {
            self.abandon(tenant);
            return Err(error);
        }
        let root = build.root;
        let installed = Installed {
            policy: policy.clone(),
            root,
        };
        self.installed.insert(tenant, installed);
        Ok(root)
    }

    /// Gives up the last build of a tenant, whose root could not be put in force.
    pub(crate) fn abandon(&mut self, tenant: u32) {
        self.installed.remove(&tenant);
        self.tables.delete(&self.numbers.abandon(tenant)).ok();
    }

    /// Forgets tenants that are not among these. Their roots must be out of force.
    pub(crate) fn keep(&mut self, tenants: &BTreeSet<u32>) {
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
        if pending.is_empty() && self.gone.is_empty() && inherited.is_none() {
            return Ok(());
        }
        grace_period().map_err(Error::bpf("wait for a grace period"))?;
        let mut failures = Failures::default();
        for tenant in std::mem::take(&mut self.gone) {
            let rows = self.numbers.forget(tenant);
            failures.note(self.tables.delete(&rows));
        }
        for tenant in pending {
            let rows = self.numbers.settle(tenant);
            if failures.note(self.tables.write(&rows.write)).is_none() {
                self.installed.remove(&tenant);
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
    /// The highest number of a lineage, set or profile in any table.
    fn highest(&self) -> Result<u32, Error> {
        let subjects = self.subjects.rows()?;
        let subjects = subjects.iter().flat_map(|(key, sides)| {
            let sides = [sides.left, sides.right].into_iter();
            let sets = sides.flat_map(|subject| [subject.receiving, subject.sending]);
            sets.flat_map(|set| [set.set, set.any]).chain([key.lineage])
        });
        let own = self.own.keys()?.into_iter().map(|key| key.key.set);
        let groups = self.groups.rows()?.into_iter();
        let groups = groups.flat_map(|(key, profile)| [key.set, profile.left, profile.right]);
        let prefixes = self.prefixes.keys()?.into_iter().map(|key| key.key.set);
        let decisions = self.decisions.rows()?.into_iter();
        let decisions = decisions.map(|(key, _)| key.profile);
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
        for (key, _) in self.decisions.rows()? {
            if key.profile <= highest {
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
