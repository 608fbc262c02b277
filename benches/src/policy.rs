//! Contiv's side of the comparison: in each of two tenants a network, a group, and a policy, of a
//! hundred rules and of a thousand.

use std::time::Duration;

use anyhow::{Result, ensure};
use contiv_testbed::{Stack, wait_for};
use serde_json::{Value, json};

use crate::load::Load;
use crate::start;

/// Tenants, and how many rules the policy of each has.
const TENANTS: [(&str, usize); 2] = [("default", 100), ("thousand", 1_000)];

/// The group, which is the name of its Docker network as well.
pub(crate) const GROUP: &str = "bench-group";

/// The Docker network of the group with very many rules.
pub(crate) const GROUP_OF_THOUSAND: &str = "bench-group/thousand";

/// How long the host may take to hold the rules.
const LIMIT: Duration = Duration::from_secs(30);

const POLICY: &str = "bench-policy";

/// Makes networks, policies and groups, and waits until the host holds them.
pub(crate) fn apply(stack: &Stack) -> Result<()> {
    for (tenant, count) in TENANTS {
        if tenant != "default" {
            stack.netctl(&format!("tenant create {tenant}"))?;
        }
        let network = "--subnet=10.60.0.0/16 --gateway=10.60.255.254";
        stack.netctl(&format!("net create -t {tenant} bench-net {network}"))?;
        stack.netctl(&format!("policy create -t {tenant} {POLICY}"))?;
        stack.netctl(&format!(
            "group create -t {tenant} bench-net {GROUP} --policy {POLICY}"
        ))?;
        for (number, rule) in rules(tenant, count).iter().enumerate() {
            let target = format!("/api/v1/rules/{tenant}:{POLICY}:{}/", number + 1);
            let reply = stack.api("POST", &target, Some(rule))?;
            let (status, text) = (reply.status, reply.text);
            ensure!(status < 300, "{target}: {status} {text}");
        }
    }
    wait_for(LIMIT, "the host to hold the rules", || -> Result<()> {
        let stored = stack.metric(false, "contiv_netmaster_revision")?;
        let applied = stack.metric(true, "contiv_netplugin_applied_revision")?;
        ensure!(
            stored > 1_000.0 && applied >= stored,
            "it holds revision {applied} of {stored}"
        );
        Ok(())
    })
}

/// All is denied both ways, the ports of the loads are open within the group, and the rest is what
/// a grown policy holds: single ports, subnets, both actions, spread over the priorities.
fn rules(tenant: &str, count: usize) -> Vec<Value> {
    let mut rules = Vec::with_capacity(count);
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
    for number in rules.len()..count {
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
            peer: match number {
                0..256 => format!("10.{number}.0.0/{}", 16 + number % 9),
                _ => format!("10.{}.{}.0/24", number % 256, number / 256),
            },
        }));
    }
    for (number, rule) in rules.iter_mut().enumerate() {
        let id = (number + 1).to_string();
        rule["key"] = format!("{tenant}:{POLICY}:{id}").into();
        rule["tenantName"] = tenant.into();
        rule["policyName"] = POLICY.into();
        rule["ruleId"] = id.into();
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_a_thousand_rules_with_ids_of_their_own() {
        let rules = rules("thousand", 1_000);
        let ids: std::collections::BTreeSet<_> = rules
            .iter()
            .map(|rule| rule["ruleId"].to_string())
            .collect();
        assert_eq!((rules.len(), ids.len()), (1_000, 1_000));
    }

    #[test]
    fn every_load_is_allowed_both_ways_above_the_general_deny() {
        let rules = rules("default", 100);
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
