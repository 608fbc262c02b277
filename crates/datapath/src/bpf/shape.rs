//! What the kernel says a map is like.

use std::io;
use std::os::fd::BorrowedFd;

use super::links::object_info;

/// Kind, sizes and flags of a map: maps of the same shape can stand for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) kind: u32,
    /// Bytes.
    pub(crate) key: u32,
    /// Bytes.
    pub(crate) value: u32,
    pub(crate) rows: u32,
    pub(crate) flags: u32,
}

/// The first fields of `struct bpf_map_info`.
#[repr(C)]
#[derive(Default)]
struct MapInfo {
    kind: u32,
    id: u32,
    key: u32,
    value: u32,
    rows: u32,
    flags: u32,
}

/// Asks the kernel about a map.
pub(crate) fn shape(map: BorrowedFd<'_>) -> io::Result<Shape> {
    let mut info = MapInfo::default();
    object_info(map, &mut info)?;
    Ok(Shape {
        kind: info.kind,
        key: info.key,
        value: info.value,
        rows: info.rows,
        flags: info.flags,
    })
}
