//! Contiv's command line: a pure client of netmaster's REST API.
//!
//! One file of `command` per noun holds the flags and what they do; `output`
//! prints, `failure` knows the exit codes, `argv` reads the single-dash flags
//! that old scripts use, and `settle` waits for hosts. [`main`] is all that the
//! binary calls.

mod argv;
mod cli;
mod command;
mod conditions;
mod failure;
mod output;
mod session;
mod settle;
mod usage;

pub use cli::main;
