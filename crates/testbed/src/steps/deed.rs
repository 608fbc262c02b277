//! What a system call is to change, in words.

use std::fs::{self, File};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::tracee::Call;
use crate::maps::name_of_map;

/// Commands of bpf(2) that change a map, by whether they are of a batch, which names the map
/// elsewhere.
const OF_MAPS: [(u64, &str, u64); 6] = [
    (2, "update", 0),
    (3, "delete", 0),
    (21, "take", 0),
    (25, "take", 36),
    (26, "update", 36),
    (27, "delete", 36),
];

/// Commands of bpf(2) that make or change anything else.
const OF_PROGRAMS: [(u64, &str); 8] = [
    (0, "make a map"),
    (5, "load"),
    (6, "pin"),
    (8, "attach"),
    (9, "detach"),
    (28, "attach a link"),
    (29, "update a link"),
    (34, "detach a link"),
];

/// Messages of rtnetlink that are met here, of those that change something.
const MESSAGES: [(u16, &str); 10] = [
    (16, "newlink"),
    (17, "dellink"),
    (19, "setlink"),
    (20, "newaddr"),
    (21, "deladdr"),
    (24, "newroute"),
    (25, "delroute"),
    (36, "newqdisc"),
    (44, "newfilter"),
    (45, "delfilter"),
];

/// A path's part from which on it is an id, and none of a step's name.
const ID: usize = 16;

/// What the call of a process changes; none for one that only looks.
pub(super) fn of(pid: libc::pid_t, call: &Call) -> Option<String> {
    let process = Process { pid };
    let [first, second, ..] = call.arguments;
    match call.number {
        libc::SYS_bpf => process.bpf(first, second),
        libc::SYS_write | libc::SYS_pwrite64 | libc::SYS_sendto => process.write(first, second),
        libc::SYS_writev | libc::SYS_pwritev => process.write(first, process.word(second)?),
        // A message's third word is where its pieces are, and a piece's first where it begins.
        libc::SYS_sendmsg => process.write(first, process.word(process.word(second + 16)?)?),
        libc::SYS_fsync | libc::SYS_fdatasync => Some(format!("sync {}", process.name(first)?)),
        libc::SYS_rename | libc::SYS_renameat | libc::SYS_renameat2 => Some("rename".into()),
        libc::SYS_unlink | libc::SYS_unlinkat => Some("unlink".into()),
        libc::SYS_mkdir | libc::SYS_mkdirat => Some("mkdir".into()),
        libc::SYS_setns => Some("setns".into()),
        _ => None,
    }
}

struct Process {
    pid: libc::pid_t,
}

impl Process {
    fn bpf(&self, command: u64, attributes: u64) -> Option<String> {
        let of_map = OF_MAPS.iter().find(|(number, ..)| *number == command);
        if let Some((_, verb, at)) = of_map {
            let map = u64::from(u32::from_ne_bytes(self.bytes(attributes + at)?));
            let info = format!("/proc/{}/fdinfo/{map}", self.pid);
            let info = fs::read_to_string(info).ok()?;
            let id = info.lines().find_map(|line| line.strip_prefix("map_id:"))?;
            let name = name_of_map(id.trim().parse().ok()?)?;
            return Some(format!("bpf {verb} {name}"));
        }
        let other = OF_PROGRAMS.iter().find(|(number, _)| *number == command);
        other.map(|(_, verb)| format!("bpf {verb}"))
    }

    fn write(&self, descriptor: u64, at: u64) -> Option<String> {
        let target = self.target(descriptor)?;
        if target.starts_with("socket:") {
            return match self.domain(descriptor)? {
                libc::AF_NETLINK => {
                    let header: [u8; 8] = self.bytes(at)?;
                    let kind = u16::from_ne_bytes([header[4], header[5]]);
                    // Every third of four kinds only asks.
                    let known = MESSAGES.iter().find(|(number, _)| *number == kind);
                    match known {
                        Some((_, name)) => Some(format!("netlink {name}")),
                        // What is not of rtnetlink is done by other programs, and only asked here.
                        None if kind % 4 == 2 || kind > 255 => None,
                        None => Some(format!("netlink {kind}")),
                    }
                }
                _ => self.said(at),
            };
        }
        // Standard output and error are told from what is written by their place.
        let path = target.starts_with('/') && !target.starts_with("/dev/") && descriptor > 2;
        let sysctl = target.contains("/proc/sys/");
        match (path, sysctl) {
            (true, true) => Some("sysctl".into()),
            (true, false) => Some(format!("write {}", self.name(descriptor)?)),
            _ => None,
        }
    }

    /// What goes over a connection, by its first line if it is HTTP.
    fn said(&self, at: u64) -> Option<String> {
        let bytes = self.some_bytes(at, 512);
        let text = String::from_utf8_lossy(&bytes);
        let line = text.lines().next().unwrap_or_default();
        if !line.contains(" HTTP/1.1") {
            let is_answer = line.starts_with("HTTP/1.1");
            return Some(if is_answer { "answer" } else { "send" }.into());
        }
        let mut words = line.split(' ');
        let (method, path) = (words.next()?, words.next()?);
        if method == "GET" {
            return None;
        }
        let path = path.split('?').next()?;
        let part = |part: &str| match part.len() {
            ID.. => "…".to_owned(),
            _ => part.to_owned(),
        };
        let path: Vec<String> = path.split('/').map(part).collect();
        Some(format!("{method} {}", path.join("/")))
    }

    /// What a descriptor is open on.
    fn target(&self, descriptor: u64) -> Option<String> {
        let link = format!("/proc/{}/fd/{descriptor}", self.pid);
        Some(fs::read_link(link).ok()?.to_string_lossy().into_owned())
    }

    fn name(&self, descriptor: u64) -> Option<String> {
        let target = self.target(descriptor)?;
        let name = Path::new(&target).file_name()?;
        Some(name.to_string_lossy().into_owned())
    }

    /// The family of a socket.
    fn domain(&self, descriptor: u64) -> Option<libc::c_int> {
        let socket = self.borrow(descriptor)?;
        let (mut domain, mut size) = (0, size_of::<libc::c_int>() as libc::socklen_t);
        // SAFETY: the answer has its true size, and outlives the call.
        let asked = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_DOMAIN,
                (&raw mut domain).cast(),
                &raw mut size,
            )
        };
        (asked == 0).then_some(domain)
    }

    /// The process's descriptor as one of our own.
    fn borrow(&self, descriptor: u64) -> Option<OwnedFd> {
        let owned = |fd: libc::c_long| {
            let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0)?;
            // SAFETY: the descriptor is new and nobody else's.
            Some(unsafe { OwnedFd::from_raw_fd(fd) })
        };
        // SAFETY: takes no pointers.
        let process = owned(unsafe { libc::syscall(libc::SYS_pidfd_open, self.pid, 0) })?;
        // SAFETY: takes no pointers; the process's descriptor is open.
        owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), descriptor, 0) })
    }

    fn word(&self, at: u64) -> Option<u64> {
        Some(u64::from_ne_bytes(self.bytes(at)?))
    }

    fn bytes<const SIZE: usize>(&self, at: u64) -> Option<[u8; SIZE]> {
        self.some_bytes(at, SIZE).try_into().ok()
    }

    /// Up to so many bytes of the process's memory.
    fn some_bytes(&self, at: u64, most: usize) -> Vec<u8> {
        let mut bytes = vec![0; most];
        let memory = File::open(format!("/proc/{}/mem", self.pid));
        let read = memory.and_then(|memory| memory.read_at(&mut bytes, at));
        bytes.truncate(read.unwrap_or(0));
        bytes
    }
}
