//! The maps, as the decisions ask them.

use aya_ebpf::maps::lpm_trie::Key;
use contiv_datapath_abi::config::Config;
use contiv_datapath_abi::endpoint::{AddressKey, Endpoint, Target};
use contiv_datapath_abi::opening::Fabric;
use contiv_datapath_abi::policy::{
    self, Decision, DecisionKey, OwnKey, Peer, PeerKey, PolicyTables, Query, RuleSet, Ruling,
    Rulings, Sides, Subject, SubjectKey, Verdict,
};
use contiv_datapath_abi::tenant::{Network, PrefixKey, Tenant};
use contiv_datapath_abi::{Address, Words};

use crate::maps::{self, PolicyKeys};

/// The host that the program runs on.
pub struct Host;

impl Fabric for Host {
    #[inline(always)]
    fn config(&self) -> Option<&Config> {
        maps::CONFIG.get(0)
    }

    #[inline(always)]
    fn tenant(&self, number: u32) -> Option<Tenant> {
        let tenant = maps::TENANTS.get_ptr(number)?;
        // SAFETY: entries of arrays stay. Reading the generation first is half of how changes
        // come into force, see `Tenant`; volatile reads stay in order.
        unsafe {
            let generation = (&raw const (*tenant).generation).read_volatile();
            let root = (&raw const (*tenant).root).read_volatile();
            let flags = (&raw const (*tenant).flags).read_volatile();
            Some(Tenant {
                root,
                generation,
                flags,
                unused: 0,
            })
        }
    }

    #[inline(always)]
    fn network(&self, key: &PrefixKey) -> Option<&Network> {
        maps::PREFIXES.get(Key::new(PrefixKey::BITS, *key))
    }

    #[inline(always)]
    fn target(&self, key: &AddressKey) -> Option<&Target> {
        // SAFETY: rows are allocated one by one, and stay until the program has ended.
        unsafe { maps::ADDRESSES.get(key) }
    }

    #[inline(always)]
    fn endpoint(&self, slot: u32) -> Option<&Endpoint> {
        maps::ENDPOINTS.get(slot)
    }

    #[inline(always)]
    fn is_host(&self, address: &Address) -> bool {
        maps::HOST_ADDRESSES.get_ptr(address).is_some()
    }

    #[inline(always)]
    fn verdict(&self, query: &Query) -> Verdict {
        policy::evaluate_by(query, &Asked(query))
    }
}

/// A query whose rulings are called for.
struct Asked<'a>(&'a Query);

impl Rulings for Asked<'_> {
    #[inline(always)]
    fn ruling(&self, tier: u32) -> Ruling {
        Ruling(policy_ruling(self.0, tier))
    }
}

/// A global function: the verifier proves it once, for any query, and not once for each call of it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn policy_ruling(query: *const Query, tier: u32) -> u64 {
    // SAFETY: the verifier lets in a readable query or null.
    let Some(query) = (unsafe { query.as_ref() }) else {
        return Ruling::NONE.0;
    };
    let keys = maps::policy_keys();
    policy::ruling(&Policies { keys }, query, tier).0
}

/// As above: a profile's decision, wherever its number is from.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn policy_decision(profile: u32, packet: u32, side: u32) -> u64 {
    policy::in_profile(&Policies { keys: None }, profile, packet, side).0
}

/// The policy's tables.
struct Policies {
    /// Room for keys, of which a profile's need none.
    keys: Option<*mut PolicyKeys>,
}

impl Policies {
    /// A key in the processor's own memory; `K` is laid out as [`maps::PolicyPrefix`] says.
    #[inline(always)]
    fn prefix_key<K>(&self, bits: u32, set: u32, scope: u32, address: &Address) -> Option<&Key<K>> {
        // SAFETY: no other reference to the room for keys lives as long as this one.
        let prefix = unsafe { &mut (*self.keys?).prefix };
        prefix.bits = bits;
        prefix.set = set;
        prefix.scope = scope;
        // SAFETY: it is a query's, and those are aligned like numbers.
        prefix.address = unsafe { *address.as_ptr().cast::<Words>() };
        // SAFETY: both are the length and the same 24 bytes, and a `Key` may lie anywhere.
        Some(unsafe { &*(&raw const *prefix).cast::<Key<K>>() })
    }
}

impl PolicyTables for Policies {
    #[inline(always)]
    fn subject(&self, key: &SubjectKey) -> Option<&Sides<Subject>> {
        // SAFETY: no other reference to the room for keys lives as long as this one; rows are
        // allocated one by one, and replaced, not changed in place.
        unsafe {
            let room = &mut (*self.keys?).subject;
            *room = *key;
            maps::POLICY_SUBJECTS.get(&*room)
        }
    }

    #[inline(always)]
    fn own_address(&self, set: u32, scope: u32, address: &Address) -> Option<&Sides<RuleSet>> {
        let key = self.prefix_key::<OwnKey>(OwnKey::BITS, set, scope, address)?;
        maps::POLICY_OWN.get(key)
    }

    #[inline(always)]
    fn peer_group(&self, key: &PeerKey) -> Option<&Sides<Peer>> {
        // SAFETY: see `subject`.
        unsafe {
            let room = &mut (*self.keys?).group;
            *room = *key;
            maps::POLICY_PEERS.get(&*room)
        }
    }

    #[inline(always)]
    fn older_peer_group(&self, key: &PeerKey) -> Option<&Sides<u32>> {
        // SAFETY: see `subject`.
        unsafe {
            let room = &mut (*self.keys?).group;
            *room = *key;
            maps::POLICY_GROUPS.get(&*room)
        }
    }

    #[inline(always)]
    fn peer_prefix(&self, set: u32, scope: u32, address: &Address) -> Option<&Sides<u32>> {
        let key =
            self.prefix_key::<policy::PrefixKey>(policy::PrefixKey::BITS, set, scope, address)?;
        maps::POLICY_PREFIXES.get(key)
    }

    #[inline(always)]
    fn decision(&self, key: &DecisionKey) -> Option<&Sides<Decision>> {
        // SAFETY: see `subject`.
        unsafe { maps::POLICY_DECISIONS.get(key) }
    }

    #[inline(always)]
    fn in_profile(&self, profile: u32, packet: u32, side: u32) -> Decision {
        Decision(policy_decision(profile, packet, side))
    }
}
