//! A process whose system calls stop it.

use std::fs;
use std::io;

use anyhow::{Context, Result, bail};

/// Signals that a stop at a system call is told by.
const AT_CALL: libc::c_int = libc::SIGTRAP | 0x80;

/// All threads of a process, those that come included. Belongs to the thread that seized it.
pub(super) struct Tracee {
    pid: libc::pid_t,
}

/// Why a thread does not run.
pub(super) enum Stop {
    /// It is about to make a call; it waits until it is resumed.
    Call { thread: libc::pid_t, call: Call },
    /// For another reason; it was resumed.
    Other,
    /// The process has ended.
    Gone,
}

/// A system call with its arguments.
pub(super) struct Call {
    pub(super) number: libc::c_long,
    pub(super) arguments: [u64; 6],
}

impl Tracee {
    /// From here on every call of every thread stops it.
    pub(super) fn seize(pid: libc::pid_t) -> Result<Tracee> {
        let tracee = Tracee { pid };
        let mut seized = Vec::new();
        // Threads that come while others are listed.
        loop {
            let threads = threads(pid)?;
            let new: Vec<_> = threads.iter().filter(|t| !seized.contains(*t)).collect();
            if new.is_empty() {
                return Ok(tracee);
            }
            for thread in new {
                seized.push(*thread);
                let options = libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_TRACECLONE;
                let wish = libc::PTRACE_SEIZE;
                match ptrace(wish, *thread, 0, options as usize) {
                    // It has ended, or came by one that was seized already.
                    Err(error) if is_any(&error, &[libc::ESRCH, libc::EPERM]) => continue,
                    other => other.with_context(|| format!("watch thread {thread}"))?,
                };
                ptrace(libc::PTRACE_INTERRUPT, *thread, 0, 0).ok();
                tracee.wait(*thread)?;
            }
        }
    }

    /// The next time that a thread stops.
    pub(super) fn next(&self) -> Result<Stop> {
        self.wait(-1)
    }

    fn wait(&self, whom: libc::pid_t) -> Result<Stop> {
        let mut status = 0;
        // Children of other threads of this test are theirs to wait for.
        let flags = libc::__WALL | libc::__WNOTHREAD;
        // SAFETY: the status outlives the call.
        let thread = unsafe { libc::waitpid(whom, &raw mut status, flags) };
        if thread == -1 {
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::ECHILD) => return Ok(Stop::Gone),
                Some(libc::EINTR) => return Ok(Stop::Other),
                _ => return Err(error).context("wait for a watched thread"),
            }
        }
        if !libc::WIFSTOPPED(status) {
            let ended = thread == self.pid;
            return Ok(if ended { Stop::Gone } else { Stop::Other });
        }
        let signal = libc::WSTOPSIG(status);
        if signal == AT_CALL {
            if let Some(call) = call(thread) {
                return Ok(Stop::Call { thread, call });
            }
            self.resume(thread, 0);
        } else if status >> 16 != 0 {
            self.resume(thread, 0);
        } else {
            self.resume(thread, signal);
        }
        Ok(Stop::Other)
    }

    /// Lets a thread go on to its next call, with a signal unless it is 0. One that has died
    /// meanwhile is not minded.
    pub(super) fn resume(&self, thread: libc::pid_t, signal: libc::c_int) {
        ptrace(libc::PTRACE_SYSCALL, thread, 0, signal as usize).ok();
    }

    /// Kills the process; a thread that waits before a call does not make it any more.
    pub(super) fn kill(&self) -> Result<()> {
        // SAFETY: takes no pointers.
        if unsafe { libc::kill(self.pid, libc::SIGKILL) } != 0 {
            bail!("kill {}: {}", self.pid, io::Error::last_os_error());
        }
        Ok(())
    }
}

fn threads(pid: libc::pid_t) -> Result<Vec<libc::pid_t>> {
    let path = format!("/proc/{pid}/task");
    let listed = fs::read_dir(&path).with_context(|| format!("list {path}"))?;
    let names = listed.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(names.collect())
}

/// The call that a thread is about to make; none when it comes back from one.
fn call(thread: libc::pid_t) -> Option<Call> {
    // SAFETY: numbers and a union of numbers, for which zeros are fine.
    let mut info: libc::ptrace_syscall_info = unsafe { std::mem::zeroed() };
    let size = size_of_val(&info);
    let into = (&raw mut info) as usize;
    ptrace(libc::PTRACE_GET_SYSCALL_INFO, thread, size, into).ok()?;
    if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
        return None;
    }
    // SAFETY: at the entry of a call the kernel has filled this part of the union.
    let entry = unsafe { info.u.entry };
    Some(Call {
        number: entry.nr as libc::c_long,
        arguments: entry.args,
    })
}

fn ptrace(
    wish: libc::c_uint,
    thread: libc::pid_t,
    address: usize,
    data: usize,
) -> io::Result<libc::c_long> {
    // SAFETY: what is read or written at `data` is the caller's, and outlives the call.
    match unsafe { libc::ptrace(wish, thread, address, data) } {
        -1 => Err(io::Error::last_os_error()),
        done => Ok(done),
    }
}

fn is_any(error: &io::Error, codes: &[i32]) -> bool {
    error
        .raw_os_error()
        .is_some_and(|code| codes.contains(&code))
}
