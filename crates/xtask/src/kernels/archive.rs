//! The guest's root: busybox, a few tools with their libraries, kernel modules, test programs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::shell::capture;

/// Kernel modules that networking may ask for, as directories of the module tree.
const MODULES: [&str; 5] = [
    "kernel/net",
    "kernel/drivers/net",
    "kernel/lib",
    "kernel/crypto",
    "kernel/arch",
];

/// A directory that becomes the guest's root.
#[derive(Debug)]
pub(super) struct Archive {
    root: PathBuf,
}

impl Archive {
    /// Starts afresh in `root` with busybox and its commands.
    pub(super) fn new(root: &Path) -> Result<Self> {
        fs::remove_dir_all(root).ok();
        for dir in [
            "bin", "dev", "etc", "lib", "proc", "run", "sbin", "sys", "tests", "tmp", "usr", "var",
        ] {
            fs::create_dir_all(root.join(dir))?;
        }
        symlink("../bin", root.join("usr/bin"))?;
        symlink("../sbin", root.join("usr/sbin"))?;
        symlink("../lib", root.join("usr/lib"))?;
        symlink("lib", root.join("lib64"))?;
        let archive = Self {
            root: root.to_owned(),
        };
        archive.copy(Path::new(&which("busybox")?), "bin/busybox")?;
        for name in capture("busybox", &["--list"])?
            .lines()
            .filter(|name| *name != "busybox")
        {
            symlink("busybox", root.join("bin").join(name)).ok();
        }
        // Where the kernel looks for it when a module is missing.
        symlink("../bin/busybox", root.join("sbin/modprobe"))?;
        fs::write(root.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n")?;
        Ok(archive)
    }

    /// Adds the modules of `version` and the index that `modprobe` reads.
    pub(super) fn add_modules(&self, tree: &Path, version: &str) -> Result<()> {
        let target = self.root.join("lib/modules").join(version);
        fs::create_dir_all(target.join("kernel"))?;
        for dir in MODULES {
            let from = tree.join(dir);
            if from.is_dir() {
                let to = target.join(dir);
                fs::create_dir_all(to.parent().context("a parent")?)?;
                capture("cp", &["-r".as_ref(), from.as_os_str(), to.as_os_str()])?;
            }
        }
        for list in [
            "modules.order",
            "modules.builtin",
            "modules.builtin.modinfo",
        ] {
            fs::copy(tree.join(list), target.join(list)).ok();
        }
        let base = self.root.to_string_lossy().into_owned();
        capture("busybox", &["depmod", "-b", &base, version])?;
        Ok(())
    }

    /// Adds a program of this machine and the libraries it is linked to.
    pub(super) fn add_tool(&self, name: &str) -> Result<()> {
        let path = PathBuf::from(which(name)?);
        let real = fs::canonicalize(&path)?;
        let file = real
            .file_name()
            .context("a file name")?
            .to_string_lossy()
            .into_owned();
        self.copy_linked(&real, &format!("sbin/{file}"))?;
        for dir in ["bin", "sbin"] {
            let link = self.root.join(dir).join(name);
            if file == name && dir == "sbin" {
                continue;
            }
            fs::remove_file(&link).ok();
            symlink(format!("/sbin/{file}"), link)?;
        }
        Ok(())
    }

    /// Adds the extensions of iptables, which it loads by name.
    pub(super) fn add_xtables(&self) -> Result<()> {
        for dir in [
            "/usr/lib/x86_64-linux-gnu/xtables",
            "/usr/lib/aarch64-linux-gnu/xtables",
        ] {
            if Path::new(dir).is_dir() {
                let to = self.root.join(dir.trim_start_matches("/usr/"));
                fs::create_dir_all(to.parent().context("a parent")?)?;
                capture("cp", &["-r".as_ref(), dir.as_ref(), to.as_os_str()])?;
            }
        }
        Ok(())
    }

    /// Adds a test program and returns its name in the guest.
    pub(super) fn add_test(&self, program: &Path) -> Result<String> {
        let file = program
            .file_name()
            .context("a file name")?
            .to_string_lossy()
            .into_owned();
        let name = file
            .rsplit_once('-')
            .map_or(file.as_str(), |(name, _)| name)
            .to_owned();
        self.copy_linked(program, &format!("tests/{name}"))?;
        Ok(name)
    }

    /// Adds the script that the kernel starts.
    pub(super) fn add_init(&self, script: &str) -> Result<()> {
        let path = self.root.join("init");
        fs::write(&path, script)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
        Ok(())
    }

    /// Packs everything into a compressed archive that a kernel can boot.
    pub(super) fn pack(&self, to: &Path) -> Result<PathBuf> {
        let line = format!(
            "cd '{}' && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1 > '{}'",
            self.root.display(),
            to.display()
        );
        capture("sh", &["-c", &line])?;
        Ok(to.to_owned())
    }

    fn copy_linked(&self, program: &Path, to: &str) -> Result<()> {
        self.copy(program, to)?;
        let listing = capture("ldd", &[program]).unwrap_or_default();
        for word in listing
            .split_whitespace()
            .filter(|word| word.starts_with('/'))
        {
            // The loader asks for the path in the program, everything else for a name in /lib.
            let place = Path::new(word.trim_start_matches('/'));
            let place = place.strip_prefix("usr").unwrap_or(place);
            self.copy(Path::new(word), &place.to_string_lossy())?;
        }
        Ok(())
    }

    fn copy(&self, from: &Path, to: &str) -> Result<()> {
        let to = self.root.join(to);
        fs::create_dir_all(to.parent().context("a parent")?)?;
        if !to.exists() {
            fs::copy(from, &to).with_context(|| format!("copy {}", from.display()))?;
        }
        Ok(())
    }
}

fn which(program: &str) -> Result<String> {
    let line = format!("PATH=$PATH:/usr/sbin:/sbin command -v {program}");
    Ok(capture("sh", &["-c", &line])?.trim().to_owned())
}
