use contiv_datapath_abi::policy::{Action, Direction, TCP};

use super::*;
use crate::{PolicyRule, TenantPolicy, compile};

/// Group 1 with policy `p`, group 2 with policy `q`; a rule per port in each.
fn policy(p: &[u16], q: &[u16]) -> CompiledPolicy {
    let rules = |policy: &'static str, first, ports: &[u16]| {
        let numbers = first..;
        numbers
            .zip(ports.to_vec())
            .map(move |(number, port)| PolicyRule {
                number,
                policy: policy.to_owned(),
                id: number.to_string(),
                direction: Direction::In,
                order: 0,
                priority: 1,
                action: Action::Deny,
                peer_group: None,
                peer_addresses: vec![],
                own_addresses: vec![],
                protocol: Some(TCP),
                port: Some(port),
            })
    };
    let policy = TenantPolicy {
        groups: [(1, ["p".to_owned()].into()), (2, ["q".to_owned()].into())].into(),
        rules: rules("p", 100, p).chain(rules("q", 200, q)).collect(),
    };
    compile(&policy).unwrap()
}

#[test]
fn what_did_not_change_is_not_written_again() {
    let mut host = HostTables::after(0);
    let (first, rows) = host.install(&policy(&[1, 2, 3], &[4]));
    assert_eq!((rows.subjects.len(), rows.decisions.len()), (2, 4));

    let (second, rows) = host.install(&policy(&[1, 2, 3], &[4, 5]));
    assert_eq!(
        (rows.subjects.len(), rows.decisions.len()),
        (2, 2),
        "only q's profile is new"
    );

    let removed = host.remove(first);
    assert_eq!(
        (removed.subjects.len(), removed.decisions.len()),
        (2, 1),
        "q's old profile goes"
    );
    assert_eq!(host.remove(first), Rows::default());
    assert_eq!(host.remove(second).len(), 2 + 3 + 2);
}

#[test]
fn a_build_that_failed_is_undone_by_its_removal() {
    let mut host = HostTables::after(0);
    let (_, mut kernel) = host.install(&policy(&[1], &[2]));
    let before = kernel.clone();
    let (failed, rows) = host.install(&policy(&[1], &[2, 3]));
    kernel.add(rows);
    kernel.remove(&host.remove(failed));
    assert_eq!(kernel, before);
}

#[test]
fn numbers_of_a_predecessor_are_not_met() {
    let (root, rows) = HostTables::after(41).install(&policy(&[1], &[2]));
    assert_eq!(root, 42);
    assert!(rows.decisions.keys().all(|key| key.profile > 41));
    assert!(
        rows.subjects
            .values()
            .all(|subject| subject.receiving.set > 41)
    );
}

#[test]
fn roots_wrap_past_those_in_use() {
    let mut host = HostTables::after(u32::MAX);
    let (first, _) = host.install(&policy(&[1], &[]));
    assert_eq!(first, 1);
    host.last_root = u32::MAX;
    assert_eq!(host.install(&policy(&[2], &[])).0, 2);
}
