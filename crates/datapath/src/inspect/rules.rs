//! Rules of the firewall that keep the tunnel's packets out.

use std::process::{Command, Stdio};

/// A rule of somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropRule {
    /// As in `nft list table …`: its family and name.
    pub table: String,
    pub chain: String,
    /// As nft prints it, its handle included; `policy drop` for a chain that lets nothing by.
    pub rule: String,
}

/// Where the kernel asks about packets for the host itself, or before it knows whom they are for.
const HOOKS: [&str; 3] = ["hook input", "hook prerouting", "hook ingress"];

/// The rules of this host that drop what comes to the port; none when they cannot be listed.
pub(super) fn dropping(port: u16) -> Vec<DropRule> {
    let output = Command::new("nft")
        .args(["-a", "-n", "list", "ruleset"])
        .stderr(Stdio::null())
        .output();
    let Ok(output) = output else {
        return Vec::new();
    };
    choose(&String::from_utf8_lossy(&output.stdout), port)
}

/// 1. Rules that name the port and end with a drop or a refusal.
/// 2. Chains that drop what no rule of their table lets in, when none names the port.
///
/// What a rule says about other fields is not weighed: whoever reads it can.
fn choose(ruleset: &str, port: u16) -> Vec<DropRule> {
    let (mut found, mut strict) = (Vec::new(), Vec::new());
    let (mut table, mut chain) = (String::new(), String::new());
    let mut admitting: Vec<String> = Vec::new();
    for line in ruleset.lines().map(str::trim) {
        if let Some(name) = opens(line, "table ") {
            (table, chain) = (name, String::new());
        } else if let Some(name) = opens(line, "chain ") {
            chain = name;
        } else if chain.is_empty() || table == "inet contiv" {
            continue;
        } else if line.starts_with("type ") {
            let here = HOOKS.iter().any(|hook| line.contains(hook));
            if here && line.contains("policy drop") {
                strict.push((table.clone(), chain.clone()));
            }
        } else if names(line, port) {
            let (rule, _) = line.split_once(" # ").unwrap_or((line, ""));
            let verdict = |words: &[&str]| rule.split_whitespace().any(|w| words.contains(&w));
            if verdict(&["drop", "reject"]) {
                found.push(DropRule {
                    table: table.clone(),
                    chain: chain.clone(),
                    rule: line.to_owned(),
                });
            } else if verdict(&["accept"]) {
                admitting.push(table.clone());
            }
        }
    }
    let closed = strict.into_iter().filter(|(t, _)| !admitting.contains(t));
    found.extend(closed.map(|(table, chain)| DropRule {
        table,
        chain,
        rule: "policy drop".to_owned(),
    }));
    found
}

/// The name of a block that begins.
fn opens(line: &str, kind: &str) -> Option<String> {
    let rest = line.strip_prefix(kind)?;
    let (name, _) = rest.split_once(" {")?;
    Some(name.to_owned())
}

/// Whether a rule is about UDP packets to the port, by itself or among others.
fn names(rule: &str, port: u16) -> bool {
    let Some((before, rest)) = rule.split_once("dport ") else {
        return false;
    };
    if before.trim_end().ends_with("tcp") {
        return false;
    }
    let ports = match rest.strip_prefix("{ ").and_then(|set| set.split_once(" }")) {
        Some((set, _)) => set.split(", ").collect(),
        None => rest.split_whitespace().take(1).collect::<Vec<_>>(),
    };
    ports.into_iter().any(|text| match text.split_once('-') {
        Some((first, last)) => {
            let within = |first: u16, last: u16| (first..=last).contains(&port);
            first
                .parse()
                .and_then(|first| last.parse().map(|last| within(first, last)))
                .unwrap_or_default()
        }
        None => text.parse() == Ok(port),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &str) -> Vec<(String, String)> {
        let found = choose(lines, 4789).into_iter();
        found
            .map(|drop| (format!("{} {}", drop.table, drop.chain), drop.rule))
            .collect()
    }

    #[test]
    fn rules_that_drop_the_port_are_found_with_their_place() {
        let ruleset = "table ip filter { # handle 1\n\tchain INPUT { # handle 2\n\
            \t\ttype filter hook input priority filter; policy accept;\n\
            \t\tudp dport 53 drop # handle 3\n\
            \t\ttcp dport 4789 drop # handle 4\n\
            \t\tip saddr 10.0.0.1 udp dport 4789 counter packets 0 bytes 0 drop # handle 5\n\
            \t\tudp dport { 53, 4000-5000 } reject # handle 6\n\
            \t\tudp dport 4789 accept # handle 7\n\t}\n}\n\
            table inet contiv { # handle 9\n\tchain guard { # handle 1\n\
            \t\tudp dport 4789 drop # handle 8\n\t}\n}\n";
        let found = of(ruleset);
        let places: Vec<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!(places, ["ip filter INPUT", "ip filter INPUT"]);
        assert!(found[0].1.ends_with("handle 5") && found[1].1.ends_with("handle 6"));
    }

    #[test]
    fn a_chain_that_lets_nothing_in_is_found_unless_the_port_is_let_in() {
        let strict = |rule: &str| {
            format!(
                "table inet fw {{\n\tchain in {{\n\
                 \t\ttype filter hook input priority 0; policy drop;\n\t\t{rule}\n\t}}\n}}\n"
            )
        };
        assert_eq!(
            of(&strict("tcp dport 22 accept")),
            [("inet fw in".to_owned(), "policy drop".to_owned())]
        );
        assert!(of(&strict("udp dport 4789 accept")).is_empty());
        let forward = strict("").replace("hook input", "hook forward");
        assert!(of(&forward).is_empty());
        assert!(of("").is_empty());
    }
}
