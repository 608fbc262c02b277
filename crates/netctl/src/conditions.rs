//! The conditions of an object, read from its inspect document.

use contiv_model::inspect::Condition;
use serde::Deserialize;
use serde_json::Value;

/// What is waited for: a condition that has a status, or the object's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Condition { kind: String, status: bool },
    Deleted,
}

impl std::str::FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        // kubectl's spelling is in many fingers.
        let text = text.strip_prefix("condition=").unwrap_or(text);
        if text.eq_ignore_ascii_case("deleted") || text.eq_ignore_ascii_case("delete") {
            return Ok(Target::Deleted);
        }
        let (kind, status) = text.split_once('=').unwrap_or((text, "true"));
        let status = status.to_ascii_lowercase().parse();
        match (kind, status) {
            ("", _) => Err("name a condition, such as Ready, or deleted".into()),
            (_, Err(_)) => Err("the status of a condition is true or false".into()),
            (kind, Ok(status)) => Ok(Target::Condition {
                kind: kind.to_owned(),
                status,
            }),
        }
    }
}

/// The conditions of an inspect document; none when it has none.
pub(crate) fn conditions(document: &Value) -> Vec<Condition> {
    let list = document
        .pointer("/Oper/conditions")
        .and_then(Value::as_array);
    let read = |value: &Value| Condition::deserialize(value).ok();
    list.map(|list| list.iter().filter_map(read).collect())
        .unwrap_or_default()
}

/// Whether the conditions of `kind` meet the wish: all hosts' for true, any host's for false.
/// A kind that the object does not have meets nothing.
pub(crate) fn is_met(conditions: &[Condition], kind: &str, status: bool) -> bool {
    let mut same = conditions
        .iter()
        .filter(|c| c.kind.eq_ignore_ascii_case(kind))
        .peekable();
    match (same.peek(), status) {
        (None, _) => false,
        (_, true) => same.all(|c| c.status),
        (_, false) => same.any(|c| !c.status),
    }
}

/// The conditions in one line, for the message of a wait in vain.
pub(crate) fn summary(conditions: &[Condition]) -> String {
    if conditions.is_empty() {
        return "it has no conditions".into();
    }
    let one = |c: &Condition| {
        let host = if c.host.is_empty() {
            String::new()
        } else {
            format!(" on {}", c.host)
        };
        let message = if c.message.is_empty() {
            String::new()
        } else {
            format!(" ({})", c.message)
        };
        format!("{}={}{host}{message}", c.kind, c.status)
    };
    conditions.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn targets_are_a_kind_a_status_or_the_end() {
        let condition = |kind: &str, status| Target::Condition {
            kind: kind.into(),
            status,
        };
        for (text, target) in [
            ("Ready", condition("Ready", true)),
            ("condition=Ready", condition("Ready", true)),
            ("NameTaken=false", condition("NameTaken", false)),
            ("deleted", Target::Deleted),
            ("delete", Target::Deleted),
        ] {
            assert_eq!(text.parse::<Target>().unwrap(), target, "{text}");
        }
        assert!("".parse::<Target>().is_err());
        assert!("Ready=perhaps".parse::<Target>().is_err());
    }

    #[test]
    fn a_condition_of_several_hosts_is_met_when_all_say_so() {
        let document = json!({"Oper": {"conditions": [
            {"type": "Realised", "status": true, "host": "h1"},
            {"type": "Realised", "status": false, "host": "h2", "message": "taken"},
            {"type": "Ready", "status": true},
        ]}});
        let conditions = conditions(&document);
        assert!(is_met(&conditions, "ready", true));
        assert!(!is_met(&conditions, "Realised", true));
        assert!(is_met(&conditions, "Realised", false));
        assert!(!is_met(&conditions, "Unheard", true) && !is_met(&conditions, "Unheard", false));
        assert!(summary(&conditions).contains("Realised=false on h2 (taken)"));
    }
}
