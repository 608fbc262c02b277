//! Stories of Contiv's users, told against a real Docker engine on a host of the tests.
//!
//! One file is one story or a family of them. A story is given a [`stage::Stage`], all of Contiv
//! on one host, and leaves it as it found it: [`stage::story`] removes what the story made and
//! fails when an address, a link, a pin or a network is left over. A stage on which a story
//! failed is thrown away. Stories share the stage, so they run one after the other.
#![allow(clippy::unwrap_used, reason = "a test")]

mod actor;
mod stage;
mod strike;

mod agent_killed;
mod attachments;
mod by_hand;
mod doctor;
mod engine_killed;
mod engine_restarts;
mod joining;
mod listings;
mod live_restore;
mod many_containers;
mod names;
mod networks;
mod no_gateway;
mod own_subnets;
mod policy_basic;
mod policy_features;
mod policy_from_group;
mod policy_hits;
mod policy_keep;
mod policy_living_rules;
mod policy_log;
mod policy_staged;
mod policy_stateful;
mod policy_trace;
mod ports;
mod prune;
mod release_of_live_address;
mod severed;
mod shared_pool;
mod start_remove;
mod steps;
mod stop_start;
mod tenants;
mod truth_table;
mod tutorial;
mod waiting;
mod world;
