//! Where things are: in the tree, and on the machine while Contiv is up.

use std::path::{Path, PathBuf};

/// Where a running netmaster answers.
pub(crate) const MASTER: &str = "127.0.0.1:9999";

/// The driver socket that netplugin offers to the engine.
pub(crate) const PLUGIN_SOCKET: &str = "/run/docker/plugins/netplugin.sock";

/// Where netplugin keeps the socket that the managed plugin of Docker Swarm forwards to.
pub(crate) const SWARM_SOCKETS: &str = "/run/contiv";

/// netmaster's data, as an installed one would keep it.
pub(crate) const DATA: &str = "/var/lib/contiv";

/// Pid files, logs, notes and an own engine's data of `make up`; its presence means that the data
/// around it belongs to `make up` and may be removed by `make down`.
pub(crate) const UP: &str = "/var/lib/contiv/up";

/// Where programs, maps and links are pinned.
pub(crate) const PINS: &str = "/sys/fs/bpf/contiv";

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("this crate is two levels below the repository's root")
}

/// Cargo's target directory, which holds everything that is made and nothing that is kept.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A file of `make up`'s own.
pub(crate) fn up_file(name: &str) -> PathBuf {
    Path::new(UP).join(name)
}
