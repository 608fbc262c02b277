//! What kernel and user space share: keys, values, and the decisions over them.
#![no_std]

pub mod policy;
