//! The maps: names, kinds, keys, values and sizes, one line each.
//!
//! | map | kind | key | value |
//! | --- | --- | --- | --- |
//! | [`CONFIG`] | array of one | 0 | [`Config`](crate::config::Config) |
//! | [`INTERFACES`] | hash | interface index of the host's end: `u32` | slot: `u32` |
//! | [`ENDPOINTS`] | array | slot | [`Endpoint`](crate::endpoint::Endpoint) |
//! | [`ADDRESSES`] | hash | [`AddressKey`](crate::endpoint::AddressKey) | [`Target`](crate::endpoint::Target) |
//! | [`MEMBERS`] | hash | network: `u32` | [`Members`](crate::endpoint::Members) |
//! | [`TENANTS`] | array | tenant | [`Tenant`](crate::tenant::Tenant) |
//! | [`PREFIXES`] | longest prefix | [`PrefixKey`](crate::tenant::PrefixKey) | [`Network`](crate::tenant::Network) |
//! | [`HOSTS`] | array | index | [`HostRow`](crate::tunnel::HostRow) |
//! | [`REMOTES`] | array | slot less [`SLOTS`](crate::endpoint::SLOTS) | [`Remote`](crate::tunnel::Remote) |
//! | [`VNIS`] | hash | number on the wire: `u32` | [`Vni`](crate::tunnel::Vni) |
//! | [`FLOOD`] | hash | network: `u32` | [`Flood`](crate::tunnel::Flood) |
//! | [`HOST_ADDRESSES`] | hash | [`Address`](crate::Address) of the host | `u32`, 1 |
//! | [`FLOWS`] | hash | [`FlowKey`](crate::flow::FlowKey) of a row | [`Flow`](crate::flow::Flow) |
//! | [`CROWD`] | LRU hash | the same | the same |
//! | [`FLOWS_TAKEN`] | array | tenant | [`Taken`](crate::flow::Taken) |
//! | [`FLOW_ROOM`] | array | tenant | [`Room`](crate::flow::Room) |
//! | [`RULE_COUNTS`] | hash per processor | [`RuleKey`](crate::counter::RuleKey) | [`RuleCount`](crate::counter::RuleCount) |
//! | [`RULE_TOTALS`] | hash | the same, of rows that user space has removed | the same |
//! | [`FRAGMENTS`] | LRU hash | [`FragmentKey`](crate::flow::FragmentKey) | [`Fragment`](crate::flow::Fragment) |
//! | [`DROPS`] | hash per processor | [`DropKey`](crate::counter::DropKey) | packets: `u64` |
//! | [`EVENTS`] | ring | | [`Event`](crate::event::Event) |
//! | [`EVENT_LIMITS`] | array | slot | [`Limits`](crate::event::Limits) |
//! | [`POLICY_SUBJECTS`] | hash | [`SubjectKey`](crate::policy::SubjectKey) | [`Subject`](crate::policy::Subject) |
//! | [`POLICY_OWN`] | longest prefix | [`OwnKey`](crate::policy::OwnKey) | [`RuleSet`](crate::policy::RuleSet) |
//! | [`POLICY_GROUPS`] | hash | [`PeerKey`](crate::policy::PeerKey) | profile: `u32`; of earlier builds |
//! | [`POLICY_PEERS`] | hash | the same | [`Peer`](crate::policy::Peer) |
//! | [`POLICY_PREFIXES`] | longest prefix | [`PrefixKey`](crate::policy::PrefixKey) | profile: `u32` |
//! | [`POLICY_DECISIONS`] | hash | [`DecisionKey`](crate::policy::DecisionKey) | [`Decision`](crate::policy::Decision) |
//!
//! Longest-prefix maps hold a `u32` prefix length before the key, fixed bits included.
//! Values of policies are there twice, as [`Sides`](crate::policy::Sides).
//! Programs write [`FLOWS`], [`CROWD`], [`FLOWS_TAKEN`], [`FRAGMENTS`], [`DROPS`], [`RULE_COUNTS`] and
//! those of events; user space writes all others, and removes rows.

