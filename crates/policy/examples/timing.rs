//! How long compiling takes: `cargo run --release -p contiv-policy --example timing`.

#![allow(clippy::print_stdout, reason = "it is what the example is for")]

use std::sync::Arc;
use std::time::Instant;

use contiv_model::agent::AddressRange;
use contiv_policy::{Action, Direction, HostTables, PolicyRule, TenantPolicy};

fn main() -> Result<(), contiv_policy::PolicyError> {
    let ports = (0..10_000u32).map(|n| PolicyRule {
        protocol: Some(6),
        ports: vec![(n as u16 + 1).into()],
        ..rule(16 + n)
    });
    let mut changed = rule(16 + 5_000);
    changed.protocol = Some(6);
    changed.ports = vec![60_000.into()];
    measure("10,000 ports", ports.collect(), changed)?;

    let prefixes = (0..10_000u32).map(|n| PolicyRule {
        peer_addresses: vec![slash(0x0a00_0000 | n << 8, 24)],
        protocol: Some(6),
        ports: vec![443.into()],
        ..rule(16 + n)
    });
    let changed = PolicyRule {
        peer_addresses: vec![slash(0x0b00_0000, 24)],
        ..rule(16 + 5_000)
    };
    measure("10,000 prefixes", prefixes.collect(), changed)?;

    let groups = (0..10_000u32).map(|n| PolicyRule {
        peer_group: Some(1 + n % 5_000),
        ports: vec![(n as u16 % 7 + 80).into()],
        ..rule(16 + n)
    });
    let changed = PolicyRule {
        peer_group: Some(77),
        action: Action::Deny,
        ..rule(16 + 5_000)
    };
    measure("10,000 groups", groups.collect(), changed)?;

    let many = (0..100_000u32).map(|n| slash(0x0a00_0000 | n << 7, 25));
    let one = PolicyRule {
        peer_addresses: many.collect(),
        ..rule(16)
    };
    let around = PolicyRule {
        peer_addresses: vec![slash(0x0a00_0000, 8)],
        action: Action::Deny,
        ..rule(17)
    };
    measure("a /8 around 100,000 CIDRs of one rule", vec![one], around)?;

    let many = (0..100_000u32).map(|n| PolicyRule {
        peer_addresses: vec![slash(0x0a00_0000 | n << 7, 25)],
        ..rule(16 + n)
    });
    let around = PolicyRule {
        peer_addresses: vec![slash(0x0a00_0000, 8)],
        action: Action::Deny,
        ..rule(200_000)
    };
    measure(
        "a /8 around 100,000 CIDRs, a rule each",
        many.collect(),
        around,
    )
}

fn rule(number: u32) -> PolicyRule {
    PolicyRule {
        priority: 1 + number % 100,
        ..PolicyRule::new(number, "p", Direction::In, Action::Allow)
    }
}

fn slash(address: u32, bits: u32) -> AddressRange {
    AddressRange {
        first: std::net::Ipv4Addr::from_bits(address).into(),
        last: std::net::Ipv4Addr::from_bits(address | u32::MAX >> bits).into(),
    }
}

/// Compiles all, puts one rule in, and takes it out again.
fn measure(
    what: &str,
    rules: Vec<PolicyRule>,
    changed: PolicyRule,
) -> Result<(), contiv_policy::PolicyError> {
    let policy = TenantPolicy {
        groups: (1..=10)
            .map(|group| (group, ["p".to_owned()].into()))
            .collect(),
        rules: rules.into_iter().map(Arc::new).collect(),
        ..TenantPolicy::default()
    };
    let mut next = policy.clone();
    next.rules.retain(|rule| rule.number != changed.number);
    next.rules.push(Arc::new(changed));
    // As an agent has it that builds every rule anew.
    for rule in &mut next.rules {
        *rule = Arc::new(PolicyRule::clone(rule));
    }
    let mut host = HostTables::after(0);
    let start = Instant::now();
    let build = host.prepare(1, &policy)?;
    println!(
        "{what}: all in {:.2?}, {} rows",
        start.elapsed(),
        build.write.len()
    );
    host.settle(1);
    for (step, policy) in [("one put", &next), ("and taken back", &policy)] {
        let start = Instant::now();
        let build = host.prepare(1, policy)?;
        let prepared = start.elapsed();
        let settling = host.settle(1);
        println!(
            "  {step} in {prepared:.2?}, {} rows, settled in {:.2?}, {} written, {} deleted",
            build.write.len(),
            start.elapsed() - prepared,
            settling.write.len(),
            settling.delete.len()
        );
    }
    Ok(())
}
