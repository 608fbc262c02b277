//! The kernel's maps, counted and changed from outside of whoever fills them.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};

const BPF_MAP_LOOKUP_ELEM: libc::c_long = 1;
const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;
const BPF_MAP_GET_NEXT_KEY: libc::c_long = 4;
const BPF_OBJ_GET: libc::c_long = 7;
const BPF_MAP_GET_FD_BY_ID: libc::c_long = 14;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_long = 15;

/// Maps whose entries come and go by key; those of other types are always full.
const KEYED: [u32; 6] = [
    1,  // hash
    5,  // hash per CPU
    9,  // LRU hash
    10, // LRU hash per CPU
    11, // longest prefix
    13, // hash of maps
];

/// The beginning of the kernel's `bpf_map_info`.
#[repr(C)]
#[derive(Debug, Default, Clone, Copy)]
struct MapInfo {
    kind: u32,
    id: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
    /// Up to the first zero.
    name: [u8; 16],
}

/// The kernel's `bpf_attr`, as the commands below read it; unused bytes are zero.
#[repr(C, align(8))]
#[derive(Debug, Default, Clone, Copy)]
struct Attributes([u64; 8]);

/// The number of entries of each keyed map pinned below `dir`, by the pin's name.
pub fn map_entries(dir: &Path) -> Result<BTreeMap<String, usize>> {
    let mut found = BTreeMap::new();
    let entries = fs::read_dir(dir).with_context(|| format!("list {}", dir.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(map_entries(&path)?);
            continue;
        }
        let Some(pin) = get(&path) else { continue };
        if let Some(info) = info(&pin).filter(|info| KEYED.contains(&info.kind)) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            found.insert(name.into_owned(), count(&pin, &info));
        }
    }
    Ok(found)
}

/// A keyed map that was found by its pin's name.
#[derive(Debug)]
pub struct KernelMap {
    pin: OwnedFd,
    info: MapInfo,
}

impl KernelMap {
    /// The map of this name that is pinned below `dir`.
    pub fn below(dir: &Path, name: &str) -> Result<KernelMap> {
        Self::find(dir, name)?.with_context(|| format!("no map {name} below {}", dir.display()))
    }

    fn find(dir: &Path, name: &str) -> Result<Option<KernelMap>> {
        for entry in fs::read_dir(dir).with_context(|| format!("list {}", dir.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                if let Some(found) = Self::find(&path, name)? {
                    return Ok(Some(found));
                }
                continue;
            }
            if path.file_name().is_none_or(|file| file != name) {
                continue;
            }
            let Some(pin) = get(&path) else { continue };
            if let Some(info) = info(&pin) {
                return Ok(Some(KernelMap { pin, info }));
            }
        }
        Ok(None)
    }

    /// Keys with their values; of a map that nobody changes meanwhile.
    pub fn rows(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut keys = Vec::new();
        walk(&self.pin, &self.info, |key| keys.push(key.to_vec()));
        let value = |key: Vec<u8>| {
            let mut value = vec![0_u8; self.info.value_size as usize];
            let found = self.element(BPF_MAP_LOOKUP_ELEM, &key, &mut value);
            found.then_some((key, value))
        };
        keys.into_iter().filter_map(value).collect()
    }

    /// Puts a row, in place of one that has the key.
    pub fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        let mut value = value.to_vec();
        let right = key.len() == self.info.key_size as usize
            && value.len() == self.info.value_size as usize;
        ensure!(right, "a row of another map");
        let put = self.element(BPF_MAP_UPDATE_ELEM, key, &mut value);
        ensure!(put, "the kernel refuses the row");
        Ok(())
    }

    fn element(&self, command: libc::c_long, key: &[u8], value: &mut [u8]) -> bool {
        let mut attributes = Attributes::default();
        attributes.0[0] = u64::from(self.pin.as_raw_fd() as u32);
        attributes.0[1] = key.as_ptr() as u64;
        attributes.0[2] = value.as_mut_ptr() as u64;
        bpf(command, &mut attributes) == 0
    }
}

fn bpf(command: libc::c_long, attributes: &mut Attributes) -> libc::c_long {
    let size = size_of::<Attributes>();
    // SAFETY: the attributes outlive the call, with their true length; what they point to is
    // kept alive by the callers.
    unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size) }
}

/// Opens what is pinned at `path`: a map, a program or a link.
fn get(path: &Path) -> Option<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let mut attributes = Attributes::default();
    attributes.0[0] = path.as_ptr() as u64;
    owned(bpf(BPF_OBJ_GET, &mut attributes))
}

fn owned(fd: libc::c_long) -> Option<OwnedFd> {
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0)?;
    // SAFETY: the descriptor is new and nobody else's.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The name, as far as the kernel keeps it, of the map with this number.
pub(crate) fn name_of_map(id: u32) -> Option<String> {
    let mut attributes = Attributes::default();
    attributes.0[0] = u64::from(id);
    let map = owned(bpf(BPF_MAP_GET_FD_BY_ID, &mut attributes))?;
    let name = info(&map)?.name;
    let end = name.iter().position(|byte| *byte == 0);
    Some(String::from_utf8_lossy(&name[..end.unwrap_or(name.len())]).into_owned())
}

/// What the kernel says of a map; none for what is no map.
fn info(pin: &OwnedFd) -> Option<MapInfo> {
    let link = fs::read_link(format!("/proc/self/fd/{}", pin.as_raw_fd())).ok()?;
    if !link.to_string_lossy().contains("bpf-map") {
        return None;
    }
    let mut info = MapInfo::default();
    let mut attributes = Attributes::default();
    attributes.0[0] = u64::from(pin.as_raw_fd() as u32) | (size_of::<MapInfo>() as u64) << 32;
    attributes.0[1] = (&raw mut info) as u64;
    (bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attributes) == 0).then_some(info)
}

fn count(map: &OwnedFd, info: &MapInfo) -> usize {
    let mut number = 0;
    walk(map, info, |_| number += 1);
    number
}

/// Walks over the keys. A key that goes in the middle starts the walk anew, so it is bounded.
fn walk(map: &OwnedFd, info: &MapInfo, mut visit: impl FnMut(&[u8])) {
    let mut key = vec![0_u8; info.key_size as usize];
    let mut next = key.clone();
    let mut number = 0;
    while number <= 2 * info.max_entries as usize {
        let mut attributes = Attributes::default();
        attributes.0[0] = u64::from(map.as_raw_fd() as u32);
        attributes.0[1] = if number == 0 { 0 } else { key.as_ptr() as u64 };
        attributes.0[2] = next.as_mut_ptr() as u64;
        if bpf(BPF_MAP_GET_NEXT_KEY, &mut attributes) != 0 {
            break;
        }
        std::mem::swap(&mut key, &mut next);
        visit(&key);
        number += 1;
    }
}
