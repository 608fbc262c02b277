//! What happened to single packets and connections, in names.

use std::net::IpAddr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Events of one host, the oldest first and without a gap.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EventBatch {
    /// Changes when the agent starts, which then counts its events from 0.
    pub life: String,
    /// The number of the first one. A master that has heard of fewer has missed some, since a
    /// host keeps only so many; one that has heard of more has them already.
    pub first: u64,
    /// In the place of one whose kind only a later version knows is one of kind `lost`.
    #[serde(deserialize_with = "known_events")]
    pub events: Vec<FabricEvent>,
}

fn known_events<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<FabricEvent>, D::Error> {
    let all = Vec::<Value>::deserialize(from)?.into_iter();
    let event = |mut event: Value| {
        let kind = event.get("kind").and_then(Value::as_str);
        if kind.is_some_and(|kind| EventKind::from_name(kind).is_none()) {
            event["kind"] = EventKind::Lost.name().into();
            event["suppressed"] = 1.into();
        }
        FabricEvent::deserialize(event).map_err(D::Error::custom)
    };
    all.map(event).collect()
}

/// What an event is about.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// A packet was dropped.
    #[default]
    Drop,
    /// A rule with `log` decided about a connection.
    Log,
    /// Staged policies would decide otherwise about a connection.
    Staged,
    /// Something of ours was taken away on the host by somebody else, and put back.
    Repair,
    /// Events of the host did not reach this master; `suppressed` says how many.
    Lost,
}

impl EventKind {
    /// All that hosts tell of.
    pub const ALL: [EventKind; 5] = [
        EventKind::Drop,
        EventKind::Log,
        EventKind::Staged,
        EventKind::Repair,
        EventKind::Lost,
    ];

    /// As in documents, and for labels of metrics.
    pub const fn name(self) -> &'static str {
        match self {
            EventKind::Drop => "drop",
            EventKind::Log => "log",
            EventKind::Staged => "staged",
            EventKind::Repair => "repair",
            EventKind::Lost => "lost",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<EventKind> {
        EventKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One event, with the names that things had when it happened. What is not known is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FabricEvent {
    /// `HOST.LIFE.NUMBER`, which masters make of the batch: the same at each of them.
    pub id: String,
    /// Milliseconds since 1970.
    pub time: u64,
    /// Where it happened.
    pub host: String,
    pub kind: EventKind,
    /// Why a packet was dropped, as in the endpoints' counters of drops: `policy-in`,
    /// `spoofed-address`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// With `repair`: what was taken away, and what became of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// What became of it, or with `staged` would have: `allow` or `deny`.
    pub verdict: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tenant: String,
    /// Who sent the packet.
    pub from: EventEnd,
    /// Who was to get it.
    pub to: EventEnd,
    /// As in the IP header.
    pub protocol: u8,
    /// The rule that decided, `tenant:policy:rule`, or words for one that is built in.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub rule: String,
    /// Its number; 0 for none.
    #[serde(skip_serializing_if = "is_zero")]
    pub rule_number: u32,
    /// Whose rules decided: `sender` or `receiver`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub side: String,
    /// Bytes of the packet.
    pub length: u32,
    /// The packet answers the connection's first one.
    #[serde(skip_serializing_if = "is_false")]
    pub reply: bool,
    /// The connection is not new: policy has changed, and it was judged again.
    #[serde(skip_serializing_if = "is_false")]
    pub again: bool,
    /// Events of the same endpoint and kind before this one that were counted and not told.
    #[serde(skip_serializing_if = "is_none")]
    pub suppressed: u64,
}

/// One end of what an event is about. Without an endpoint it is the host or the world.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct EventEnd {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// TCP and UDP. The receiver's of an ICMP query: its type above eight bits of its code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The endpoint's id.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub endpoint: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub container: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub network: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// The host that the endpoint is on.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub host: String,
}

impl EventEnd {
    /// Whether `text` names this end: part of its endpoint's id, or its container's name.
    pub fn is_named(&self, text: &str) -> bool {
        (!self.endpoint.is_empty() && self.endpoint.contains(text)) || self.container == text
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}

fn is_none(value: &u64) -> bool {
    *value == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_the_name_that_documents_show() {
        for kind in EventKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert_eq!(EventKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(EventKind::from_name("loud"), None);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let event = FabricEvent::default();
        let text = serde_json::to_string(&event).unwrap();
        assert!(
            !text.contains("rule") && !text.contains("suppressed"),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<FabricEvent>(&text).unwrap(), event);
    }
}
