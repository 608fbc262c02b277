//! The control plane: one REST API for what operators intend, one stream per host.
//!
//! It decides nothing by itself: what may be is `contiv_fabric`'s, in pure code.
//! Here is what carries it: the [`Ledger`] takes each decision through the store,
//! [`Hosts`] knows what hosts report, the REST API and the agent API speak HTTP, and
//! the sweeper frees what only time makes free. Start reading at [`App`].

mod agent;
mod api;
mod app;
mod config;
mod error;
mod hosts;
mod ledger;
mod metrics;
mod notify;
mod origin;
mod sweep;

pub use api::document;
pub use app::{App, BadOption};
pub use config::{Config, FwdMode, Infra, NetMode};
pub use error::Error;
pub use hosts::Hosts;
pub use ledger::{Committed, Follower, Granted, Ledger, Progress, Since};
pub use metrics::Metrics;
