//! Rules as tables: the columns of the original, and others only for rules that need them.

use contiv_model::object::Rule;

use crate::output::Rows;

/// A title, and what a rule has to say below it.
type Column = (&'static str, fn(&Rule) -> String);

pub(super) fn tables(rules: &[Rule]) -> String {
    let incoming = table(
        rules,
        "in",
        &["From EndpointGroup", "From Network", "From IpAddress"],
    );
    let outgoing = table(rules, "out", &["To EndpointGroup", "To Network"]);
    format!("Incoming Rules:\n{incoming}Outgoing Rules:\n{outgoing}")
}

fn table(rules: &[Rule], direction: &str, peer: &[&str]) -> Rows {
    let shown = || {
        rules
            .iter()
            .filter(|rule| (rule.direction == "in") == (direction == "in"))
    };
    let more: [Column; 3] = [
        ("Icmp", icmp),
        ("Options", options),
        ("Description", |rule| rule.description.clone()),
    ];
    let needed = |(_, cell): &Column| shown().any(|r| !cell(r).is_empty());
    let more: Vec<_> = more.into_iter().filter(needed).collect();
    let mut header = vec!["Rule", "Priority"];
    header.extend(peer);
    header.extend(["To IpAddress", "Protocol", "Port", "Action"]);
    header.extend(more.iter().map(|(title, _)| *title));
    let mut rows = Rows::new(&header);
    for rule in shown() {
        let mut cells = vec![rule.rule_id.clone(), rule.priority.to_string()];
        cells.extend(match direction {
            "in" => vec![
                rule.from_endpoint_group.clone(),
                rule.from_network.clone(),
                addresses(&rule.from_ip_address, &rule.from_ip_except),
            ],
            _ => vec![rule.to_endpoint_group.clone(), rule.to_network.clone()],
        });
        cells.extend([
            addresses(&rule.to_ip_address, &rule.to_ip_except),
            rule.protocol.clone(),
            match rule.ports.as_str() {
                "" => rule.port.to_string(),
                ports => ports.to_owned(),
            },
            rule.action.clone(),
        ]);
        cells.extend(more.iter().map(|(_, cell)| cell(rule)));
        rows.add_cells(cells);
    }
    rows
}

fn addresses(listed: &str, exceptions: &str) -> String {
    match exceptions {
        "" => listed.to_owned(),
        exceptions => format!("{listed} except {exceptions}"),
    }
}

fn icmp(rule: &Rule) -> String {
    match (rule.icmp_type, rule.icmp_code) {
        (None, _) => String::new(),
        (Some(kind), None) => format!("type {kind}"),
        (Some(kind), Some(code)) => format!("type {kind} code {code}"),
    }
}

fn options(rule: &Rule) -> String {
    let all = [
        (rule.log, "log"),
        (rule.keep_established, "keep-established"),
    ];
    let set = all.into_iter().filter(|(set, _)| *set);
    set.map(|(_, word)| word).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: &str) -> Rule {
        Rule {
            rule_id: id.into(),
            priority: 1,
            direction: "in".into(),
            action: "allow".into(),
            ..Rule::default()
        }
    }

    #[test]
    fn plain_rules_have_the_columns_of_the_original() {
        let text = tables(&[rule("1")]);
        assert_eq!(
            text.lines().nth(1).unwrap(),
            "Rule  Priority  From EndpointGroup  From Network  From IpAddress  To IpAddress  \
             Protocol  Port  Action"
        );
        assert!(text.contains(
            "Outgoing Rules:\nRule  Priority  To EndpointGroup  To Network  \
                               To IpAddress  Protocol  Port  Action\n"
        ));
    }

    #[test]
    fn what_a_rule_says_besides_has_columns_of_its_own() {
        let full = Rule {
            from_ip_address: "10.0.0.0/8".into(),
            from_ip_except: "10.9.0.0/16".into(),
            protocol: "icmp".into(),
            icmp_type: Some(8),
            log: true,
            keep_established: true,
            ..rule("2")
        };
        let many = Rule {
            ports: "80,443".into(),
            ..rule("3")
        };
        let text = tables(&[full, many]);
        for words in [
            "Action  Icmp    Options",
            "10.0.0.0/8 except 10.9.0.0/16",
            "type 8  log,keep-established",
            "80,443",
        ] {
            assert!(text.contains(words), "{words}:\n{text}");
        }
    }
}
