//! A cluster in one thread: real masters, real agents and real clients on a simulated
//! network, store, clock and kernel, in virtual time, all of it decided by one seed.
//!
//! ```text
//!   operator ──▶ network ──▶ netmaster::Master ──▶ Handle ──▶ Etcd (a MemoryStore)
//!                 ▲    ▲         (its clock)        late, lost, cut, closed
//!   engine ─▶ netplugin (Driver, Listener, Reconciler, Relay, Orphans …)
//!                 └──▶ Plane: what the kernel holds
//! ```
//!
//! What is simulated is what surrounds the product: nothing of what it decides is written
//! down here a second time. A [`Run`] does random [`operations`](Operation) and looks for
//! what must never be (`invariants`); at its end everything is healed, and what must come
//! to be is waited for. The same seed gives the same run, event for event.

mod agent;
mod chance;
mod chronicle;
mod engine;
mod etcd;
mod expected;
mod fault;
mod host;
mod invariants;
mod master;
mod mix;
mod network;
mod operation;
mod operator;
mod plane;
mod run;
mod skew;
mod tally;
mod time;
mod usurp;
mod wishes;
mod world;

pub use fault::Fault;
pub use operation::Operation;
pub use run::{Failure, Run, Summary};
pub use tally::Counts;
