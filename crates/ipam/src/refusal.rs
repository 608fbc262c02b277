//! Why a pool or an address does not give what it is asked for.

use std::net::IpAddr;

use thiserror::Error;

/// A refusal; nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The number is another object's.
    #[error("{number} is in use; choose another, or 0 for the lowest free one")]
    NumberUsed { number: u32 },
    /// The pool does not have the number.
    #[error("{number} is outside of {first}-{last}; choose one of these")]
    NumberOutside { number: u32, first: u32, last: u32 },
    /// All of the pool's numbers are in use.
    #[error("all of {first}-{last} is in use; delete something, or widen the range")]
    NumbersSpent { first: u32, last: u32 },
    /// A pool cannot be narrowed below what is in use of it.
    #[error(
        "{number} is in use and outside of {first}-{last}; choose a range that has {used} in it"
    )]
    NumberLeftOut {
        number: u32,
        first: u32,
        last: u32,
        used: String,
    },
    /// The address is taken.
    #[error("{address} is in use; choose another, or none for the lowest free one")]
    AddressUsed { address: IpAddr },
    /// The pool does not have the address.
    #[error("{address} is not among {pool}; choose one of these")]
    AddressOutside { address: IpAddr, pool: String },
    /// All of the pool's addresses are taken.
    #[error("no address of {pool} is free; remove endpoints, or choose a larger subnet")]
    AddressesSpent { pool: String },
    /// A range that is to be set apart has addresses in it that are taken or not the pool's.
    #[error("{range} is not free in {pool}: {taken} is taken; choose addresses that are free")]
    RangeTaken {
        range: String,
        pool: String,
        taken: IpAddr,
    },
    /// Somebody else has the address.
    #[error("the address belongs to {owner}; choose another")]
    Held { owner: String },
    /// The address is free as soon as these hosts have dropped its flows.
    #[error("the address was in use a moment ago and is not yet free on {}; try again", .hosts.join(", "))]
    Draining { hosts: Vec<String> },
}
