//! Settings of the kernel's network stack.
//!
//! `/proc/sys/net` shows the network namespace of the thread that looks.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Error;

/// Writes a setting, such as `ipv4/ip_forward`, unless it has the value already.
pub(crate) fn set(name: &str, value: &str) -> Result<(), Error> {
    let path = path(name);
    if read(&path).is_ok_and(|now| now == value) {
        return Ok(());
    }
    fs::write(&path, value).map_err(Error::file(format!("set {} to {value}", path.display())))
}

/// As [`set`]; fine where the kernel has no such setting (IPv6 switched off).
pub(crate) fn set_if_there(name: &str, value: &str) -> Result<(), Error> {
    if path(name).exists() {
        set(name, value)
    } else {
        Ok(())
    }
}

/// Whether the kernel speaks IPv6 at all.
pub(crate) fn has_ipv6() -> bool {
    path("ipv6/conf/all").exists()
}

/// Lets the host route IPv6 without losing the routes that routers announce to it.
///
/// A host that forwards ignores announcements unless its links say 2, so they are
/// told so first. Links of ours take none.
pub(crate) fn forward_ipv6() -> Result<(), Error> {
    if !path("ipv6/conf/all/forwarding").exists() || value("ipv6/conf/all/forwarding") == "1" {
        return Ok(());
    }
    let directory = path("ipv6/conf");
    let links = fs::read_dir(&directory).map_err(Error::file(directory.display().to_string()))?;
    for link in links.flatten() {
        let name = link.file_name().to_string_lossy().into_owned();
        let template = name == "all" || name == "default";
        let accepts = value(&format!("ipv6/conf/{name}/accept_ra")) == "1";
        if !template && accepts && !name.starts_with("contiv") && !name.starts_with("cv") {
            set(&format!("ipv6/conf/{name}/accept_ra"), "2")?;
        }
    }
    set("ipv6/conf/all/forwarding", "1")
}

fn value(name: &str) -> String {
    read(&path(name)).unwrap_or_default()
}

fn read(path: &Path) -> io::Result<String> {
    Ok(fs::read_to_string(path)?.trim().to_owned())
}

fn path(name: &str) -> PathBuf {
    Path::new("/proc/sys/net").join(name)
}
