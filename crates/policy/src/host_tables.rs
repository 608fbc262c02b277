//! Which rows a host's tables hold, for which tenants.

use std::collections::BTreeMap;

use crate::lineage::{Lineage, check};
use crate::numbers::Numbers;
use crate::{Limits, PolicyError, Rows, TenantPolicy, sided};

/// Compiles the policies of all tenants of a host, and keeps what it has compiled, so that a
/// change costs what it changes.
///
/// A policy comes into force like this:
///
/// 1. [`prepare`](Self::prepare) names the rows to write. No packet can meet what is new in
///    them yet, so they may be written in any order.
/// 2. One write makes the new root the tenant's.
/// 3. After a grace period of the kernel, [`settle`](Self::settle) names the rows to write, in
///    any order, and those to delete. Until then the tenant's next build is one beside the old
///    one, which costs as much as a first.
///
/// When a write fails, or the root cannot be made the tenant's, [`abandon`](Self::abandon) names
/// the rows to delete, and what was in force stays.
///
/// An agent that starts on tables of its predecessor begins after the highest
/// number that they have ([`after`](Self::after)), prepares every tenant, makes
/// the new roots theirs, and deletes what it has not written itself.
#[derive(Debug)]
pub struct HostTables {
    numbers: Numbers,
    tenants: BTreeMap<u32, Tenant>,
    limits: Limits,
}

/// The rows that are to come into force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Build {
    /// For the tenant's row; 0 for a policy that allows everything by default.
    pub root: u32,
    pub write: Rows,
}

/// What is left to do after a flip.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settling {
    pub write: Rows,
    pub delete: Rows,
}

#[derive(Debug, Default)]
struct Tenant {
    /// What the next change starts from; absent if it has to start anew.
    kept: Option<Lineage>,
    /// The tenant's root is, or is to be, this one.
    root: u32,
    /// Prepared and not settled.
    pending: Option<Pending>,
    /// Rows that are in force until the next build is, with their numbers.
    old: Vec<(Rows, Vec<u32>)>,
}

#[derive(Debug)]
enum Pending {
    /// Rows of their own.
    Fresh,
    /// The other side of rows in force, and the numbers that come free by it.
    Change { returned: Vec<u32> },
}

impl Tenant {
    /// The rows by which the lineage in force becomes what it now is.
    fn change(&mut self, mut kept: Lineage, numbers: &mut Numbers) -> Build {
        let side = 1 - kept.root.side;
        let write = sided::before_flip(&kept.writer.tables, side);
        let returned = kept.writer.numbers.returned();
        if write.is_empty() {
            kept.writer.tables.settle();
            numbers.free(returned);
        } else {
            kept.root.side = side;
            self.root = kept.root.number();
            self.pending = Some(Pending::Change { returned });
        }
        self.kept = Some(kept);
        Build {
            root: self.root,
            write,
        }
    }

    /// Keeps the rows of a lineage until the next build is in force.
    fn outlive(&mut self, rows: Rows, mut lineage: Lineage, returned: Vec<u32>) {
        let mut numbers = lineage.writer.numbers.all();
        numbers.extend(returned);
        self.old.push((rows, numbers));
    }
}

impl HostTables {
    /// For tables in which roots, sets and profiles have numbers up to `highest`;
    /// 0 for empty tables.
    pub fn after(highest: u32) -> HostTables {
        HostTables::within(highest, Limits::default())
    }

    /// As [`after`](Self::after), with other limits for each tenant.
    pub fn within(highest: u32, limits: Limits) -> HostTables {
        HostTables {
            numbers: Numbers::after(highest),
            tenants: BTreeMap::new(),
            limits,
        }
    }

    /// Compiles a tenant's policy; the error names the rule that does not fit, and what was
    /// in force stays.
    pub fn prepare(&mut self, tenant: u32, policy: &TenantPolicy) -> Result<Build, PolicyError> {
        check(policy)?;
        let numbers = &mut self.numbers;
        let state = self.tenants.entry(tenant).or_default();
        if state.pending.is_none()
            && let Some(mut kept) = state.kept.take()
        {
            let done = kept.become_this(policy, numbers);
            if done.is_ok() && !kept.is_empty() {
                return Ok(state.change(kept, numbers));
            }
            // What was changed in vain has not been written. On the way there may be more than
            // there is in the end: only a start says whether the policy is too large.
            let rows = sided::as_before(&kept.writer.tables);
            state.outlive(rows, kept, Vec::new());
        }
        let returned = match state.pending.take() {
            Some(Pending::Change { returned }) => returned,
            Some(Pending::Fresh) | None => Vec::new(),
        };
        if let Some(kept) = state.kept.take() {
            let rows = sided::all(&kept.writer.tables);
            state.outlive(rows, kept, returned);
        }
        let mut lineage = Lineage::new(numbers, self.limits);
        let done = lineage.become_this(policy, numbers);
        if done.is_err() || lineage.is_empty() {
            numbers.free(lineage.writer.numbers.all());
            done?;
            state.root = 0;
            state.pending = (!state.old.is_empty()).then_some(Pending::Fresh);
            return Ok(Build::default());
        }
        let returned = lineage.writer.numbers.returned();
        numbers.free(returned);
        state.root = lineage.root.number();
        state.pending = Some(Pending::Fresh);
        let write = sided::all(&lineage.writer.tables);
        state.kept = Some(lineage);
        Ok(Build {
            root: state.root,
            write,
        })
    }

