//! What a process does to the world around it, step by step, and its death before any of them.
//!
//! The process is one that ships, without a hook for tests: the kernel stops it at each system
//! call (ptrace(2)), and this looks whether the call is to change something. Calls of all threads
//! are counted together, which strace's `inject` does not do. A process that is killed at the
//! entry of a call does not make it, so the deaths before the first, the second, … and after the
//! last step are all that there are.

mod deed;
mod tracee;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{JoinHandle, spawn};

use anyhow::{Context, Result, anyhow};

use tracee::{Stop, Tracee};

/// One step: a deed, and for the how many-eth time since the watch began.
///
/// The number is one of equal deeds, so that what a process does from time to time, whatever it
/// is asked, moves no other step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// What is done to what, such as `bpf update endpoints` or `netlink newlink`.
    pub deed: String,
    /// From 1.
    pub time: usize,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.deed, self.time)
    }
}

/// A process that is watched until this is dropped.
///
/// It must be one that makes some system call every now and then: with the next one after that the
/// watch ends.
#[derive(Debug)]
pub struct Watch {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Vec<Step>>>>,
}

impl Watch {
    /// Watches the process with this id, and kills it (SIGKILL) before the step, if it comes to it.
    pub fn start(pid: u32, fatal: Option<Step>) -> Result<Watch> {
        let over = Arc::new(AtomicBool::new(false));
        let (ready, begun) = channel();
        let pid = pid.cast_signed();
        let ended = Arc::clone(&over);
        // Only the thread that has attached may act on the process; with its end the kernel
        // detaches.
        let thread = spawn(move || watch(pid, fatal.as_ref(), &ready, &ended));
        let watch = Watch {
            over,
            thread: Some(thread),
        };
        match begun.recv() {
            Ok(()) => Ok(watch),
            Err(_) => watch
                .end()
                .and(Err(anyhow!("the watch ended before it began"))),
        }
    }

    /// Whether the process has come to the fatal step, or to its end.
    ///
    /// Nobody may ask the kernel for the end of a child that is watched: it answers with any stop.
    pub fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends the watch; answers with the steps that were seen, the fatal one the last of them.
    pub fn end(mut self) -> Result<Vec<Step>> {
        self.over.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("a thread")?;
        thread.join().map_err(|_| anyhow!("the watch panicked"))?
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn watch(
    pid: libc::pid_t,
    fatal: Option<&Step>,
    ready: &Sender<()>,
    over: &AtomicBool,
) -> Result<Vec<Step>> {
    let tracee = Tracee::seize(pid)?;
    ready.send(()).ok();
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    let mut steps = Vec::new();
    while !over.load(Ordering::Relaxed) {
        match tracee.next()? {
            Stop::Gone => break,
            Stop::Other => {}
            Stop::Call { thread, call } => {
                if let Some(deed) = deed::of(pid, &call) {
                    let time = times.entry(deed.clone()).or_default();
                    *time += 1;
                    let step = Step { deed, time: *time };
                    let is_last = fatal == Some(&step);
                    steps.push(step);
                    if is_last {
                        tracee.kill()?;
                        break;
                    }
                }
                tracee.resume(thread, 0);
            }
        }
    }
    Ok(steps)
}
