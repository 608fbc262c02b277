//! Where netmaster keeps its state: keys and values, changed by transactions
//! that compare before they write.
//!
//! [`Store`] is the contract: [`Store::follow`] gives everything there is and
//! then every commit in order, whoever made it; [`Store::commit`] answers once a
//! [`Transaction`] is durable, or names the key that had changed. [`RedbStore`]
//! is the embedded one, in one file; [`EtcdStore`] is the one that several processes
//! share; [`MemoryStore`] is their twin for tests.
//! [`Schema`] says how values of older versions become today's.
//!
//! What keys and values mean is not known here.

mod error;
mod etcd_store;
mod follow;
mod memory;
mod redb_store;
mod schema;
mod tickets;
mod transaction;
mod whole;

pub use error::Error;
pub use etcd_store::{EtcdPlace, EtcdStore};
pub use follow::{Changes, Commit, Figures, Following, Revision, Store, Waiting};
pub use memory::MemoryStore;
pub use redb_store::RedbStore;
pub use schema::{Schema, Step};
pub use transaction::{Compare, Entry, Outcome, TICKETS, Transaction, Unchanged, Write};
pub use whole::Contents;