use crate::{counter, endpoint, event, flow, policy, tenant, tunnel};

/// The layout that keys and values follow. Pins live below a directory of this number, so that
/// programs never meet maps of another one.
///
/// A map that is alike in two layouts, by its name, kind and sizes, is one and the same for both
/// when the later one takes over. So a map whose rows come to mean something else without a change
/// of their size gets another name; and one whose rows change in size is converted by the data
/// plane's `handover`.
pub const LAYOUT: u32 = 2;

/// Layouts whose place this one can take while packets flow, the latest first.
pub const OLDER: [u32; 1] = [1];

pub const CONFIG: &str = "config";
pub const INTERFACES: &str = "interfaces";
pub const ENDPOINTS: &str = "endpoints";
pub const ADDRESSES: &str = "addresses";
pub const MEMBERS: &str = "members";
pub const TENANTS: &str = "tenants";
pub const PREFIXES: &str = "prefixes";
pub const HOSTS: &str = "hosts";
pub const REMOTES: &str = "remotes";
pub const VNIS: &str = "vnis";
pub const FLOOD: &str = "flood";
pub const HOST_ADDRESSES: &str = "host_addresses";
pub const FLOWS: &str = "flows";
pub const CROWD: &str = "flows_crowd";
pub const FLOWS_TAKEN: &str = "flows_taken";
pub const FLOW_ROOM: &str = "flow_room";
pub const RULE_COUNTS: &str = "rule_counts";
pub const RULE_TOTALS: &str = "rule_totals";
pub const FRAGMENTS: &str = "fragments";
pub const DROPS: &str = "drops";
pub const EVENTS: &str = "events";
pub const EVENT_LIMITS: &str = "event_limits";
pub const POLICY_SUBJECTS: &str = "pol_subjects";
pub const POLICY_OWN: &str = "pol_own";
pub const POLICY_GROUPS: &str = "pol_groups";
pub const POLICY_PEERS: &str = "pol_peers";
pub const POLICY_PREFIXES: &str = "pol_prefixes";
pub const POLICY_DECISIONS: &str = "pol_decisions";

/// Every map with the number of entries that it has room for.
pub const ALL: [(&str, u32); 28] = [
    (CONFIG, 1),
    (INTERFACES, endpoint::SLOTS),
    (ENDPOINTS, endpoint::SLOTS),
    (ADDRESSES, endpoint::ADDRESSES),
    (MEMBERS, endpoint::NETWORKS),
    (TENANTS, tenant::TENANTS),
    (PREFIXES, tenant::PREFIXES),
    (HOSTS, tunnel::HOSTS),
    (REMOTES, tunnel::REMOTES),
    (VNIS, tunnel::VNIS),
    (FLOOD, endpoint::NETWORKS),
    (HOST_ADDRESSES, tenant::HOST_ADDRESSES),
    (FLOWS, flow::FLOWS),
    (CROWD, flow::CROWD),
    (FLOWS_TAKEN, tenant::TENANTS),
    (FLOW_ROOM, tenant::TENANTS),
    (RULE_COUNTS, counter::RULES),
    (RULE_TOTALS, counter::RULES),
    (FRAGMENTS, flow::FRAGMENTS),
    (DROPS, counter::DROPS),
    // In bytes.
    (EVENTS, event::RING),
    (EVENT_LIMITS, endpoint::SLOTS),
    (POLICY_SUBJECTS, policy::SUBJECTS),
    (POLICY_OWN, policy::OWN_ADDRESSES),
    (POLICY_GROUPS, policy::PEER_GROUPS),
    (POLICY_PEERS, policy::PEER_GROUPS),
    (POLICY_PREFIXES, policy::PEER_PREFIXES),
    (POLICY_DECISIONS, policy::DECISIONS),
];
