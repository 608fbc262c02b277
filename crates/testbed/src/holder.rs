//! The process that keeps a host's namespaces, and whose end is the host's end.
//!
//! It is the first process of a process namespace, so the kernel kills everything in the host when
//! it goes. It goes when its pipe to the test closes: on a clean end, a panic, or a kill -9 alike.

use std::ffi::CString;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread;

use anyhow::{Context, Result, bail};
use nix::fcntl::OFlag;
use nix::unistd::pipe2;

/// Where the kernel tells which boot this is.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The namespaces of one host, for as long as this value lives.
#[derive(Debug)]
pub(crate) struct Holder {
    pid: libc::pid_t,
    /// Closing it ends the holder.
    lifeline: Option<OwnedFd>,
}

/// One mount that the holder makes, in strings that survive a fork.
struct Mount {
    source: CString,
    target: CString,
    kind: CString,
    options: CString,
    flags: libc::c_ulong,
    /// Tried instead when the mount itself is refused.
    or_tmpfs: bool,
}

impl Holder {
    /// Makes the namespaces, named `name`, with a private `/run`, `/proc`, `/sys/fs/bpf`, and a
    /// `/var/lib` whose changes go to `dir`.
    pub(crate) fn start(name: &str, dir: &Path) -> Result<Self> {
        let (upper, work) = (dir.join("var-lib"), dir.join("var-lib.work"));
        std::fs::create_dir_all(&upper)?;
        std::fs::create_dir_all(&work)?;
        let overlay = format!(
            "lowerdir=/var/lib,upperdir={},workdir={}",
            upper.display(),
            work.display()
        );
        // Machines that boot have ids of their own, and the kernel that all hosts share has one.
        let boot = dir.join("boot-id");
        std::fs::write(&boot, boot_id()?)?;
        let (boot, random) = (boot.display().to_string(), Path::new(BOOT_ID));
        let mut boot = mount(&boot, random, "none", "", false)?;
        boot.flags = libc::MS_BIND;
        let mounts = [
            mount("proc", Path::new("/proc"), "proc", "", false)?,
            mount("tmpfs", Path::new("/run"), "tmpfs", "mode=755", false)?,
            mount("overlay", Path::new("/var/lib"), "overlay", &overlay, true)?,
            mount("bpf", Path::new("/sys/fs/bpf"), "bpf", "", false)?,
            boot,
        ];
        let hostname = CString::new(name)?;
        let (lifeline_read, lifeline) = pipe2(OFlag::O_CLOEXEC)?;
        let (status, status_write) = pipe2(OFlag::O_CLOEXEC)?;

        // A thread of its own: `unshare` redirects where the caller's later children are born.
        let pid = thread::spawn(move || -> Result<libc::pid_t> {
            // SAFETY: takes no pointers; affects only the children of this thread.
            if unsafe { libc::unshare(libc::CLONE_NEWPID) } != 0 {
                return Err(std::io::Error::last_os_error()).context("new process namespace");
            }
            // SAFETY: the child calls only async-signal-safe functions on prepared data, and
            // leaves by _exit.
            match unsafe { libc::fork() } {
                -1 => Err(std::io::Error::last_os_error()).context("fork the holder"),
                0 => hold(
                    &mounts,
                    &hostname,
                    lifeline_read.as_raw_fd(),
                    status_write.as_raw_fd(),
                ),
                pid => Ok(pid),
            }
        })
        .join()
        .map_err(|_| anyhow::anyhow!("the holder's thread panicked"))??;

        let holder = Self {
            pid,
            lifeline: Some(lifeline),
        };
        match report(&status)? {
            (0, _) => Ok(holder),
            (errno, step) => {
                let step = [
                    "namespaces",
                    "private /",
                    "/proc",
                    "/run",
                    "/var/lib",
                    "/sys/fs/bpf",
                    BOOT_ID,
                ]
                .get(step as usize)
                .unwrap_or(&"start");
                let error = std::io::Error::from_raw_os_error(errno);
                bail!("making host {name}: {step}: {error} (root is needed)")
            }
        }
    }

    /// The holder's process id, as the test sees it.
    pub(crate) fn pid(&self) -> libc::pid_t {
        self.pid
    }

