//! Transactions that wait together, as one transaction of etcd.
//!
//! 1. Each is a transaction inside the outer one, with comparisons and an outcome of its
//!    own: who lost a race costs the others nothing.
//! 2. etcd evaluates all comparisons before it writes anything. So a batch ends before a
//!    transaction that compares, or writes, what one in it writes: it goes with the next.
//! 3. etcd takes 128 operations in a list, less by one for each in the lists around it.

use std::collections::BTreeSet;
use std::ops::Bound;

use etcd_client::{Compare as EtcdCompare, CompareOp, GetOptions, Txn, TxnOp, TxnOpResponse};

use super::keys::Keys;
use crate::transaction::{Compare, TICKETS, Transaction, Unchanged, Write};

/// etcd's own limit of operations in a list and in those around it (`--max-txn-ops`).
const OPERATIONS: usize = 128;

/// Operations around those of a transaction that is alone: itself, and the mark of the
/// last commit.
const ALONE: usize = 2;

/// Writes that are one operation of a list when they are too many for it.
const BUNDLE: usize = 60;

/// As many writes can be sent at once when nothing else is.
pub(super) const WRITES: usize = BUNDLE * BUNDLE;

/// etcd takes requests of 1.5 MiB (`--max-request-bytes`); a little is overhead.
pub(super) const BYTES: usize = 1_200_000;

/// What is known of transactions in the same batch.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) members: Vec<Transaction>,
    written: BTreeSet<String>,
    bytes: usize,
    /// Operations of the member that has most.
    widest: usize,
}

impl Batch {
    /// Takes a transaction, whose tickets are numbers by now; gives it back if it has to wait.
    pub(super) fn take(&mut self, transaction: Transaction) -> Result<(), Transaction> {
        let (size, width) = (size(&transaction), width(&transaction));
        let widest = self.widest.max(width);
        let around = self.members.len() + ALONE;
        let full = around + widest > OPERATIONS || self.bytes + size > BYTES;
        if !self.members.is_empty() && (full || self.meets(&transaction)) {
            return Err(transaction);
        }
        self.bytes += size;
        self.widest = widest;
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
            let range = (
                Bound::Included(&*range.first),
                Bound::Included(&*range.last),
            );
            self.written.range::<str, _>(range).next().is_some()
        };
        let compared = transaction.compares.iter().map(|c| c.key.as_str());
        let mut keys = compared.chain(transaction.writes.iter().map(Write::key));
        keys.any(|key| self.written.contains(key)) || transaction.unchanged.iter().any(within)
    }
}

/// Whether one request cannot hold the transaction.
pub(super) fn is_large(transaction: &Transaction) -> bool {
    size(transaction) > BYTES || width(transaction) + ALONE > OPERATIONS
}

/// The length of a transaction's longest list.
fn width(transaction: &Transaction) -> usize {
    // Comparing with a staged change takes two.
    let compares = 2 * transaction.compares.len() + transaction.unchanged.len();
    compares.max(transaction.writes.len())
}

/// How much a transaction takes in a request.
fn size(transaction: &Transaction) -> usize {
    let compares = transaction.compares.iter().map(|c| 2 * c.key.len() + 64);
    let ranges = transaction
        .unchanged
        .iter()
        .map(|r| r.first.len() + r.last.len() + 64);
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
        .map(|compare| {
            let options = GetOptions::new().with_keys_only();
            TxnOp::get(keys.data(&compare.key), Some(options))
        })
        .collect();
    let txn = Txn::new().when(comparisons(keys, staged, transaction));
    TxnOp::txn(txn.and_then(writes).or_else(asks))
}

/// The operations in as few as etcd takes, of [`WRITES`] at most.
pub(super) fn bundled(operations: Vec<TxnOp>) -> Vec<TxnOp> {
    if operations.len() <= BUNDLE {
        return operations;
    }
    let bundles = operations.chunks(BUNDLE);
    bundles
        .map(|bundle| TxnOp::txn(Txn::new().and_then(bundle)))
        .collect()
}

/// The first comparison that the answers to a transaction's questions contradict.
pub(super) fn culprit(transaction: &Transaction, response: &etcd_client::TxnResponse) -> String {
    let answers = response.op_responses();
    let wrong = transaction
        .compares
        .iter()
        .zip(&answers)
        .find(|(compare, answer)| {
            let TxnOpResponse::Get(answer) = answer else {
                return false;
            };
            let found = answer
                .kvs()
                .first()
                .map_or(0, etcd_client::KeyValue::mod_revision);
            found != signed(compare.number)
        });
    let range = transaction
        .unchanged
        .first()
        .map(|range| range.first.clone());
    let compared = wrong.map(|(compare, _)| compare.key.clone());
    compared.or(range).unwrap_or_default()
}

fn comparisons(keys: &Keys, staged: &impl Staged, transaction: &Transaction) -> Vec<EtcdCompare> {
    let mut all = Vec::new();
    for Compare { key, number } in &transaction.compares {
        let key = keys.data(key);
        if staged.is_staged(*number) {
            let next = signed(number + 1);
            all.push(EtcdCompare::mod_revision(
                key.clone(),
                CompareOp::Less,
                next,
            ));
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
