//! A container image made of one static binary, without a registry.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

/// The name of the image that every engine of the tests has.
pub const BUSYBOX_IMAGE: &str = "contiv/busybox:latest";

/// Fills `root` with busybox, a link for each of its commands, and the usual directories.
pub fn busybox_tree(root: &Path) -> Result<()> {
    for dir in ["bin", "etc", "proc", "sys", "tmp", "root"] {
        fs::create_dir_all(root.join(dir))?;
    }
    let places = ["/usr/bin/busybox", "/bin/busybox"];
    let busybox = places
        .into_iter()
        .find(|path| fs::read(path).is_ok_and(|elf| is_static(&elf)));
    let busybox = busybox.context("no static busybox: apt-get install busybox-static")?;
    fs::copy(busybox, root.join("bin/busybox"))?;
    let list = Command::new(busybox)
        .arg("--list")
        .output()
        .context("busybox --list")?;
    for name in String::from_utf8_lossy(&list.stdout).lines() {
        let link = root.join("bin").join(name);
        if name != "busybox" && !link.exists() {
            symlink("busybox", &link).with_context(|| format!("link {name}"))?;
        }
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n")?;
    fs::write(root.join("etc/group"), "root:x:0:\n")?;
    Ok(())
}

/// Whether a 64-bit ELF file names no interpreter (no program header of type `PT_INTERP`).
fn is_static(elf: &[u8]) -> bool {
    const PT_INTERP: u32 = 3;
    let number = |at: usize, bytes: usize| -> Option<usize> {
        let slice = elf.get(at..at + bytes)?;
        Some(
            slice
                .iter()
                .rev()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
        )
    };
    let headers = || -> Option<bool> {
        let (start, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
        let mut kinds = (0..count).map(|index| number(start + index * size, 4));
        Some(kinds.any(|kind| kind == Some(PT_INTERP as usize)))
    };
    elf.starts_with(b"\x7fELF\x02") && headers() == Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dynamic_program_is_not_taken_for_a_static_one() {
        let this = fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(!is_static(&this));
        assert!(!is_static(b"#!/bin/sh\n"));
    }
}
