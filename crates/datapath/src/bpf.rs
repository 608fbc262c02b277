//! The kernel's `bpf` calls that a host's data plane needs, on pinned objects.
//!
//! Programs and maps are loaded by [`crate::program`]; from then on they are known
//! by their pins alone, so that a new agent and the one before it work alike.

#![allow(
    unsafe_code,
    reason = "system calls that take pointers; each call has its reason"
)]

mod clock;
mod grace;
mod links;
mod shape;
mod table;

pub(crate) use clock::ticks;
pub(crate) use grace::grace_period;
pub(crate) use links::{
    LinkFacts, create_tcx, has_tcx, link_facts, program_id, program_name, tcx_programs, update_link,
};
pub(crate) use shape::{Shape, shape};
pub(crate) use table::{Batch, Prefixed, Table};

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Numbers of `bpf` commands (`linux/bpf.h`, `enum bpf_cmd`).
#[derive(Clone, Copy, Debug)]
#[repr(i32)]
enum Command {
    LookUp = 1,
    Update = 2,
    Delete = 3,
    NextKey = 4,
    Pin = 6,
    Get = 7,
    ProgramById = 13,
    Info = 15,
    Query = 16,
    Take = 21,
    LookUpBatch = 24,
    CreateLink = 28,
    UpdateLink = 29,
}

/// Calls the kernel with the fields of one command of `union bpf_attr`.
///
/// # Safety
///
/// `A` is laid out as the command's part of the union, and every pointer in it is
/// valid for what the command reads and writes.
unsafe fn call<A>(command: Command, attributes: &mut A) -> io::Result<i32> {
    // SAFETY: the attributes outlive the call and have their true length; the rest is the caller's.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as i32,
            std::ptr::from_mut(attributes),
            size_of::<A>() as u32,
        )
    };
    match result {
        -1 => Err(io::Error::last_os_error()),
        result => Ok(result as i32),
    }
}

#[repr(C)]
struct PathAttributes {
    path: u64,
    fd: u32,
    flags: u32,
}

/// Opens a pinned object.
pub(crate) fn get(path: &Path) -> io::Result<OwnedFd> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    let mut attributes = PathAttributes {
        path: name.as_ptr() as u64,
        fd: 0,
        flags: 0,
    };
    // SAFETY: the layout is that of BPF_OBJ_GET, and the path outlives the call.
    let fd = unsafe { call(Command::Get, &mut attributes)? };
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Pins an object, so that it outlives the agent.
pub(crate) fn pin(object: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    let mut attributes = PathAttributes {
        path: name.as_ptr() as u64,
        fd: object.as_raw_fd() as u32,
        flags: 0,
    };
    // SAFETY: the layout is that of BPF_OBJ_PIN, and the path outlives the call.
    unsafe { call(Command::Pin, &mut attributes)? };
    Ok(())
}
