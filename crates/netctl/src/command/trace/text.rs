//! An explanation for people; its last line is the verdict.

use std::fmt::{self, Write};

use contiv_model::reach::{Pair, Party, TableSays, Trace, TraceCase, TraceOutcome, TraceSide};

/// Ranges of a case that are shown.
const RANGES: usize = 8;

pub(super) fn lines(trace: &Trace) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    write_trace(&mut text, trace).ok();
    text.chars()
        .map(|c| if c.is_control() && c != '\n' { '?' } else { c })
        .collect()
}

fn write_trace(text: &mut String, trace: &Trace) -> fmt::Result {
    writeln!(
        text,
        "{} -> {}, {}, tenant {}, revision {}",
        party(&trace.from),
        party(&trace.to),
        trace.packets,
        trace.tenant_name,
        trace.revision
    )?;
    let several = trace.cases.len() > 1;
    for (index, case) in trace.cases.iter().enumerate() {
        writeln!(text)?;
        if several {
            let number = index + 1;
            writeln!(
                text,
                "case {number} of {}: {}",
                trace.cases.len(),
                alike(case)
            )?;
        }
        writeln!(text, "from {} to {}", case.from, case.to)?;
        write_case(text, case)?;
        if several {
            writeln!(text, "  verdict: {}", verdict(case))?;
        }
    }
    writeln!(text)?;
    for silent in &trace.unanswered {
        writeln!(
            text,
            "!!! host {} did not tell what its tables hold: {}",
            silent.host, silent.reason
        )?;
    }
    if !trace.cut.is_empty() {
        writeln!(text, "not shown: {}", trace.cut)?;
    }
    if trace.disagrees {
        writeln!(
            text,
            "!!! THE TABLES OF A HOST SAY SOMETHING ELSE THAN WHAT IS CONFIGURED !!!"
        )?;
    }
    match &trace.cases[..] {
        [only] => {
            if !only.staged.is_empty() {
                writeln!(text, "with staged policies in force: {}", only.staged)?;
            }
            writeln!(text, "verdict: {}", verdict(only))
        }
        _ => writeln!(text, "verdict: {} on the addresses", trace.verdict),
    }
}

fn write_case(text: &mut String, case: &TraceCase) -> fmt::Result {
    writeln!(text, "  path")?;
    for step in &case.path {
        writeln!(text, "    {step}")?;
    }
    for (name, side) in [("sender", &case.sending), ("receiver", &case.receiving)] {
        if let Some(side) = side {
            write_side(text, name, side)?;
        }
    }
    if !case.tables.is_empty() {
        writeln!(text, "  tables in the kernel")?;
    }
    for says in &case.tables {
        writeln!(text, "    {}", tables(says))?;
    }
    Ok(())
}

fn write_side(text: &mut String, name: &str, side: &TraceSide) -> fmt::Result {
    let group = match side.group_name.as_str() {
        "" => "no group",
        group => group,
    };
    writeln!(
        text,
        "  {name}: {group}, rules of direction {}",
        side.direction
    )?;
    let mut elsewhere = 0;
    for tier in &side.tiers {
        writeln!(text, "    tier {}", tier.tier)?;
        for policy in &tier.policies {
            let staged = if policy.staged { ", staged" } else { "" };
            writeln!(
                text,
                "      policy {}, order {}{staged}",
                policy.policy_name, policy.order
            )?;
            for rule in &policy.rules {
                if rule.why == OTHER_DIRECTION {
                    elsewhere += 1;
                    continue;
                }
                writeln!(
                    text,
                    "        {}: {}, priority {}: {}",
                    rule.rule_id, rule.action, rule.priority, rule.why
                )?;
            }
        }
    }
    if elsewhere > 0 {
        writeln!(text, "    and {elsewhere} of the other direction")?;
    }
    writeln!(text, "    => {}", outcome(&side.outcome))?;
    match &side.staged {
        Some(staged) => writeln!(text, "    => staged: {}", outcome(staged)),
        None => Ok(()),
    }
}

/// Rules that have no say on this side, however they are meant.
const OTHER_DIRECTION: &str = "no: the other direction";

fn outcome(outcome: &TraceOutcome) -> String {
    format!("{} by {}", outcome.action, outcome.by)
}

fn tables(says: &TableSays) -> String {
    let TableSays {
        host,
        applied,
        agrees,
        says,
    } = says;
    match agrees {
        true => format!("host {host}, revision {applied}: as configured: {says}"),
        false => format!("!!! host {host}, revision {applied}: SOMETHING ELSE: {says}"),
    }
}

fn verdict(case: &TraceCase) -> String {
    match case.reason.as_str() {
        "" => case.verdict.clone(),
        reason => format!("{} ({reason})", case.verdict),
    }
}

fn alike(case: &TraceCase) -> String {
    let one = |Pair { from, to }: &Pair| format!("{from} to {to}");
    let mut ranges: Vec<String> = case.addresses.iter().take(RANGES).map(one).collect();
    let left = case.addresses.len().saturating_sub(RANGES);
    if left > 0 {
        ranges.push(format!("{left} more"));
    }
    ranges.join(", ")
}

fn party(party: &Party) -> String {
    let what = match party.kind.as_str() {
        "group" => return format!("group {}", party.name),
        "host" if party.host.is_empty() => return "host".to_owned(),
        "host" => format!("host {}", party.host),
        "endpoint" if party.group_name.is_empty() => "no group".to_owned(),
        "endpoint" => format!("group {}", party.group_name),
        "address" => format!("nobody's in network {}", party.network_name),
        kind => kind.to_owned(),
    };
    let name = match party.name.as_str() {
        "" => &party.asked,
        name => name,
    };
    match party.addresses.join(", ") {
        addresses if addresses == *name => format!("{name} ({what})"),
        addresses => format!("{name} ({addresses}; {what})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace() -> Trace {
        let says = |agrees| TableSays {
            host: "h1".into(),
            applied: "1.7".into(),
            agrees,
            says: "receiving allow".into(),
        };
        Trace {
            packets: "tcp port 80".into(),
            cases: vec![TraceCase {
                verdict: "deny".into(),
                tables: vec![says(true), says(false)],
                ..TraceCase::default()
            }],
            verdict: "deny".into(),
            disagrees: true,
            ..Trace::default()
        }
    }

    #[test]
    fn the_last_line_is_the_verdict() {
        assert_eq!(lines(&trace()).lines().last(), Some("verdict: deny"));
        let mut several = trace();
        several.cases.push(TraceCase::default());
        several.verdict = "depends".into();
        let text = lines(&several);
        assert_eq!(
            text.lines().last(),
            Some("verdict: depends on the addresses")
        );
    }

    #[test]
    fn a_disagreement_cannot_be_overlooked() {
        let text = lines(&trace());
        let loud: Vec<&str> = text.lines().filter(|line| line.contains("!!!")).collect();
        assert_eq!(loud.len(), 2, "{text}");
        assert!(loud[1].starts_with("!!! THE TABLES OF A HOST"), "{text}");
    }
}
