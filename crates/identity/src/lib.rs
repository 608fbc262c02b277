//! Who is who in the cluster: its authority, certificates, tokens, and what TLS makes of them.
//!
//! | file | noun |
//! | --- | --- |
//! | `authority` | the cluster's own certificate authority, which signs servers and hosts |
//! | `lifetime` | how long certificates are good for, and when they are made anew |
//! | `host_key` | a host's key, and its request for a certificate |
//! | `presented` | what a certificate says of its owner |
//! | `fingerprint` | an authority in 64 digits, by which others know it |
//! | `token` | what a host joins with, and what people show |
//! | `private_file` | where secrets are kept on a disk |
//! | `secret` | chance, hashes, and comparing without telling |
//! | `trust`, `tls` | both ends of a conversation: who is believed, and what is said of that |
//!
//! The clock is an argument; but for private files, chance is the only thing that is asked of the
//! system.

mod authority;
mod error;
mod fingerprint;
mod host_key;
mod lifetime;
mod presented;
mod private_file;
mod secret;
mod tls;
mod token;
mod trust;

#[cfg(test)]
mod tests;

pub use authority::{Authority, Issued};
pub use error::Error;
pub use fingerprint::Fingerprint;
pub use host_key::{HostKey, public_key_of_request};
pub use lifetime::{Lifetimes, renew_at};
pub use presented::Presented;
pub use private_file::write_private_file;
pub use secret::{Secret, hash, hash_matches};
pub use tls::{Certificate, client_config, human, server_config};
pub use token::{AdminToken, JoinToken};
