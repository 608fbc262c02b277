use contiv_datapath_abi::policy::{Action, Direction, TCP, UDP};

use super::*;
use crate::{PolicyRule, PortRange};

fn term(number: u32, priority: u32, protocol: Option<u8>, ports: &[(u16, u16)]) -> Arc<Term> {
    let ports = ports.iter().map(|&(first, last)| PortRange { first, last });
    let rule = PolicyRule {
        priority,
        protocol,
        ports: ports.collect(),
        ..PolicyRule::new(number, "p", Direction::In, Action::Allow)
    };
    Arc::new(Term::new(&Arc::new(rule), 0))
}

fn at(priority: u8, number: u32) -> Decision {
    Decision::new(0, priority, Action::Allow, number)
}

#[test]
fn a_general_rule_that_wins_leaves_no_special_entry() {
    let terms = [
        term(20, 5, None, &[]),
        term(21, 3, Some(TCP), &[]),
        term(22, 4, Some(TCP), &[(80, 80)]),
        term(23, 9, Some(TCP), &[(443, 443)]),
        term(24, 2, Some(UDP), &[(53, 53)]),
    ];
    assert_eq!(
        *entries(terms.iter()).unwrap(),
        [
            (Selector::ALL, at(5, 20)),
            (Selector::protocol(TCP), at(5, 20).with_blocks(1)),
            (Selector::port(TCP, 443), at(9, 23)),
        ]
    );
    assert_eq!(entries([].iter()), None);
}

#[test]
fn smaller_blocks_include_the_larger_ones_around_them() {
    let terms = [
        term(20, 5, Some(TCP), &[(0, 4095)]),
        term(21, 3, Some(TCP), &[(16, 31)]),
        term(22, 7, Some(TCP), &[(256, 511)]),
        term(23, 6, Some(TCP), &[(300, 300), (5000, 5000)]),
    ];
    assert_eq!(
        *entries(terms.iter()).unwrap(),
        [
            (Selector::protocol(TCP), Decision::NONE.with_blocks(0b1101)),
            (Selector::block(TCP, 0, 3), at(5, 20)),
            (Selector::block(TCP, 256, 2), at(7, 22)),
            (Selector::port(TCP, 5000), at(6, 23)),
        ]
    );
}
