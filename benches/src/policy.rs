//! Contiv's side of the comparison: a network, a group, and a policy of a hundred rules.

use std::time::Duration;

use anyhow::{Result, ensure};
use contiv_testbed::{Stack, wait_for};
use serde_json::{Value, json};

use crate::load::Load;
use crate::start;

/// How many rules the policy has.
pub(crate) const RULES: usize = 100;

/// The group, which is the name of its Docker network as well.
pub(crate) const GROUP: &str = "bench-group";

/// How long the host may take to hold the rules.
const LIMIT: Duration = Duration::from_secs(10);

const POLICY: &str = "bench-policy";

/// Makes network, policy and group, and waits until the host holds them.
pub(crate) fn apply(stack: &Stack) -> Result<()> {
    stack.netctl("net create bench-net --subnet=10.60.0.0/16 --gateway=10.60.255.254")?;
    stack.netctl(&format!("policy create {POLICY}"))?;
    stack.netctl(&format!("group create bench-net {GROUP} --policy {POLICY}"))?;
    for (number, rule) in rules().iter().enumerate() {
        let target = format!("/api/v1/rules/default:{POLICY}:{}/", number + 1);
        let reply = stack.api("POST", &target, Some(rule))?;
        let (status, text) = (reply.status, reply.text);
        ensure!(status < 300, "{target}: {status} {text}");
    }
    wait_for(LIMIT, "the host to hold the rules", || -> Result<()> {
        let stored = stack.metric(false, "contiv_netmaster_revision")?;
        let applied = stack.metric(true, "contiv_netplugin_applied_revision")?;
        ensure!(
            stored > RULES as f64 && applied >= stored,
            "it holds revision {applied} of {stored}"
        );
        Ok(())
    })
}

/// All is denied both ways, the ports of the loads are open within the group, and the rest is what
/// a grown policy holds: single ports, subnets, both actions, spread over the priorities.
fn rules() -> Vec<Value> {
    let mut rules = Vec::with_capacity(RULES);
    for direction in ["in", "out"] {
        rules.push(json!({ "direction": direction, "priority": 1, "action": "deny" }));
        let peer = match direction {
            "in" => "fromEndpointGroup",
            _ => "toEndpointGroup",
        };
        let ports = Load::ALL.map(|load| (load == Load::Datagram, load.port()));
        for (is_udp, port) in ports.into_iter().chain([(false, start::PORT)]) {
            let protocol = if is_udp { "udp" } else { "tcp" };
            rules.push(json!({
                "direction": direction, "priority": 50, "action": "allow",
                "protocol": protocol, "port": port, peer: GROUP,
            }));
        }
    }
    for number in rules.len()..RULES {
        let (direction, peer) = match number % 2 {
            0 => ("in", "fromIpAddress"),
            _ => ("out", "toIpAddress"),
        };
        rules.push(json!({
            "direction": direction,
            "priority": 2 + number % 40,
            "action": if number % 3 == 0 { "deny" } else { "allow" },
            "protocol": if number % 5 == 0 { "udp" } else { "tcp" },
            "port": 8000 + number,
            peer: format!("10.{number}.0.0/{}", 16 + number % 9),
        }));
    }
    for (number, rule) in rules.iter_mut().enumerate() {
        let id = (number + 1).to_string();
        rule["key"] = format!("default:{POLICY}:{id}").into();
        rule["tenantName"] = "default".into();
        rule["policyName"] = POLICY.into();
        rule["ruleId"] = id.into();
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_a_hundred_rules_with_ids_of_their_own() {
        let rules = rules();
        let ids: std::collections::BTreeSet<_> = rules
            .iter()
            .map(|rule| rule["ruleId"].to_string())
            .collect();
        assert_eq!((rules.len(), ids.len()), (RULES, RULES));
    }

    #[test]
    fn every_load_is_allowed_both_ways_above_the_general_deny() {
        let rules = rules();
        for load in Load::ALL {
            let open = rules.iter().filter(|rule| rule["port"] == load.port());
            let ways: Vec<_> = open
                .map(|rule| (&rule["action"], &rule["priority"]))
                .collect();
            assert_eq!(ways.len(), 2, "{load:?}");
            assert!(
                ways.iter().all(|(action, priority)| {
                    *action == "allow" && priority.as_u64() > Some(42)
                })
            );
        }
    }
}
