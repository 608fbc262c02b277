//! What programs tell.

use aya::maps::RingBuf;
use contiv_datapath::event;
use contiv_datapath_abi::event::{Event, EventKind, Limits};
use contiv_datapath_abi::maps;

use super::Rig;

impl Rig {
    /// The events that have come since the last call.
    pub(crate) fn events(&mut self) -> Vec<Event> {
        let map = self.programs.ebpf.map_mut(maps::EVENTS).unwrap();
        let mut ring = RingBuf::try_from(map).unwrap();
        let mut events = Vec::new();
        while let Some(bytes) = ring.next() {
            events.push(event(&bytes).unwrap());
        }
        events
    }

    /// The only event that has come, which is of this kind.
    #[track_caller]
    pub(crate) fn event(&mut self, kind: EventKind) -> Event {
        match self.events()[..] {
            [event] if event.kind == kind as u8 => event,
            ref others => panic!("not one {}: {others:?}", kind.name()),
        }
    }

    /// Events of a slot and kind that nobody was told of yet.
    pub(crate) fn untold(&mut self, slot: u32, kind: EventKind) -> u64 {
        let limits = self.array::<Limits>(maps::EVENT_LIMITS);
        limits.get(&slot, 0).unwrap().0.0[kind as usize].suppressed
    }
}
