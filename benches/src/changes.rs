//! How long changes of large policies take through the data plane, and what rules weigh.

use std::sync::Arc;

use anyhow::{Context, Result};
use contiv_policy::{HostTables, TenantPolicy};

use crate::plan::Plan;
use crate::rules::{GROUP, Size, around, one_port};
use crate::section::{Line, Section};
use crate::site::{Site, Took};
use crate::suite::Bar;

/// Tenants of the site.
const LARGE: u32 = 2;
const WIDE: u32 = 3;

const RULES: usize = 10_000;

pub(crate) fn run(plan: &Plan) -> Result<Section> {
    let rounds = plan.rounds;
    let mut section = Section::new(
        "Changes of large policies",
        "Milliseconds through the data plane of a host, from a policy as plain values: compiled, \
         written into the kernel's tables, and put in force. The flip is the write from which on \
         packets meet the change; the whole includes the grace period and the tidying after it.",
    );
    let user = user_space(&Size::Rules(RULES).policy())?;
    let mut site = Site::new()?;
    let nothing = Size::Rules(0).policy();
    site.tenant(LARGE, nothing.clone())?;
    let before = site.policy_memory()?;
    let mut load = lines("10,000 rules, compiled and loaded", 200.0);
    for _ in 0..rounds {
        *site.policy(LARGE)? = Size::Rules(RULES).policy();
        note(&mut load, site.change(LARGE)?);
        let kernel = site.policy_memory()?;
        section.raw["kernel_bytes"] = kernel.saturating_sub(before).into();
        *site.policy(LARGE)? = nothing.clone();
        site.change(LARGE)?;
    }
    *site.policy(LARGE)? = Size::Rules(RULES).policy();
    site.change(LARGE)?;
    let mut one = lines("one rule of 10,000 changed", 5.0);
    for round in 0..2 * rounds {
        let policy = site.policy(LARGE)?;
        let mut rule = one_port(5_000);
        rule.priority = 60 + (round % 2) as u32;
        let at = policy.rules.iter().position(|r| r.number == rule.number);
        policy.rules[at.context("the rule is not there")?] = Arc::new(rule);
        note(&mut one, site.change(LARGE)?);
    }
    site.tenant(WIDE, Size::Prefixes(100_000).policy())?;
    let mut wide = lines("a rule on a /8 around 100,000 CIDRs comes", 50.0);
    let mut gone = lines("the same rule goes", 50.0);
    for _ in 0..rounds {
        site.policy(WIDE)?.rules.push(Arc::new(around(60_000)));
        note(&mut wide, site.change(WIDE)?);
        site.policy(WIDE)?.rules.pop();
        note(&mut gone, site.change(WIDE)?);
    }
    section.list("changes", "ms", &[load, one, wide, gone].concat());
    memory(&mut section, user)?;
    Ok(section)
}

fn lines(name: &str, bar: f64) -> [Line; 2] {
    [
        Line::new(format!("{name}: to the flip"), Some(Bar::AtMost(bar))),
        Line::new(format!("{name}: all of it"), None),
    ]
}

fn note(lines: &mut [Line; 2], took: Took) {
    lines[0].figures.push(took.flip);
    lines[1].figures.push(took.whole);
}

/// Bytes that the agent's process needs more for a policy: the policy as it is kept, and the tables
/// that changes are computed from.
fn user_space(policy: &TenantPolicy) -> Result<u64> {
    let before = resident()?;
    let kept = policy.clone();
    let mut tables = HostTables::after(0);
    drop(tables.prepare(GROUP, &kept)?);
    drop(tables.settle(GROUP));
    let after = resident()?;
    drop((kept, tables));
    Ok(after.saturating_sub(before))
}

fn resident() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line
        .and_then(|rest| rest.split_whitespace().next())
        .context("VmRSS")?
        .parse()?;
    Ok(kib * 1024)
}

fn memory(section: &mut Section, user: u64) -> Result<()> {
    let mut tables = HostTables::after(0);
    let rows = tables.prepare(GROUP, &Size::Rules(RULES).policy())?.write;
    let each = |bytes: u64| bytes as f64 / RULES as f64;
    let kernel = section.raw["kernel_bytes"].as_u64().unwrap_or(0);
    section.body.push_str(&format!(
        "Memory, a rule of 10,000: {:.0} bytes in the agent (the growth of a process that compiles \
         and keeps them), {:.0} bytes that the kernel's tables of policies grow by, for {:.2} rows a \
         rule. Hash tables are set aside in full when they are made and do not grow; those of \
         prefixes do.\n\n",
        each(user),
        each(kernel),
        rows.len() as f64 / RULES as f64,
    ));
    section.raw["user_bytes"] = user.into();
    section.raw["rows"] = rows.len().into();
    Ok(())
}
