//! The image that the tutorial's containers run, made from the machine's own busybox.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result};

use crate::layout::up_file;
use crate::shell::{capture, succeeds};

/// The image's name.
pub(crate) const BUSYBOX: &str = "contiv/busybox";

/// Imports the image into the engine unless it is there. No registry is asked.
pub(crate) fn ensure() -> Result<()> {
    if succeeds("docker", &["image", "inspect", BUSYBOX]) {
        return Ok(());
    }
    println!("  make image {BUSYBOX} from busybox-static");
    let root = up_file("busybox");
    tree(&root)?;
    let line = format!("tar -C {} -c . | docker import - {BUSYBOX}", root.display());
    capture("sh", &["-c", &line])?;
    fs::remove_dir_all(root)?;
    Ok(())
}

fn tree(root: &Path) -> Result<()> {
    for dir in ["bin", "etc", "proc", "sys", "tmp", "root"] {
        fs::create_dir_all(root.join(dir))?;
    }
    let busybox = ["/usr/bin/busybox", "/bin/busybox"]
        .into_iter()
        .find(|path| is_file(path));
    let busybox = busybox.context("busybox is missing: apt-get install busybox-static")?;
    fs::copy(busybox, root.join("bin/busybox"))?;
    for name in capture(busybox, &["--list"])?
        .lines()
        .filter(|name| *name != "busybox")
    {
        let link = root.join("bin").join(name);
        if fs::symlink_metadata(&link).is_err() {
            symlink("busybox", &link)?;
        }
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n")?;
    fs::write(root.join("etc/group"), "root:x:0:\n")?;
    Ok(())
}

fn is_file(path: &str) -> bool {
    Path::new(path).is_file()
}
