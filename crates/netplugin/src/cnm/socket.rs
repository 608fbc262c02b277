//! The unix socket that the engine finds the driver by.
//!
//! The socket is bound beside its place and renamed into it: the engine finds the
//! old one, the new one, or, for no longer than a rename takes, neither.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use crate::error::Error;

/// A bound socket; it stays in place when the agent ends, for the next one to replace,
/// so that the engine waits for a restarted agent instead of forgetting the driver.
pub struct PluginSocket {
    pub listener: UnixListener,
    pub path: PathBuf,
}

impl PluginSocket {
    /// Binds `DIRECTORY/NAME.sock`, in the place of whatever an earlier run left there.
    pub fn bind(directory: &Path, name: &str) -> Result<PluginSocket, Error> {
        PluginSocket::at(&directory.join(format!("{name}.sock")))
    }

    /// Binds `path`, as [`PluginSocket::bind`] does.
    pub fn at(path: &Path) -> Result<PluginSocket, Error> {
        let path = path.to_owned();
        let directory = path.parent().unwrap_or(Path::new("/"));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let beside = directory.join(format!(".{name}.{}", std::process::id()));
        fs::create_dir_all(directory)
            .map_err(Error::io(format!("cannot make {}", directory.display())))?;
        let failed = || format!("cannot listen at {}", path.display());
        let _ = fs::remove_file(&beside);
        let listener = UnixListener::bind(&beside).map_err(Error::io(failed()))?;
        fs::set_permissions(&beside, fs::Permissions::from_mode(0o600))
            .and_then(|()| fs::rename(&beside, &path))
            .map_err(Error::io(failed()))?;
        Ok(PluginSocket { listener, path })
    }
}
