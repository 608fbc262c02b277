//! The maps, as the decisions ask them.

use aya_ebpf::maps::lpm_trie::Key;
use contiv_datapath_abi::Address;
use contiv_datapath_abi::config::Config;
use contiv_datapath_abi::endpoint::{AddressKey, Endpoint, Target};
use contiv_datapath_abi::opening::Fabric;
use contiv_datapath_abi::policy::{
    self, Action, Decision, DecisionKey, OwnKey, PeerKey, PolicyTables, Query, RuleSet, Subject,
    SubjectKey, Verdict,
};
use contiv_datapath_abi::tenant::{Network, PrefixKey, Tenant};

use crate::maps;

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
        let packed = policy_verdict(query);
        Verdict {
            action: if packed >> 32 == 0 {
                Action::Allow
            } else {
                Action::Deny
            },
            rule: packed as u32,
        }
    }
}

/// A global function: the verifier proves it once, for any query, and not once for each call of it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn policy_verdict(query: *const Query) -> u64 {
    // SAFETY: the verifier lets in a readable query or null.
    let Some(query) = (unsafe { query.as_ref() }) else {
        return 0;
    };
    let verdict = policy::evaluate(&Policies, query);
    (verdict.action as u64) << 32 | verdict.rule as u64
}

/// The policy's tables.
struct Policies;

impl PolicyTables for Policies {
    #[inline(always)]
    fn subject(&self, key: &SubjectKey) -> Option<Subject> {
        // SAFETY: rows of policies are allocated one by one and never changed in place.
        unsafe { maps::POLICY_SUBJECTS.get(key).copied() }
    }

    #[inline(always)]
    fn own_address(&self, key: &OwnKey) -> Option<RuleSet> {
        maps::POLICY_OWN.get(Key::new(OwnKey::BITS, *key)).copied()
    }

    #[inline(always)]
    fn peer_group(&self, key: &PeerKey) -> Option<u32> {
        // SAFETY: see `subject`.
        unsafe { maps::POLICY_GROUPS.get(key).copied() }
    }

    #[inline(always)]
    fn peer_prefix(&self, key: &policy::PrefixKey) -> Option<u32> {
        maps::POLICY_PREFIXES
            .get(Key::new(policy::PrefixKey::BITS, *key))
            .copied()
    }

    #[inline(always)]
    fn decision(&self, key: &DecisionKey) -> Option<Decision> {
        // SAFETY: see `subject`.
        unsafe { maps::POLICY_DECISIONS.get(key).copied() }
    }
}
