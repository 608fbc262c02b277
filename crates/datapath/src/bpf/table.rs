//! A map with typed keys and values.

use std::io;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::OnceLock;

use contiv_datapath_abi::Plain;
use contiv_datapath_abi::counter::RuleCount;

use super::{Command, call};
use crate::Error;

/// A map whose keys are `K` and values `V`, by their bytes.
#[derive(Debug)]
pub(crate) struct Table<K, V> {
    name: &'static str,
    map: OwnedFd,
    types: PhantomData<fn(K) -> V>,
}

/// A key of a longest-prefix map: how many bits count, then the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(C)]
pub(crate) struct Prefixed<K> {
    pub(crate) bits: u32,
    pub(crate) key: K,
}

// Keys behind the length are made of `u32`s and bytes, so there is no padding between.
impl<K: Plain> Plain for Prefixed<K> {}

/// Rows per call when everything is read.
const STEP: usize = 4096;

/// Keys, their values, and where to go on.
type Walked<K, V> = (Vec<K>, Vec<V>, Batch);

/// Where a walk in steps stands; nothing at its begin and at its end.
pub(crate) type Batch = Option<u32>;

#[repr(C)]
struct ElementAttributes {
    map: u32,
    padding: u32,
    key: u64,
    value_or_next: u64,
    flags: u64,
}

#[repr(C)]
struct BatchAttributes {
    at: u64,
    next: u64,
    keys: u64,
    values: u64,
    count: u32,
    map: u32,
    element_flags: u64,
    flags: u64,
}

impl<K: Plain, V: Plain> Table<K, V> {
    /// Takes a map's descriptor. That keys and values have these types is the layout's promise.
    pub(crate) fn new(name: &'static str, map: OwnedFd) -> Table<K, V> {
        Table {
            name,
            map,
            types: PhantomData,
        }
    }

    pub(crate) fn get(&self, key: &K) -> Result<Option<V>, Error> {
        let mut value = MaybeUninit::<V>::zeroed();
        match self.element(Command::LookUp, Some(key), value.as_mut_ptr() as u64) {
            // SAFETY: the kernel has written the value, and any bytes are one.
            Ok(()) => Ok(Some(unsafe { value.assume_init() })),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(self.failed("read", &error)),
        }
    }

    pub(crate) fn put(&self, key: &K, value: &V) -> Result<(), Error> {
        self.element(Command::Update, Some(key), std::ptr::from_ref(value) as u64)
            .map_err(|error| self.failed("write", &error))
    }

    /// Removes a row; fine when there is none.
    pub(crate) fn remove(&self, key: &K) -> Result<(), Error> {
        match self.element(Command::Delete, Some(key), 0) {
            Err(error) if !is_absent(&error) => Err(self.failed("delete from", &error)),
            _ => Ok(()),
        }
    }

    /// Removes a row and answers with what it was, in one step.
    pub(crate) fn take(&self, key: &K) -> Result<Option<V>, Error> {
        let mut value = MaybeUninit::<V>::zeroed();
        match self.element(Command::Take, Some(key), value.as_mut_ptr() as u64) {
            // SAFETY: the kernel has written the value, and any bytes are one.
            Ok(()) => Ok(Some(unsafe { value.assume_init() })),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(self.failed("take from", &error)),
        }
    }

    /// Every key; one that comes or goes meanwhile may be in it or not.
    ///
    /// For maps of longest prefixes and per processor; others are quicker in steps.
    pub(crate) fn keys(&self) -> Result<Vec<K>, Error> {
        let mut keys: Vec<K> = Vec::new();
        loop {
            let mut next = MaybeUninit::<K>::zeroed();
            let after = keys.last();
            match self.element(Command::NextKey, after, next.as_mut_ptr() as u64) {
                // SAFETY: the kernel has written the key, and any bytes are one.
                Ok(()) => keys.push(unsafe { next.assume_init() }),
                Err(error) if is_absent(&error) => return Ok(keys),
                Err(error) => return Err(self.failed("walk", &error)),
            }
        }
    }

    /// Every row of a hash map or an array.
    pub(crate) fn rows(&self) -> Result<Vec<(K, V)>, Error> {
        let (mut rows, mut at) = (Vec::new(), None);
        loop {
            let (more, next) = self.step(at, STEP)?;
            rows.extend(more);
            match next {
                Some(_) => at = next,
                None => return Ok(rows),
            }
        }
    }

    /// The next rows of a walk, about `count` of them, and where to go on.
    ///
    /// For hash maps and arrays. Rows that come or go meanwhile may be in it or not.
    pub(crate) fn step(&self, from: Batch, count: usize) -> Result<(Vec<(K, V)>, Batch), Error> {
        let (keys, values, next) = self.walk(from, count, 1)?;
        Ok((keys.into_iter().zip(values).collect(), next))
    }

