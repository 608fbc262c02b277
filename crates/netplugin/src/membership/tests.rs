//! Files of a host.
