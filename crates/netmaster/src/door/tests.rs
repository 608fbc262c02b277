//! The door, looked at from outside.
