//! Addresses in use, by network.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use contiv_ipam::{AddressPool, AddressState, Family, Lane, RangeSet, bits};

/// An address and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressOwner<'a> {
    pub tenant: &'a str,
    pub network: &'a str,
    pub address: IpAddr,
    pub state: &'a AddressState,
}

/// The addresses of all networks.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Addresses {
    /// By the network's number; none is empty.
    networks: BTreeMap<u32, Used>,
    /// By the number of the commit that made them drain.
    draining: BTreeSet<(u64, u32, IpAddr)>,
    /// By the time that they were granted.
    tentative: BTreeSet<(u64, u32, IpAddr)>,
    /// By the time that a Swarm reserved them.
    reserved: BTreeSet<(u64, u32, IpAddr)>,
}

/// Those of one network that are in use.
#[derive(Clone, Debug, Default, PartialEq)]
struct Used {
    states: BTreeMap<IpAddr, (AddressState, u64)>,
    ipv4: RangeSet,
    ipv6: RangeSet,
}

impl Addresses {
    /// Takes the state that commit `number` wrote.
    pub(crate) fn insert(
        &mut self,
        network: u32,
        address: IpAddr,
        state: AddressState,
        number: u64,
    ) {
        self.remove(network, address);
        match &state {
            AddressState::Draining { .. } => {
                self.draining.insert((number, network, address));
            }
            AddressState::Tentative { since, .. } => {
                self.tentative.insert((*since, network, address));
            }
            AddressState::Reserved(reservation) => {
                self.reserved.insert((reservation.since, network, address));
            }
            _ => {}
        }
        let used = self.networks.entry(network).or_default();
        let bits = bits(address);
        used.family_mut(address).insert(bits, bits);
        used.states.insert(address, (state, number));
    }

    pub(crate) fn remove(&mut self, network: u32, address: IpAddr) {
        let Some(used) = self.networks.get_mut(&network) else {
            return;
        };
        let Some((state, number)) = used.states.remove(&address) else {
            return;
        };
        let bits = bits(address);
        used.family_mut(address).remove(bits, bits);
        if used.states.is_empty() {
            self.networks.remove(&network);
        }
        match state {
            AddressState::Draining { .. } => {
                self.draining.remove(&(number, network, address));
            }
            AddressState::Tentative { since, .. } => {
                self.tentative.remove(&(since, network, address));
            }
            AddressState::Reserved(reservation) => {
                self.reserved.remove(&(reservation.since, network, address));
            }
            _ => {}
        }
    }

    pub(crate) fn get(&self, network: u32, address: IpAddr) -> Option<&AddressState> {
        let (state, _) = self.networks.get(&network)?.states.get(&address)?;
        Some(state)
    }

    /// Those of a network between two addresses of one family, lowest first.
    pub(crate) fn within(
        &self,
        network: u32,
        range: std::ops::RangeInclusive<IpAddr>,
    ) -> impl Iterator<Item = (IpAddr, &AddressState)> {
        let used = self.networks.get(&network).into_iter();
        used.flat_map(move |used| used.states.range(range.clone()))
            .map(|(address, (state, _))| (*address, state))
    }

    /// All, by the network's number.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u32, IpAddr, &AddressState)> {
        self.networks.iter().flat_map(|(network, used)| {
            let states = used.states.iter();
            states.map(|(address, (state, _))| (*network, *address, state))
        })
    }

    /// The lowest address of the pool that has no state.
    pub(crate) fn lowest_free(&self, network: u32, pool: &AddressPool) -> Option<IpAddr> {
        match self.networks.get(&network) {
            Some(used) => pool.lowest_without(used.family(pool.family())),
            None => pool.lowest_without(&RangeSet::new()),
        }
    }

    /// The lowest address of the pool in the lane that has no state.
    pub(crate) fn lowest_free_in(
        &self,
        network: u32,
        pool: &AddressPool,
        lane: &Lane,
    ) -> Option<IpAddr> {
        match self.networks.get(&network) {
            Some(used) => pool.lowest_in_lane(used.family(pool.family()), lane),
            None => pool.lowest_in_lane(&RangeSet::new(), lane),
        }
    }

    /// Those of the network and family in use.
    pub(crate) fn in_use(&self, network: u32, family: Family) -> Option<&RangeSet> {
        Some(self.networks.get(&network)?.family(family))
    }

    /// Those that began to drain by commit `number` or earlier.
    pub(crate) fn draining_until(&self, number: u64) -> impl Iterator<Item = (u64, u32, IpAddr)> {
        self.draining
            .iter()
            .copied()
            .take_while(move |(n, ..)| *n <= number)
    }

    /// Those that are tentative or drain.
    pub(crate) fn unsettled(&self) -> impl Iterator<Item = (u32, IpAddr, &AddressState)> {
        let keys = self.tentative.iter().chain(&self.draining);
        keys.filter_map(|(_, network, address)| {
            Some((*network, *address, self.get(*network, *address)?))
        })
    }

    /// Those that are tentative since before `time`.
    pub(crate) fn tentative_before(&self, time: u64) -> impl Iterator<Item = (u32, IpAddr)> {
        before(&self.tentative, time)
    }

    /// Those that are a Swarm's alone, since before `time`.
    pub(crate) fn reserved_before(&self, time: u64) -> impl Iterator<Item = (u32, IpAddr)> {
        before(&self.reserved, time)
    }
}

fn before(since: &BTreeSet<(u64, u32, IpAddr)>, time: u64) -> impl Iterator<Item = (u32, IpAddr)> {
    let old = since.iter().take_while(move |(since, ..)| *since < time);
    old.map(|(_, network, address)| (*network, *address))
}

impl Used {
    fn family(&self, family: Family) -> &RangeSet {
        match family {
            Family::Ipv4 => &self.ipv4,
            Family::Ipv6 => &self.ipv6,
        }
    }

    fn family_mut(&mut self, address: IpAddr) -> &mut RangeSet {
        match address {
            IpAddr::V4(_) => &mut self.ipv4,
            IpAddr::V6(_) => &mut self.ipv6,
        }
    }
}
