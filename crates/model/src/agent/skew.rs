//! Masters and hosts of different versions: what each makes of the other's words.
//!
//! Fields, kinds of objects, messages and questions that one side does not know are left out by
//! it, and fields that it misses have defaults. So a change of the messages that only adds such
//! needs no new version. One that takes something away, or gives a known field new words, does:
//! then both sides speak the earlier version until all are upgraded, masters first.

use super::{HostObject, ObjectKind, Register, StreamMessage};

/// The latest version of these messages.
pub const STREAM_VERSION: u32 = 1;
/// The earliest one that this build speaks, too.
const OLDEST: u32 = 1;

/// The versions of the messages that one side speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    pub oldest: u32,
    pub latest: u32,
}

impl Versions {
    /// Those of this build.
    pub const OURS: Versions = Versions {
        oldest: OLDEST,
        latest: STREAM_VERSION,
    };

    /// Those of an agent, by its first words.
    pub fn of_agent(register: &Register) -> Versions {
        let latest = register.stream_version;
        Versions {
            oldest: register.oldest_stream_version.unwrap_or(latest).min(latest),
            latest,
        }
    }

    /// The version in which a master of these and an agent of those speak with each other, or
    /// why there is none and what helps.
    pub fn agree(self, agent: Versions) -> Result<u32, String> {
        let version = self.latest.min(agent.latest);
        if version >= self.oldest && version >= agent.oldest {
            return Ok(version);
        }
        let remedy = if agent.latest < self.oldest {
            "upgrade the agent, through each minor version between"
        } else {
            "upgrade the masters first, or install an agent of the masters' version"
        };
        Err(format!(
            "the agent speaks {agent} of the stream and this master {self}: {remedy}"
        ))
    }
}

impl std::fmt::Display for Versions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.oldest == self.latest {
            return write!(f, "version {}", self.latest);
        }
        write!(f, "versions {} to {}", self.oldest, self.latest)
    }
}

impl StreamMessage {
    /// Leaves out what only a later version knows; says how much that was.
    pub fn forget_unknown(&mut self) -> usize {
        let known = |object: &HostObject| !matches!(object, HostObject::Unknown);
        match self {
            StreamMessage::Snapshot { objects, .. } => {
                let before = objects.len();
                objects.retain(known);
                before - objects.len()
            }
            StreamMessage::Change { put, delete, .. } => {
                let before = put.len() + delete.len();
                put.retain(known);
                delete.retain(|object| object.kind != ObjectKind::Unknown);
                before - put.len() - delete.len()
            }
            StreamMessage::Bookmark { .. } => 0,
            StreamMessage::Unknown => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn speaks(oldest: u32, latest: u32) -> Versions {
        Versions { oldest, latest }
    }

    #[test]
    fn one_version_apart_agrees_on_the_earlier_one_whoever_is_later() {
        for (master, agent, version) in [
            (speaks(1, 1), speaks(1, 1), 1),
            (speaks(1, 2), speaks(1, 1), 1),
            (speaks(1, 1), speaks(1, 2), 1),
            (speaks(2, 3), speaks(3, 4), 3),
        ] {
            assert_eq!(master.agree(agent), Ok(version), "{master} {agent}");
        }
    }

    #[test]
    fn further_apart_is_refused_with_both_versions_and_the_way_out() {
        let why = speaks(3, 4).agree(speaks(1, 2)).unwrap_err();
        assert!(
            why.contains("versions 1 to 2") && why.contains("versions 3 to 4"),
            "{why}"
        );
        assert!(why.contains("upgrade the agent"), "{why}");
        let why = speaks(1, 1).agree(speaks(2, 3)).unwrap_err();
        assert!(
            why.contains("version 1:") && why.contains("masters first"),
            "{why}"
        );
    }

    #[test]
    fn an_agent_that_names_one_version_speaks_that_one() {
        let register = serde_json::json!({"streamVersion": 7, "agentVersion": "", "bootId": "",
            "taken": []});
        let register: Register = serde_json::from_value(register).unwrap();
        assert_eq!(Versions::of_agent(&register), speaks(7, 7));
    }
}
