//! Why an address does not give what it is asked for.

use thiserror::Error;

/// A refusal; nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Somebody else has the address.
    #[error("the address belongs to {owner}; choose another")]
    Held { owner: String },
    /// The address is free as soon as these hosts have dropped its flows.
    #[error("the address was in use a moment ago and is not yet free on {}; try again", .hosts.join(", "))]
    Draining { hosts: Vec<String> },
}
