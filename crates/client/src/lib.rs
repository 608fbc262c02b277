//! A typed client of netmaster: the REST API of operators and the agent API of
//! hosts, over one pool of kept connections.
//!
//! [`Client`] takes one or several masters and tries them in order within one
//! deadline per call, by TLS wherever they are not on the loopback ([`Access`] says whom it
//! believes and what it shows); [`Error`] says which were tried and what was answered.
//! [`Object`] ties the configuration objects of `contiv_model` to their place
//! in the API, [`Expect`] keeps their writers from undoing each other's work,
//! [`HostClient`] speaks for one host, and [`MessageStream`] is the stream of changes to
//! it. It decides nothing: what to do about a refusal is the caller's business.

mod access;
mod address;
mod answer;
mod connections;
mod dial;
mod error;
mod fabric;
mod host;
mod identity;
mod object;
mod silence;
mod stream;
mod timeouts;
mod told;
mod transport;
mod witness;

#[cfg(test)]
mod tests;

pub use access::{Access, Token};
pub use address::{DEFAULT_MASTER, MasterAddress, masters};
pub use dial::{Dial, Dialing};
pub use error::{Attempt, Error};
pub use fabric::{AddressEntry, EndpointEntry, HostEntry, Version};
pub use host::HostClient;
pub use object::{EntityTag, Expect, Object};
pub use stream::MessageStream;
pub use timeouts::Timeouts;
pub use told::{EventFilter, EventStream};
pub use transport::Client;