    /// As [`step`](Self::step), of a map with so many values per key.
    fn walk(&self, from: Batch, count: usize, per_key: usize) -> Result<Walked<K, V>, Error> {
        let mut room = count.max(1);
        loop {
            let mut keys: Vec<K> = Vec::with_capacity(room);
            let mut values: Vec<V> = Vec::with_capacity(room * per_key);
            let at = from.unwrap_or_default();
            let mut next = 0_u32;
            let mut attributes = BatchAttributes {
                at: from.map_or(0, |_| std::ptr::from_ref(&at) as u64),
                next: std::ptr::from_mut(&mut next) as u64,
                keys: keys.as_mut_ptr() as u64,
                values: values.as_mut_ptr() as u64,
                count: room as u32,
                map: self.map.as_raw_fd() as u32,
                element_flags: 0,
                flags: 0,
            };
            // SAFETY: the layout is that of BPF_MAP_LOOKUP_BATCH; both buffers have room for
            // `count` keys and their values, and all pointers outlive the call.
            let done = unsafe { call(Command::LookUpBatch, &mut attributes) };
            let ended = match done {
                Ok(_) => false,
                Err(error) if is_absent(&error) => true,
                // One bucket of the map holds more than there is room for.
                Err(error) if error.raw_os_error() == Some(libc::ENOSPC) && room < 1 << 20 => {
                    room *= 2;
                    continue;
                }
                Err(error) => return Err(self.failed("walk", &error)),
            };
            let found = (attributes.count as usize).min(room);
            // SAFETY: the kernel has written so many keys and values, and any bytes are one.
            unsafe {
                keys.set_len(found);
                values.set_len(found * per_key);
            }
            return Ok((keys, values, (!ended).then_some(next)));
        }
    }

    fn element(&self, command: Command, key: Option<&K>, value: u64) -> io::Result<()> {
        let mut attributes = ElementAttributes {
            map: self.map.as_raw_fd() as u32,
            padding: 0,
            key: key.map_or(0, |key| std::ptr::from_ref(key) as u64),
            value_or_next: value,
            flags: 0,
        };
        // SAFETY: the layout is that of the commands about elements. Keys and values have the
        // sizes of the map's (the layout's promise), and outlive the call.
        unsafe { call(command, &mut attributes)? };
        Ok(())
    }

    fn failed(&self, verb: &str, error: &io::Error) -> Error {
        // Hash maps say the first, maps of longest prefixes the second.
        if matches!(error.raw_os_error(), Some(libc::E2BIG | libc::ENOSPC)) {
            return Error::Full { what: self.name };
        }
        Error::Bpf {
            what: format!("{verb} map {}", self.name),
            message: error.to_string(),
        }
    }
}

impl<K: Plain> Table<K, RuleCount> {
    /// Every row of a hash map in which each processor counts for itself, added up.
    pub(crate) fn sums(&self) -> Result<Vec<(K, RuleCount)>, Error> {
        let (mut rows, mut at) = (Vec::new(), None);
        loop {
            let (keys, values, next) = self.walk(at, STEP, processors())?;
            let sums = values.chunks(processors()).map(|counts| {
                let add = |sum: RuleCount, count: &RuleCount| sum.plus(count);
                counts.iter().fold(RuleCount::default(), add)
            });
            rows.extend(keys.into_iter().zip(sums));
            match next {
                Some(_) => at = next,
                None => return Ok(rows),
            }
        }
    }
}

impl<K: Plain> Table<K, u64> {
    /// The sum over all processors of a counter that each keeps for itself.
    pub(crate) fn sum(&self, key: &K) -> Result<u64, Error> {
        let mut counts = vec![0_u64; processors()];
        match self.element(Command::LookUp, Some(key), counts.as_mut_ptr() as u64) {
            Ok(()) => Ok(counts.iter().sum()),
            Err(error) if is_absent(&error) => Ok(0),
            Err(error) => Err(self.failed("read", &error)),
        }
    }
}

/// Processors that the kernel has room for; a counter has a value for each.
fn processors() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| {
        let text = std::fs::read_to_string("/sys/devices/system/cpu/possible").unwrap_or_default();
        // `0-3`, or `0,2-5`: the highest number is the last one.
        let last = text
            .trim()
            .rsplit(['-', ','])
            .next()
            .map(str::parse::<usize>);
        // Too many only costs memory, too few would be written beyond.
        last.and_then(Result::ok).map_or(1024, |last| last + 1)
    })
}

fn is_absent(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOENT)
}
