//! Pools in pure code: tags and addresses, and what becomes of an address.
//!
//! [`NumberPool`] holds tags, [`AddressPool`] the addresses of a network or of a group;
//! both stand on [`RangeSet`], whose size is that of the gaps in it, so that an IPv6 /64
//! costs nothing. [`AddressState`] says who has an address and what may happen to it.
//! Nothing here knows a store: pools are rebuilt from records.

mod address_pool;
mod address_state;
mod family;
mod lane;
mod number_pool;
mod range_set;
mod refusal;

pub use address_pool::AddressPool;
pub use address_state::{AddressState, For, Past, Reservation};
pub use family::{Family, bits};
pub use lane::Lane;
pub use number_pool::NumberPool;
pub use range_set::RangeSet;
pub use refusal::Refusal;
