//! The kinds of objects, as REST and as netctl know them.

use serde_json::{Value, json};

use crate::master::{Answer, Master};

/// A kind of object.
pub(crate) struct Noun {
    /// In paths.
    pub(crate) plural: &'static str,
    /// Fields of the key, in order.
    pub(crate) key: &'static [&'static str],
    /// The command that makes one.
    pub(crate) command: &'static [&'static str],
    /// Fields and their flags, or their arguments, in order.
    pub(crate) places: &'static [(&'static str, &'static str)],
}

pub(crate) const TENANT: Noun = Noun {
    plural: "tenants",
    key: &["tenantName"],
    command: &["tenant", "create"],
    places: &[("tenantName", "TENANT")],
};

pub(crate) const NETWORK: Noun = Noun {
    plural: "networks",
    key: &["tenantName", "networkName"],
    command: &["network", "create", "--no-wait"],
    places: &[
        ("networkName", "NETWORK"),
        ("tenantName", "--tenant"),
        ("nwType", "--nw-type"),
        ("encap", "--encap"),
        ("pktTag", "--pkt-tag"),
        ("subnet", "--subnet"),
        ("gateway", "--gateway"),
        ("ipv6Subnet", "--subnetv6"),
        ("ipv6Gateway", "--gatewayv6"),
        ("cfgdTag", "--nw-tag"),
    ],
};

pub(crate) const GROUP: Noun = Noun {
    plural: "endpointGroups",
    key: &["tenantName", "groupName"],
    command: &["group", "create", "--no-wait"],
    places: &[
        ("networkName", "NETWORK"),
        ("groupName", "GROUP"),
        ("tenantName", "--tenant"),
        ("policies", "--policy"),
        ("ipPool", "--ip-pool"),
        ("cfgdTag", "--epg-tag"),
    ],
};

pub(crate) const POLICY: Noun = Noun {
    plural: "policys",
    key: &["tenantName", "policyName"],
    command: &["policy", "create"],
    places: &[("policyName", "POLICY"), ("tenantName", "--tenant")],
};

pub(crate) const RULE: Noun = Noun {
    plural: "rules",
    key: &["tenantName", "policyName", "ruleId"],
    command: &["policy", "rule-add"],
    places: &[
        ("policyName", "POLICY"),
        ("ruleId", "RULE_ID"),
        ("tenantName", "--tenant"),
        ("priority", "--priority"),
        ("direction", "--direction"),
        ("fromEndpointGroup", "--from-group"),
        ("toEndpointGroup", "--to-group"),
        ("fromNetwork", "--from-network"),
        ("toNetwork", "--to-network"),
        ("fromIpAddress", "--from-ip-address"),
        ("toIpAddress", "--to-ip-address"),
        ("protocol", "--protocol"),
        ("port", "--port"),
        ("action", "--action"),
    ],
};

pub(crate) const GLOBAL: Noun = Noun {
    plural: "globals",
    key: &["name"],
    command: &["global", "set"],
    places: &[
        ("networkInfraType", "--fabric-mode"),
        ("vlans", "--vlan-range"),
        ("vxlans", "--vxlan-range"),
        ("fwdMode", "--fwd-mode"),
        ("arpMode", "--arp-mode"),
        ("pvtSubnet", "--private-subnet"),
    ],
};