    /// Ends every process of the host and waits for it.
    ///
    /// Children of the test must have been waited for before: the kernel waits for them.
    pub(crate) fn end(&mut self) {
        if self.lifeline.take().is_none() {
            return;
        }
        // SAFETY: plain system calls on our own, not yet awaited child.
        unsafe {
            libc::kill(self.pid, libc::SIGKILL);
            libc::waitpid(self.pid, std::ptr::null_mut(), 0);
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.end();
    }
}

/// An id that no other boot has.
fn boot_id() -> Result<String> {
    std::fs::read_to_string("/proc/sys/kernel/random/uuid").context("draw a boot id")
}

fn mount(source: &str, target: &Path, kind: &str, options: &str, or_tmpfs: bool) -> Result<Mount> {
    Ok(Mount {
        source: CString::new(source)?,
        target: CString::new(target.as_os_str().as_bytes())?,
        kind: CString::new(kind)?,
        options: CString::new(options)?,
        flags: 0,
        or_tmpfs,
    })
}

/// Reads the holder's report: an error number (0 when all went well) and the step it happened at.
fn report(status: &OwnedFd) -> Result<(i32, i32)> {
    let mut bytes = [0_u8; 8];
    let count = nix::unistd::read(status, &mut bytes)?;
    if count != bytes.len() {
        bail!("the host's holder died before it was ready");
    }
    let number = |half: &[u8]| i32::from_ne_bytes(half.try_into().expect("half of eight bytes"));
    Ok((number(&bytes[..4]), number(&bytes[4..])))
}

/// The holder's whole life. Runs in a forked child: system calls only, no allocation.
fn hold(mounts: &[Mount], hostname: &CString, lifeline: RawFd, status: RawFd) -> ! {
    let tell = |errno: i32, step: i32| {
        let mut bytes = [0_u8; 8];
        bytes[..4].copy_from_slice(&errno.to_ne_bytes());
        bytes[4..].copy_from_slice(&step.to_ne_bytes());
        // SAFETY: `bytes` outlives the call.
        unsafe { libc::write(status, bytes.as_ptr().cast(), bytes.len()) };
    };
    // SAFETY: all pointers are to C strings and buffers that outlive the calls; the descriptors
    // closed below belong to the parent's copy only.
    unsafe {
        let fail = |step: i32| -> ! {
            tell(*libc::__errno_location(), step);
            libc::_exit(1)
        };
        let spaces =
            libc::CLONE_NEWNET | libc::CLONE_NEWNS | libc::CLONE_NEWUTS | libc::CLONE_NEWIPC;
        if libc::unshare(spaces) != 0 {
            fail(0);
        }
        let (none, null) = (c"none".as_ptr(), std::ptr::null());
        let private = libc::MS_REC | libc::MS_PRIVATE;
        if libc::mount(none, c"/".as_ptr(), null, private, null.cast()) != 0 {
            fail(1);
        }
        for (index, mount) in mounts.iter().enumerate() {
            let (source, target) = (mount.source.as_ptr(), mount.target.as_ptr());
            let options = mount.options.as_ptr().cast();
            let mut result = libc::mount(source, target, mount.kind.as_ptr(), mount.flags, options);
            if result != 0 && mount.or_tmpfs {
                result = libc::mount(source, target, c"tmpfs".as_ptr(), 0, null.cast());
            }
            if result != 0 {
                fail(2 + index as i32);
            }
        }
        libc::sethostname(hostname.as_ptr(), hostname.as_bytes().len());
        libc::mkdir(c"/var/lib/contiv".as_ptr(), 0o755);
        libc::prctl(libc::PR_SET_NAME, c"ctvt-holder".as_ptr());
        libc::setsid();
        // Orphans of the host become this process's children; ignoring the signal reaps them.
        libc::signal(libc::SIGCHLD, libc::SIG_IGN);
        let devnull = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        tell(0, 0);
        // Other hosts' lifelines must not be kept open by this copy of the test process.
        libc::dup2(lifeline, 0);
        libc::dup2(devnull, 1);
        libc::dup2(devnull, 2);
        libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0);
        let mut byte = 0_u8;
        while libc::read(0, (&raw mut byte).cast(), 1) != 0 {}
        libc::_exit(0)
    }
}

/// Opens a namespace of process `pid`: `kind` is `net`, `mnt`, `pid`, ….
pub(crate) fn namespace(pid: libc::pid_t, kind: &str) -> Result<OwnedFd> {
    let path = format!("/proc/{pid}/ns/{kind}");
    let file = std::fs::File::open(&path).with_context(|| format!("open {path}"))?;
    // SAFETY: the descriptor was just taken out of the file that owned it.
    Ok(unsafe { OwnedFd::from_raw_fd(file.into_raw_fd()) })
}
