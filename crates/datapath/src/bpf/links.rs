//! tcx links, and what the kernel says of links and programs.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::{Command, call};

/// `BPF_TCX_INGRESS` (`linux/bpf.h`, `enum bpf_attach_type`).
const TCX_INGRESS: u32 = 46;
/// `BPF_TCX_EGRESS`.
const TCX_EGRESS: u32 = 47;

#[repr(C)]
struct CreateAttributes {
    program: u32,
    interface: u32,
    attach_type: u32,
    flags: u32,
    relative: u32,
    padding: u32,
    expected_revision: u64,
}

/// Attaches a program to what arrives at an interface, behind others that are there.
pub(crate) fn create_tcx(program: BorrowedFd<'_>, interface: u32) -> io::Result<OwnedFd> {
    let mut attributes = CreateAttributes {
        program: program.as_raw_fd() as u32,
        interface,
        attach_type: TCX_INGRESS,
        flags: 0,
        relative: 0,
        padding: 0,
        expected_revision: 0,
    };
    // SAFETY: the layout is that of BPF_LINK_CREATE for tcx, without pointers.
    let fd = unsafe { call(Command::CreateLink, &mut attributes)? };
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[repr(C)]
#[derive(Default)]
struct QueryAttributes {
    interface: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    programs: u64,
    count: u32,
    padding: u32,
    rest: [u64; 4],
}

/// Whether the kernel has tcx (6.6), asked of the loopback interface.
pub(crate) fn has_tcx() -> bool {
    let mut attributes = QueryAttributes {
        interface: 1,
        attach_type: TCX_INGRESS,
        ..QueryAttributes::default()
    };
    // SAFETY: the layout is that of BPF_PROG_QUERY; it has no room for programs and points nowhere.
    unsafe { call(Command::Query, &mut attributes) }.is_ok()
}

/// The numbers of the programs that run by tcx for what arrives at an interface, or leaves by it.
pub(crate) fn tcx_programs(interface: u32, arriving: bool) -> io::Result<Vec<u32>> {
    let mut programs = [0_u32; 64];
    let mut attributes = QueryAttributes {
        interface,
        attach_type: if arriving { TCX_INGRESS } else { TCX_EGRESS },
        programs: programs.as_mut_ptr() as u64,
        count: programs.len() as u32,
        ..QueryAttributes::default()
    };
    // SAFETY: the layout is that of BPF_PROG_QUERY; the array outlives the call and has the
    // length that is said.
    unsafe { call(Command::Query, &mut attributes)? };
    let count = (attributes.count as usize).min(programs.len());
    Ok(programs[..count].to_vec())
}

/// The name of a program, by its number; none when it has gone or has none.
pub(crate) fn program_name(id: u32) -> Option<String> {
    let mut attributes = IdAttributes {
        id,
        ..IdAttributes::default()
    };
    // SAFETY: the layout is that of BPF_PROG_GET_FD_BY_ID, without pointers.
    let fd = unsafe { call(Command::ProgramById, &mut attributes) }.ok()?;
    // SAFETY: the kernel has just made this descriptor for us.
    let program = unsafe { OwnedFd::from_raw_fd(fd) };
    let mut info = NamedProgramInfo::default();
    object_info(program.as_fd(), &mut info).ok()?;
    let end = info.name.iter().position(|byte| *byte == 0);
    let name = info.name.get(..end.unwrap_or(info.name.len()))?;
    let name = String::from_utf8_lossy(name).into_owned();
    (!name.is_empty()).then_some(name)
}

#[repr(C)]
#[derive(Default)]
struct IdAttributes {
    id: u32,
    next: u32,
    flags: u32,
}

#[repr(C)]
struct UpdateAttributes {
    link: u32,
    program: u32,
    flags: u32,
    old_program: u32,
}

/// Replaces a link's program between two packets.
pub(crate) fn update_link(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let mut attributes = UpdateAttributes {
        link: link.as_raw_fd() as u32,
        program: program.as_raw_fd() as u32,
        flags: 0,
        old_program: 0,
    };
    // SAFETY: the layout is that of BPF_LINK_UPDATE, without pointers.
    unsafe { call(Command::UpdateLink, &mut attributes)? };
    Ok(())
}

/// What a link is attached to, and what it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LinkFacts {
    pub(crate) program: u32,
    /// 0 when the interface has gone.
    pub(crate) interface: u32,
}

/// The first fields of `struct bpf_link_info`, for tcx.
#[repr(C)]
#[derive(Default)]
struct LinkInfo {
    kind: u32,
    id: u32,
    program: u32,
    padding: u32,
    interface: u32,
    attach_type: u32,
    rest: [u64; 4],
}

/// Asks the kernel about a tcx link.
pub(crate) fn link_facts(link: BorrowedFd<'_>) -> io::Result<LinkFacts> {
    let mut info = LinkInfo::default();
    object_info(link, &mut info)?;
    Ok(LinkFacts {
        program: info.program,
        interface: info.interface,
    })
}

/// The first fields of `struct bpf_prog_info`.
#[repr(C)]
#[derive(Default)]
struct ProgramInfo {
    kind: u32,
    id: u32,
    tag: [u8; 8],
}

/// More of `struct bpf_prog_info`, up to the name.
#[repr(C)]
#[derive(Default)]
struct NamedProgramInfo {
    head: ProgramInfo,
    lengths: [u32; 2],
    images: [u64; 2],
    loaded: u64,
    user: u32,
    maps: u32,
    map_ids: u64,
    name: [u8; 16],
}

/// The kernel's number of a program.
pub(crate) fn program_id(program: BorrowedFd<'_>) -> io::Result<u32> {
    let mut info = ProgramInfo::default();
    object_info(program, &mut info)?;
    Ok(info.id)
}

#[repr(C)]
struct InfoAttributes {
    object: u32,
    length: u32,
    info: u64,
}

/// `I` holds plain numbers alone; the kernel writes as many bytes as it has or fit.
pub(super) fn object_info<I>(object: BorrowedFd<'_>, info: &mut I) -> io::Result<()> {
    let mut attributes = InfoAttributes {
        object: object.as_raw_fd() as u32,
        length: size_of::<I>() as u32,
        info: std::ptr::from_mut(info) as u64,
    };
    // SAFETY: the layout is that of BPF_OBJ_GET_INFO_BY_FD; `info` outlives the call, has the
    // length that is said, and may hold any bytes.
    unsafe { call(Command::Info, &mut attributes)? };
    Ok(())
}
