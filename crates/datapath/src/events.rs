//! Events that programs tell, as they come.

#![allow(
    unsafe_code,
    reason = "events are read as the bytes that programs wrote"
)]

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use aya::maps::{MapData, RingBuf};
use contiv_datapath_abi::event::{End, Event, EventKind, Limits};
use contiv_datapath_abi::maps;

use crate::bpf::Table;
use crate::pins::Pins;
use crate::{Error, Plane};

/// The events of this host. There is one ring, and who reads an event takes it: one reader at a
/// time. It needs neither the data plane nor its lock; while nobody reads, events that the ring has
/// no room for are counted.
///
/// Its descriptor becomes readable when there are events.
pub struct EventReader {
    ring: RingBuf<MapData>,
    limits: Table<u32, Limits>,
}

impl EventReader {
    fn open(pins: &Pins) -> Result<EventReader, Error> {
        let map = MapData::from_pin(pins.map(maps::EVENTS));
        let map = map.map_err(Error::bpf("open map events"))?;
        let ring = RingBuf::try_from(aya::maps::Map::RingBuf(map));
        Ok(EventReader {
            ring: ring.map_err(Error::bpf("read map events"))?,
            limits: pins.table(maps::EVENT_LIMITS)?,
        })
    }

    /// The next event, if one has come.
    pub fn next_event(&mut self) -> Option<Event> {
        loop {
            // What is shorter than an event was written by programs of another layout.
            if let Some(event) = event(&self.ring.next()?) {
                return Some(event);
            }
        }
    }

    /// Events that no later one has told of yet, by kind: suppressed ones, and ones that the ring
    /// had no room for.
    pub fn untold(&self) -> Result<BTreeMap<EventKind, u64>, Error> {
        let mut untold = BTreeMap::new();
        for (_, Limits(limits)) in self.limits.rows()? {
            for (kind, limit) in EventKind::ALL.iter().zip(limits) {
                if limit.suppressed != 0 {
                    *untold.entry(*kind).or_default() += limit.suppressed;
                }
            }
        }
        Ok(untold)
    }
}

impl AsFd for EventReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }
}

impl AsRawFd for EventReader {
    fn as_raw_fd(&self) -> RawFd {
        self.ring.as_raw_fd()
    }
}

impl std::fmt::Debug for EventReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventReader").finish_non_exhaustive()
    }
}

impl Plane {
    /// A reader of this host's events, which takes over from any that was before.
    pub fn events(&self) -> Result<EventReader, Error> {
        EventReader::open(self.pins())
    }

    /// The endpoint at one end of an event, if it still exists.
    pub fn endpoint_at(&self, end: End) -> Option<&str> {
        self.endpoint_of_serial(end.serial)
    }
}

/// An event as it lies in the ring.
pub fn event(bytes: &[u8]) -> Option<Event> {
    if bytes.len() < size_of::<Event>() {
        return None;
    }
    // SAFETY: there are enough bytes, they may lie anywhere, and any bytes are an event.
    Some(unsafe { bytes.as_ptr().cast::<Event>().read_unaligned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_its_bytes() {
        let event_before = Event {
            time: 7,
            flags: Event::AGAIN,
            staged_accepter_rule: 9,
            ..Event::NONE
        };
        let mut bytes = [0xff; size_of::<Event>() + 1];
        // SAFETY: an event has no padding.
        let image: [u8; size_of::<Event>()] = unsafe { std::mem::transmute(event_before) };
        bytes[1..].copy_from_slice(&image);
        assert_eq!(event(&bytes[1..]), Some(event_before));
        assert_eq!(event(&bytes[2..]), None);
    }
}
