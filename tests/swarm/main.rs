//! Contiv under Docker Swarm: two hosts that have joined, two real engines, one Swarm.

mod serving;
mod stage;
