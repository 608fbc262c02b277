//! The words of Contiv: objects, their names and rules, and the messages that
//! masters and hosts exchange. No I/O, no clock.
//!
//! [`object`] holds what users write, [`inspect`] what the API answers about
//! it, [`agent`] what a host and a master say to each other.

pub mod agent;
pub mod inspect;
pub mod object;
