//! What a master asks a host, and what the host answers.
//!
//! Hosts take no connections, so a host keeps `GET questions` open to every master it knows: each
//! line is an [`Asked`], and empty ones say that the master is there. It answers with
//! `POST answers/{id}`. A kind of question that the host does not know yet is answered with
//! [`Answer::Failed`], and one of answer that the master does not know counts as such.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Action, Revision};
use crate::doctor::Finding;

/// A question with the id under which its answer is awaited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub id: String,
    pub question: Question,
}

/// What a master wants to know of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Question {
    /// What the kernel's tables say about a connection that begins.
    Opening(OpeningQuestion),
    /// How the host is, and its ways to the others.
    Doctor(DoctorQuestion),
    /// Of a later version.
    #[serde(other)]
    Unknown,
}

/// What a host says to a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Answer {
    Opening(OpeningAnswer),
    Doctor(DoctorAnswer),
    /// It could not be answered.
    Failed {
        reason: String,
    },
    /// Of a later version.
    #[serde(other)]
    Unknown,
}

/// A connection that begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpeningQuestion {
    /// The tenant's number.
    pub tenant: u32,
    pub from: IpAddr,
    pub to: IpAddr,
    /// Opened by the host, or through it: `from` is then no endpoint's.
    #[serde(default)]
    pub by_host: bool,
    pub protocol: u8,
    /// The destination port; of an ICMP query its type and code, the type in the higher byte.
    pub port: u16,
}

/// What the tables of a host hold about a connection that begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OpeningAnswer {
    /// Everything up to this revision is in the kernel.
    pub applied: Revision,
    /// Where its packets go: `local`, `host`, or a later version's word; empty when they are
    /// dropped.
    pub delivery: String,
    /// Why they are dropped, policy apart: the name of a reason as in counters.
    pub reason: String,
    /// The sender's outgoing policy, where it is asked.
    pub sending: Option<TableVerdict>,
    /// The receiver's incoming policy, where it is asked.
    pub receiving: Option<TableVerdict>,
}

/// What the policy tables say about one side of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableVerdict {
    /// The subject's and the peer's groups, by the host's rows of endpoints; 0 for none.
    pub group: u32,
    pub peer_group: u32,
    pub action: Action,
    pub rule: u32,
    #[serde(default)]
    pub log: bool,
    #[serde(default)]
    pub keep: bool,
    /// What it would be with staged policies, when that is something else.
    #[serde(default)]
    pub staged: Option<TableOutcome>,
}

/// An action and the rule that decides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableOutcome {
    pub action: Action,
    pub rule: u32,
}

/// How a host is to be examined.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DoctorQuestion {
    /// What can be repaired is.
    pub fix: bool,
    /// Hosts that it is to reach, besides those that it knows.
    pub peers: Vec<Peer>,
}

/// Another host, and where it takes what is for its endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    pub name: String,
    pub tunnel: IpAddr,
}

/// What a host found on itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DoctorAnswer {
    /// Its clock when it answered, in milliseconds since 1970.
    pub clock: u64,
    pub findings: Vec<Finding>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_later_version_asks_is_a_question_all_the_same() {
        let asked = json!({"id": "7", "question": {"kind": "weather", "where": "here"}});
        let asked: Asked = serde_json::from_value(asked).unwrap();
        assert_eq!(asked.question, Question::Unknown);
        let answer: Answer = serde_json::from_value(json!({"kind": "weather"})).unwrap();
        assert_eq!(answer, Answer::Unknown);
    }

    #[test]
    fn an_answer_may_leave_out_what_it_does_not_know() {
        let answer: Answer = serde_json::from_value(json!({"kind": "opening"})).unwrap();
        assert_eq!(answer, Answer::Opening(OpeningAnswer::default()));
    }

    #[test]
    fn a_question_is_read_as_it_was_written() {
        let question = Question::Opening(OpeningQuestion {
            tenant: 1,
            from: "10.1.0.1".parse().unwrap(),
            to: "10.1.0.2".parse().unwrap(),
            by_host: true,
            protocol: 6,
            port: 80,
        });
        let text = serde_json::to_string(&question).unwrap();
        assert_eq!(serde_json::from_str::<Question>(&text).unwrap(), question);
    }
}