    /// Whether the tenant's last build is still to be settled or abandoned.
    pub fn is_pending(&self, tenant: u32) -> bool {
        let state = self.tenants.get(&tenant);
        state.is_some_and(|state| state.pending.is_some())
    }

    /// Whether packets may be looking at what the tenant's last build has replaced. Otherwise it
    /// can be settled without a grace period.
    pub fn is_replacing(&self, tenant: u32) -> bool {
        let state = self.tenants.get(&tenant);
        state.is_some_and(|state| match state.pending {
            Some(Pending::Change { .. }) => true,
            Some(Pending::Fresh) => !state.old.is_empty(),
            None => false,
        })
    }

    /// What remains to be done once the root of the last build is the tenant's, and no packet can
    /// be looking at what it replaced.
    pub fn settle(&mut self, tenant: u32) -> Settling {
        let mut settling = Settling::default();
        let Some(state) = self.tenants.get_mut(&tenant) else {
            return settling;
        };
        let Some(pending) = state.pending.take() else {
            return settling;
        };
        if let Some(kept) = &mut state.kept {
            if let Pending::Change { returned } = pending {
                (settling.write, settling.delete) = sided::after_flip(&kept.writer.tables);
                self.numbers.free(returned);
            }
            kept.writer.tables.settle();
        }
        for (rows, numbers) in std::mem::take(&mut state.old) {
            settling.delete.add(rows);
            self.numbers.free(numbers);
        }
        settling
    }

    /// Tells that the rows to be written after a flip could not be: the tenant's next build is
    /// one beside the old one.
    pub fn start_anew(&mut self, tenant: u32) {
        if let Some(state) = self.tenants.get_mut(&tenant)
            && let Some(kept) = state.kept.take()
        {
            state.outlive(sided::all(&kept.writer.tables), kept, Vec::new());
        }
    }

    /// Gives the last build up, which has not come into force: the rows to delete.
    pub fn abandon(&mut self, tenant: u32) -> Rows {
        let Some(state) = self.tenants.get_mut(&tenant) else {
            return Rows::default();
        };
        let (Some(pending), Some(mut kept)) = (state.pending.take(), state.kept.take()) else {
            return Rows::default();
        };
        match pending {
            Pending::Fresh => {
                self.numbers.free(kept.writer.numbers.all());
                sided::all(&kept.writer.tables)
            }
            Pending::Change { returned } => {
                let delete = sided::undo(&kept.writer.tables);
                let rows = sided::as_before(&kept.writer.tables);
                state.outlive(rows, kept, returned);
                delete
            }
        }
    }

    /// Forgets a tenant whose root is out of force, no packet looking at it: the rows to delete.
    pub fn forget(&mut self, tenant: u32) -> Rows {
        let mut delete = Rows::default();
        let Some(state) = self.tenants.remove(&tenant) else {
            return delete;
        };
        if let Some(mut kept) = state.kept {
            delete.add(sided::all(&kept.writer.tables));
            self.numbers.free(kept.writer.numbers.all());
        }
        for (rows, numbers) in state.old {
            delete.add(rows);
            self.numbers.free(numbers);
        }
        delete
    }

    /// The tenants that have a policy here.
    pub fn tenants(&self) -> impl Iterator<Item = u32> {
        self.tenants.keys().copied()
    }
}

/// Compiles a policy on its own: a root and all of its rows, in which it can be asked.
pub fn compile(policy: &TenantPolicy) -> Result<Build, PolicyError> {
    compile_within(policy, Limits::default())
}

/// As [`compile`], with other limits.
pub fn compile_within(policy: &TenantPolicy, limits: Limits) -> Result<Build, PolicyError> {
    HostTables::within(0, limits).prepare(1, policy)
}

#[cfg(test)]
mod tests;
