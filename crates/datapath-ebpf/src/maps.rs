//! The maps, as `contiv_datapath_abi::maps` lists them.

use aya_ebpf::bindings::BPF_F_NO_PREALLOC;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, LpmTrie, LruHashMap, PerCpuArray, PerCpuHashMap, RingBuf};
use contiv_datapath_abi::config::Config;
use contiv_datapath_abi::counter::{self, DropKey, RuleCount, RuleKey};
use contiv_datapath_abi::endpoint::{self, AddressKey, Endpoint, Members, Target};
use contiv_datapath_abi::event::{self, Event, Limits};
use contiv_datapath_abi::flow::{self, Flow, FlowKey, Fragment, FragmentKey, Room, Taken};
use contiv_datapath_abi::opening::{Judgement, Opening};
use contiv_datapath_abi::policy::{
    self, Decision, DecisionKey, OwnKey, Peer, PeerKey, RuleSet, Sides, Subject, SubjectKey,
};
use contiv_datapath_abi::tenant::{self, Network, PrefixKey, Tenant};
use contiv_datapath_abi::tunnel::{self, Flood, HostRow, Remote, Vni};
use contiv_datapath_abi::{Address, Words};

#[map(name = "config")]
pub static CONFIG: Array<Config> = Array::with_max_entries(1, 0);

#[map(name = "interfaces")]
pub static INTERFACES: HashMap<u32, u32> = HashMap::with_max_entries(endpoint::SLOTS, 0);

#[map(name = "endpoints")]
pub static ENDPOINTS: Array<Endpoint> = Array::with_max_entries(endpoint::SLOTS, 0);

#[map(name = "addresses")]
pub static ADDRESSES: HashMap<AddressKey, Target> =
    HashMap::with_max_entries(endpoint::ADDRESSES, BPF_F_NO_PREALLOC);

#[map(name = "members")]
pub static MEMBERS: HashMap<u32, Members> =
    HashMap::with_max_entries(endpoint::NETWORKS, BPF_F_NO_PREALLOC);

#[map(name = "tenants")]
pub static TENANTS: Array<Tenant> = Array::with_max_entries(tenant::TENANTS, 0);

#[map(name = "prefixes")]
pub static PREFIXES: LpmTrie<PrefixKey, Network> = LpmTrie::with_max_entries(tenant::PREFIXES, 0);

#[map(name = "hosts")]
pub static HOSTS: Array<HostRow> = Array::with_max_entries(tunnel::HOSTS, 0);

#[map(name = "remotes")]
pub static REMOTES: Array<Remote> = Array::with_max_entries(tunnel::REMOTES, 0);

#[map(name = "vnis")]
pub static VNIS: HashMap<u32, Vni> = HashMap::with_max_entries(tunnel::VNIS, BPF_F_NO_PREALLOC);

#[map(name = "flood")]
pub static FLOOD: HashMap<u32, Flood> =
    HashMap::with_max_entries(endpoint::NETWORKS, BPF_F_NO_PREALLOC);

#[map(name = "host_addresses")]
pub static HOST_ADDRESSES: HashMap<Address, u32> =
    HashMap::with_max_entries(tenant::HOST_ADDRESSES, BPF_F_NO_PREALLOC);

#[map(name = "flows")]
pub static FLOWS: HashMap<FlowKey, Flow> = HashMap::with_max_entries(flow::FLOWS, 0);

#[map(name = "flows_crowd")]
pub static CROWD: LruHashMap<FlowKey, Flow> = LruHashMap::with_max_entries(flow::CROWD, 0);

#[map(name = "flows_taken")]
pub static FLOWS_TAKEN: Array<Taken> = Array::with_max_entries(tenant::TENANTS, 0);

#[map(name = "flow_room")]
pub static FLOW_ROOM: Array<Room> = Array::with_max_entries(tenant::TENANTS, 0);

#[map(name = "rule_counts")]
pub static RULE_COUNTS: PerCpuHashMap<RuleKey, RuleCount> =
    PerCpuHashMap::with_max_entries(counter::RULES, BPF_F_NO_PREALLOC);

/// Written and read by user space alone.
#[map(name = "rule_totals")]
pub static RULE_TOTALS: HashMap<RuleKey, RuleCount> =
    HashMap::with_max_entries(counter::RULES, BPF_F_NO_PREALLOC);

#[map(name = "fragments")]
pub static FRAGMENTS: LruHashMap<FragmentKey, Fragment> =
    LruHashMap::with_max_entries(flow::FRAGMENTS, 0);

