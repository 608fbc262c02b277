//! Why a connection is allowed or denied.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The body of `POST /api/v1/trace/`; the query of `GET`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TraceRequest {
    /// `default` when empty.
    pub tenant_name: String,
    /// An endpoint by its id, its container's id or name, or an unambiguous beginning of one; a
    /// group; an address; or `host`. `endpoint:` and `group:` before it leave no doubt.
    pub from: String,
    /// As `from`.
    pub to: String,
    /// By name or number, as in rules.
    pub protocol: String,
    /// The destination port, with TCP and UDP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// With ICMP and ICMPv6: an echo request when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_code: Option<u8>,
}

/// The answer: one case for each outcome that addresses can have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Trace {
    /// `EPOCH.NUMBER` of what was looked at.
    pub revision: String,
    pub tenant_name: String,
    pub from: Party,
    pub to: Party,
    /// `tcp port 80`.
    pub packets: String,
    pub cases: Vec<TraceCase>,
    /// `allow`, `deny`, `unreachable`; `depends` when the cases differ.
    pub verdict: String,
    /// A host's tables say something else than what is configured.
    pub disagrees: bool,
    /// Hosts whose tables are not known.
    pub unanswered: Vec<Unanswered>,
    /// What was not looked at; empty when nothing was left out.
    pub cut: String,
}

/// One end of what was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Party {
    /// As in the request.
    pub asked: String,
    /// `endpoint`, `group`, `host`, `gateway`, `address` (of a network, nobody's) or `world`.
    pub kind: String,
    /// The container's name, or the endpoint's id; the group's name.
    pub name: String,
    #[serde(rename = "endpointID")]
    pub endpoint_id: String,
    pub group_name: String,
    pub network_name: String,
    pub host: String,
    pub addresses: Vec<String>,
}

/// What happens between addresses that are alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TraceCase {
    /// The addresses that were asked about, for all of `addresses`.
    pub from: String,
    pub to: String,
    /// Which ones it stands for; empty for all that the two ends can have.
    pub addresses: Vec<Pair>,
    /// The way of the packets, a sentence a step.
    pub path: Vec<String>,
    /// Why packets do not arrive, whatever policies say; a reason as in counters, or empty.
    pub reason: String,
    /// The sender's outgoing policy, where it is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sending: Option<TraceSide>,
    /// The receiver's incoming policy, where it is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiving: Option<TraceSide>,
    /// What the tables of the hosts hold.
    pub tables: Vec<TableSays>,
    /// What it would be with staged policies in force, when that is something else.
    pub staged: String,
    /// `allow`, `deny` or `unreachable`.
    pub verdict: String,
    /// A host's tables say something else.
    pub disagrees: bool,
}

/// Ranges of addresses of the two ends, `FIRST-LAST`, or `any`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pair {
    pub from: String,
    pub to: String,
}

/// What one side says, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TraceSide {
    /// `in` or `out`.
    pub direction: String,
    /// Whose policies these are; empty without a group.
    pub group_name: String,
    /// In the order in which they are asked.
    pub tiers: Vec<TraceTier>,
    pub outcome: TraceOutcome,
    /// With staged policies in force, when that is something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staged: Option<TraceOutcome>,
}

/// The policies of one tier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct TraceTier {
    pub tier: String,
    pub policies: Vec<TracePolicy>,
}

/// A policy with its rules, the strongest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TracePolicy {
    pub policy_name: String,
    pub order: u16,
    pub staged: bool,
    pub rules: Vec<TraceRule>,
}

/// A rule, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TraceRule {
    pub rule_id: String,
    pub number: u32,
    pub priority: u32,
    pub action: String,
    /// All its conditions hold.
    pub matches: bool,
    /// It is the verdict of its side.
    pub decides: bool,
    /// `matches and decides`, `no: another port`.
    pub why: String,
}

/// An action and the rule that decides it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct TraceOutcome {
    pub action: String,
    /// The rule's number.
    pub rule: u32,
    /// `policy:rule (rule 17)`, or what a built-in rule means.
    pub by: String,
}

/// What the tables of a host hold about a case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TableSays {
    pub host: String,
    /// `EPOCH.NUMBER` that is in its kernel.
    pub applied: String,
    /// All that was compared is as it should be.
    pub agrees: bool,
    /// What they say, for people.
    pub says: String,
}

/// A host that did not say what its tables hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Unanswered {
    pub host: String,
    pub reason: String,
}
