//! What a Swarm's manager has of an address, alone or beside an endpoint.

use serde::{Deserialize, Serialize};

use super::AddressState::{self, Auxiliary, Bound, Draining, Gateway, Reserved, Tentative};
use crate::refusal::Refusal;

/// That a Swarm's manager has an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    /// From one start of the manager's allocator to the next.
    pub life: String,
    /// When, in milliseconds since 1970.
    pub since: u64,
    /// The endpoint that had the address last, while none has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
}

impl AddressState {
    /// A Swarm's manager takes the address for a service or a task, or once more in a new life.
    ///
    /// `lives` tells whether a life goes on: what was reserved in one that has ended is the same
    /// Swarm's, which asks again for what it has.
    pub fn reserve(
        current: Option<&AddressState>,
        wish: Reservation,
        lives: impl Fn(&str) -> bool,
    ) -> Result<AddressState, Refusal> {
        let ended = |known: &Reservation| known.life != wish.life && !lives(&known.life);
        match current {
            None => Ok(Reserved(wish)),
            Some(state) => match state.reservation() {
                Some(known) if ended(known) => Ok(state.clone().with_reservation(Some(wish))),
                _ => Err(state.refuse()),
            },
        }
    }

    /// A Swarm's manager lets the address go, if it is `whose`.
    pub fn unreserve(
        current: Option<AddressState>,
        whose: impl Fn(&Reservation) -> bool,
    ) -> Option<AddressState> {
        match current {
            Some(Reserved(known)) if whose(&known) => None,
            Some(state) if state.reservation().is_some_and(whose) => {
                Some(state.with_reservation(None))
            }
            other => other,
        }
    }

    /// The reservation of the address, if a Swarm's manager has it.
    pub fn reservation(&self) -> Option<&Reservation> {
        match self {
            Reserved(known) => Some(known),
            Bound { reserved, .. } | Draining { reserved, .. } => reserved.as_ref(),
            Gateway | Auxiliary { .. } | Tentative { .. } => None,
        }
    }

    /// Whether the address was this endpoint's last, and has been a Swarm's alone since then.
    pub fn was(&self, endpoint: &str) -> bool {
        matches!(self, Reserved(known) if known.was.as_deref() == Some(endpoint))
    }

    /// Replaces the reservation of what an endpoint has, or has had; any other state is none
    /// without one.
    fn with_reservation(mut self, wish: Option<Reservation>) -> AddressState {
        match (&mut self, wish) {
            (Bound { reserved, .. } | Draining { reserved, .. }, wish) => *reserved = wish,
            (Reserved(known), Some(wish)) => {
                let was = known.was.take();
                *known = Reservation { was, ..wish };
            }
            _ => {}
        }
        self
    }
}