#[map(name = "drops")]
pub static DROPS: PerCpuHashMap<DropKey, u64> =
    PerCpuHashMap::with_max_entries(counter::DROPS, BPF_F_NO_PREALLOC);

#[map(name = "events")]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(event::RING, 0);

#[map(name = "event_limits")]
pub static EVENT_LIMITS: Array<Limits> = Array::with_max_entries(endpoint::SLOTS, 0);

#[map(name = "pol_subjects")]
pub static POLICY_SUBJECTS: HashMap<SubjectKey, Sides<Subject>> =
    HashMap::with_max_entries(policy::SUBJECTS, BPF_F_NO_PREALLOC);

#[map(name = "pol_own")]
pub static POLICY_OWN: LpmTrie<OwnKey, Sides<RuleSet>> =
    LpmTrie::with_max_entries(policy::OWN_ADDRESSES, 0);

#[map(name = "pol_groups")]
pub static POLICY_GROUPS: HashMap<PeerKey, Sides<u32>> =
    HashMap::with_max_entries(policy::PEER_GROUPS, BPF_F_NO_PREALLOC);

#[map(name = "pol_peers")]
pub static POLICY_PEERS: HashMap<PeerKey, Sides<Peer>> =
    HashMap::with_max_entries(policy::PEER_GROUPS, BPF_F_NO_PREALLOC);

#[map(name = "pol_prefixes")]
pub static POLICY_PREFIXES: LpmTrie<policy::PrefixKey, Sides<u32>> =
    LpmTrie::with_max_entries(policy::PEER_PREFIXES, 0);

#[map(name = "pol_decisions")]
pub static POLICY_DECISIONS: HashMap<DecisionKey, Sides<Decision>> =
    HashMap::with_max_entries(policy::DECISIONS, BPF_F_NO_PREALLOC);

use crate::broadcast::Notice;

/// Room for what the stack has no room for; nothing in it outlives a packet.
#[repr(C)]
pub struct Scratch {
    pub opening: Opening,
    pub row: FlowKey,
    pub judgement: Judgement,
    pub notice: Notice,
    /// The largest frame that the fabric itself sends.
    pub frame: [u8; Scratch::FRAME],
}

impl Scratch {
    pub const FRAME: usize = 112;
}

/// The processor's own.
#[inline(always)]
pub fn scratch() -> Option<&'static mut Scratch> {
    // SAFETY: nobody else uses the entry while a program runs, and each program asks for it in one
    // function alone.
    SCRATCH
        .get_ptr_mut(0)
        .map(|scratch| unsafe { &mut *scratch })
}

/// One per processor. No program interrupts another one on the same processor.
#[map(name = "scratch")]
static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

/// The processor's own, for the event that is told at the moment.
#[inline(always)]
pub fn event_room() -> Option<&'static mut EventRoom> {
    // SAFETY: nobody else uses the entry while a program runs, and events are told one by one.
    EVENT.get_ptr_mut(0).map(|room| unsafe { &mut *room })
}

/// An event with the key of its connection's row.
#[repr(C)]
pub struct EventRoom {
    pub event: Event,
    pub row: FlowKey,
}

#[map(name = "event")]
static EVENT: PerCpuArray<EventRoom> = PerCpuArray::with_max_entries(1, 0);

/// Keys of the policy's maps, which the stack has no room for either.
#[repr(C)]
pub struct PolicyKeys {
    pub subject: SubjectKey,
    pub group: PeerKey,
    pub prefix: PolicyPrefix,
}

/// An [`OwnKey`] or a [`policy::PrefixKey`] behind its prefix length, in whole words.
#[repr(C)]
pub struct PolicyPrefix {
    pub bits: u32,
    pub set: u32,
    pub scope: u32,
    pub address: Words,
}

/// The processor's own.
#[inline(always)]
pub fn policy_keys() -> Option<*mut PolicyKeys> {
    POLICY_KEYS.get_ptr_mut(0)
}

#[map(name = "pol_keys")]
static POLICY_KEYS: PerCpuArray<PolicyKeys> = PerCpuArray::with_max_entries(1, 0);

/// Complaints that an endpoint was sent in one tick.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Complaints {
    pub tick: u32,
    pub count: u32,
}

/// By slot. Processors do not wait for each other: a few complaints more may be sent.
#[map(name = "complaints")]
pub static COMPLAINTS: Array<Complaints> = Array::with_max_entries(endpoint::SLOTS, 0);
