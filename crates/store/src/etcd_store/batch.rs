//! Transactions that wait together, as one transaction of etcd.
//!
//! 1. Each is a transaction inside the outer one, with comparisons and an outcome of its
//!    own: who lost a race costs the others nothing.
//! 2. etcd evaluates all comparisons before it writes anything. So a batch ends before a
//!    transaction that compares, or writes, what one in it writes: it goes with the next.
//! 3. etcd takes 128 operations in a list. More comparisons become transactions inside each
//!    other, more writes become transactions side by side in the innermost; still all or
//!    nothing, in one revision.

use std::collections::BTreeSet;
use std::ops::Bound;

use etcd_client::{Compare as EtcdCompare, CompareOp, GetOptions, Txn, TxnOp, TxnOpResponse};

use super::keys::Keys;
use crate::transaction::{Compare, TICKETS, Transaction, Unchanged, Write};

/// etcd's own limit of operations in a list (`--max-txn-ops`).
const OPERATIONS: usize = 128;

/// One is left for the mark of the last commit.
const MEMBERS: usize = OPERATIONS - 1;

/// etcd takes requests of 1.5 MiB (`--max-request-bytes`); a little is overhead.
pub(super) const BYTES: usize = 1_200_000;

/// What is known of transactions in the same batch.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) members: Vec<Transaction>,
    written: BTreeSet<String>,
    bytes: usize,
}

impl Batch {
    /// Takes a transaction, whose tickets are numbers by now; gives it back if it has to wait.
    pub(super) fn take(&mut self, transaction: Transaction) -> Result<(), Transaction> {
        let size = size(&transaction);
        let full = self.members.len() == MEMBERS || self.bytes + size > BYTES;
        if !self.members.is_empty() && (full || self.meets(&transaction)) {
            return Err(transaction);
        }
        self.bytes += size;
        self.written
            .extend(transaction.writes.iter().map(|w| w.key().to_owned()));
        self.members.push(transaction);
        Ok(())
    }

    /// Whether a ticket that the transaction builds on is in the batch.
    pub(super) fn has_tickets_of(&self, transaction: &Transaction) -> bool {
        let compared = transaction.compares.iter().map(|c| c.number);
        let mut numbers = compared.chain(transaction.unchanged.iter().map(|r| r.since));
        numbers.any(|number| {
            number >= TICKETS && self.members.iter().any(|member| member.ticket == number)
        })
    }

    fn meets(&self, transaction: &Transaction) -> bool {
        let within = |range: &Unchanged| {
            let range = (Bound::Included(&*range.first), Bound::Included(&*range.last));
            self.written.range::<str, _>(range).next().is_some()
        };
        let compared = transaction.compares.iter().map(|c| c.key.as_str());
        let mut keys = compared.chain(transaction.writes.iter().map(Write::key));
        keys.any(|key| self.written.contains(key)) || transaction.unchanged.iter().any(within)
    }
}

/// How much a transaction takes in a request.
pub(super) fn size(transaction: &Transaction) -> usize {
    let compares = transaction.compares.iter().map(|c| 2 * c.key.len() + 64);
    let ranges = transaction.unchanged.iter().map(|r| r.first.len() + r.last.len() + 64);
    let writes = transaction.writes.iter().map(|write| match write {
        Write::Put { key, value } => key.len() + value.len() + 64,
        Write::Delete { key } => key.len() + 64,
    });
    compares.sum::<usize>() + ranges.sum::<usize>() + writes.sum::<usize>()
}

/// Numbers that stand for a change of several revisions: a key's own is not larger.
pub(super) trait Staged {
    fn is_staged(&self, number: u64) -> bool;
}

/// The operation that does all of a transaction or nothing.
pub(super) fn operation(keys: &Keys, staged: &impl Staged, transaction: &Transaction) -> TxnOp {
    let writes = writes(keys, &transaction.writes);
    let asks: Vec<TxnOp> = transaction
        .compares
        .iter()
        .take(OPERATIONS)
        .map(|compare| {
            let options = GetOptions::new().with_keys_only();
            TxnOp::get(keys.data(&compare.key), Some(options))
        })
        .collect();
    TxnOp::txn(guarded(comparisons(keys, staged, transaction), writes).or_else(asks))
}

/// A transaction that does `operations` if all of `compares` hold.
pub(super) fn guarded(mut compares: Vec<EtcdCompare>, mut operations: Vec<TxnOp>) -> Txn {
    while operations.len() > OPERATIONS {
        let parts = operations.chunks(OPERATIONS);
        operations = parts
            .map(|part| TxnOp::txn(Txn::new().and_then(part)))
            .collect();
    }
    while compares.len() > OPERATIONS {
        let rest = compares.split_off(compares.len() - OPERATIONS);
        operations = vec![TxnOp::txn(Txn::new().when(rest).and_then(operations))];
    }
    Txn::new().when(compares).and_then(operations)
}

/// Whether every transaction inside was done as well.
pub(super) fn done(response: &etcd_client::TxnResponse) -> bool {
    response.succeeded()
        && response.op_responses().iter().all(|inner| match inner {
            TxnOpResponse::Txn(inner) => done(inner),
            _ => true,
        })
}

/// The first comparison that the answers to a transaction's questions contradict.
pub(super) fn culprit(transaction: &Transaction, response: &etcd_client::TxnResponse) -> String {
    let answers = response.op_responses();
    let wrong = transaction.compares.iter().zip(&answers).find(|(compare, answer)| {
        let TxnOpResponse::Get(answer) = answer else {
            return false;
        };
        let found = answer.kvs().first().map_or(0, |kv| kv.mod_revision());
        found != signed(compare.number)
    });
    let range = transaction.unchanged.first().map(|range| range.first.clone());
    let compared = wrong.map(|(compare, _)| compare.key.clone());
    compared.or(range).unwrap_or_default()
}

pub(super) fn comparisons(
    keys: &Keys,
    staged: &impl Staged,
    transaction: &Transaction,
) -> Vec<EtcdCompare> {
    let mut all = Vec::new();
    for Compare { key, number } in &transaction.compares {
        let key = keys.data(key);
        if staged.is_staged(*number) {
            let next = signed(number + 1);
            all.push(EtcdCompare::mod_revision(key.clone(), CompareOp::Less, next));
            all.push(EtcdCompare::create_revision(key, CompareOp::Greater, 0));
        } else {
            let number = signed(*number);
            all.push(EtcdCompare::mod_revision(key, CompareOp::Equal, number));
        }
    }
    for Unchanged { first, last, since } in &transaction.unchanged {
        // etcd's ranges end before their last key.
        let end = format!("{}\0", keys.data(last));
        let next = signed(since.saturating_add(1));
        let compare = EtcdCompare::mod_revision(keys.data(first), CompareOp::Less, next);
        all.push(compare.with_range(end));
    }
    all
}

pub(super) fn writes(keys: &Keys, writes: &[Write]) -> Vec<TxnOp> {
    let write = |write: &Write| match write {
        Write::Put { key, value } => TxnOp::put(keys.data(key), value.to_vec(), None),
        Write::Delete { key } => TxnOp::delete(keys.data(key), None),
    };
    writes.iter().map(write).collect()
}

/// Numbers of commits are etcd's revisions, which are signed there.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(revision: i64) -> u64 {
    u64::try_from(revision).unwrap_or_default()
}

#[cfg(test)]
mod tests;
