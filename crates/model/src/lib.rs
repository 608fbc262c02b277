//! The words of Contiv: objects, their names and rules, and the messages that
//! masters and hosts exchange. No I/O, no clock.
//!
//! [`object`] holds what users write, [`parsed`] what it means once every field
//! is known to be good, [`manifest`] many of them at once, [`inspect`] what the API answers
//! about it, [`reach`] who may reach whom, [`doctor`] what is found when all is examined, [`agent`]
//! what a host and a master say to each other, [`identity`] how they get to know each other.

pub mod agent;
pub mod doctor;
pub mod identity;
pub mod inspect;
mod invalid;
pub mod manifest;
mod name;
mod near;
pub mod object;
pub mod parsed;
pub mod reach;
mod segment;
mod span;

pub use invalid::Invalid;
pub use name::Name;
pub use near::near;
pub use segment::encode_segment;
pub use span::parse_span;
