//! The control plane: one REST API for what operators intend, one stream per host.
//!
//! It decides nothing by itself: what may be is `contiv_fabric`'s, in pure code.
//! Here is what carries it: the [`Ledger`] takes each decision through the store,
//! [`Hosts`], [`Hits`] and [`Events`] know what hosts report, the REST API and the agent API speak HTTP, and
//! the sweeper frees what only time makes free. Start reading at [`App`],
//! which puts doors in front of a [`Master`].

mod agent;
mod api;
mod app;
mod back;
mod clock;
mod collect;
mod config;
mod door;
mod error;
mod events;
mod footholds;
mod hits;
mod hosts;
mod lease;
mod ledger;
mod listen;
mod master;
mod metrics;
pub mod migrate;
mod notify;
mod origin;
mod questions;
pub mod snapshot;
mod storage;
mod sweep;
pub mod token;

pub use api::document;
pub use app::{App, BadOption, Ended};
pub use back::Back;
pub use clock::Clock;
pub use config::{
    Command, Config, FwdMode, Infra, MigrateOptions, NetMode, SnapshotCommand, StoreCredentials,
    StoreOptions, StorePlace, TokenCommand,
};
pub use error::Error;
pub use events::Events;
pub use hits::Hits;
pub use hosts::Hosts;
pub use ledger::{Committed, Follower, Granted, Ledger, Progress, Since};
pub use listen::Listen;
pub use master::{Master, Settings};
pub use metrics::Metrics;
pub use questions::Questions;
