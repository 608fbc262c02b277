//! Certificates against each other, as a handshake sees them.