/// The fields of `base` with those of `change` put in.
pub(crate) fn with(base: &Value, change: &Value) -> Value {
    let mut object = base.clone();
    for (name, value) in change.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

impl Noun {
    /// Makes the object through REST.
    #[track_caller]
    pub(crate) fn accept(&self, master: &Master, object: &Value) {
        let answer = self.put(master, object);
        assert_eq!(answer.status, 200, "{object}: {answer:?}");
    }

    /// Makes the object through REST, looks at it, and deletes it.
    #[track_caller]
    pub(crate) fn accept_for_a_moment(&self, master: &Master, object: &Value) {
        self.accept(master, object);
        assert_eq!(self.get(master, object).status, 200, "{object}");
        self.delete(master, object);
    }

    /// Sends the object both ways. Each time it is refused, and nothing changes.
    #[track_caller]
    pub(crate) fn refuse(&self, master: &Master, object: &Value, (status, field): (u16, &str)) {
        let before = self.get(master, object).body;
        let answer = self.put(master, object);
        let seen = (answer.status, answer.body["field"].as_str().unwrap_or(""));
        assert_eq!(seen, (status, field), "{object}: {answer:?}");
        let message = answer.body["error"].as_str().unwrap();
        assert!(message.len() > field.len() + 10, "{object}: {message}");
        assert_eq!(self.get(master, object).body, before, "{object}");
        self.refuse_by_netctl(master, object, field);
        assert_eq!(self.get(master, object).body, before, "{object}");
    }

    /// Sends the object by netctl, which exits with the code of a refusal and names the flag.
    #[track_caller]
    fn refuse_by_netctl(&self, master: &Master, object: &Value, field: &str) {
        let run = master.netctl(&self.words(object));
        let place = self.places.iter().find(|(name, _)| *name == field);
        match (run.code, place) {
            // What needs no master to see is a usage error.
            (1, _) => assert!(run.complaint.contains("netctl: "), "{object}: {run:?}"),
            (3, Some((_, place))) => assert!(run.complaint.contains(place), "{object}: {run:?}"),
            (3, None) => {}
            _ => panic!("{object}: {run:?}"),
        }
    }

    pub(crate) fn put(&self, master: &Master, object: &Value) -> Answer {
        master.call("POST", &self.path(object), object)
    }

    pub(crate) fn get(&self, master: &Master, object: &Value) -> Answer {
        master.call("GET", &self.path(object), &Value::Null)
    }

    pub(crate) fn inspect(&self, master: &Master, object: &Value) -> Value {
        let path = format!("inspect/{}", self.path(object));
        master.call("GET", &path, &Value::Null).body
    }

    #[track_caller]
    pub(crate) fn delete(&self, master: &Master, object: &Value) {
        let answer = self.try_delete(master, object);
        assert_eq!(answer.status, 200, "{object}: {answer:?}");
    }

    pub(crate) fn try_delete(&self, master: &Master, object: &Value) -> Answer {
        master.call("DELETE", &self.path(object), &Value::Null)
    }

    /// Deletion is refused, as it stands against what exists; the object stays.
    #[track_caller]
    pub(crate) fn refuse_deletion(&self, master: &Master, object: &Value, because: &str) {
        let answer = self.try_delete(master, object);
        assert_eq!(answer.status, 409, "{object}: {answer:?}");
        let message = answer.body["error"].as_str().unwrap();
        assert!(message.contains(because), "{message}");
        assert_eq!(self.get(master, object).status, 200, "{object}");
        let names = &self.key[usize::from(self.key.len() > 1)..];
        let names = names.iter().map(|name| text(&object[*name]));
        let mut words = vec![self.command[0].to_owned(), "rm".to_owned()];
        words.extend(names);
        let run = master.netctl(&words);
        assert_eq!(run.code, 3, "{object}: {run:?}");
        assert!(run.complaint.contains(because), "{run:?}");
    }

    pub(crate) fn path(&self, object: &Value) -> String {
        let names: Vec<String> = self.key.iter().map(|name| text(&object[*name])).collect();
        format!("{}/{}/", self.plural, escape(&names.join(":")))
    }

    /// The command line that makes the object.
    fn words(&self, object: &Value) -> Vec<String> {
        let mut words: Vec<String> = self.command.iter().map(|&word| word.to_owned()).collect();
        let mut arguments = vec!["--".to_owned()];
        for (field, place) in self.places {
            let values = match &object[*field] {
                Value::Null => continue,
                Value::Array(values) => values.clone(),
                value => vec![value.clone()],
            };
            for value in values.iter().map(text) {
                match place.starts_with("--") {
                    true => words.push(format!("{place}={value}")),
                    false => arguments.push(value),
                }
            }
        }
        if arguments.len() > 1 {
            words.append(&mut arguments);
        }
        words
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

fn escape(segment: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:".contains(&b);
    let escape = |b: u8| match plain(b) {
        true => char::from(b).to_string(),
        false => format!("%{b:02X}"),
    };
    segment.bytes().map(escape).collect()
}

/// A policy, a network and a group of tenant `default`.
pub(crate) fn policy(name: &str) -> Value {
    json!({"tenantName": "default", "policyName": name})
}

pub(crate) fn network(name: &str, subnet: &str) -> Value {
    json!({"tenantName": "default", "networkName": name, "encap": "vxlan", "subnet": subnet})
}

pub(crate) fn group(name: &str, network: &str) -> Value {
    json!({"tenantName": "default", "groupName": name, "networkName": network})
}
