use super::*;
use crate::mapped;

#[test]
fn both_directions_have_one_row() {
    let ends = [
        ([10, 0, 0, 1], 80),
        ([10, 0, 0, 2], 80),
        ([10, 0, 0, 1], 81),
    ];
    for (source, source_port) in ends {
        for (destination, destination_port) in ends {
            let key = FlowKey {
                tenant: 1,
                source: Words::new(mapped(source)),
                destination: Words::new(mapped(destination)),
                source_port,
                destination_port,
                protocol: 6,
            };
            assert_eq!(key.row(), key.reversed().row());
            let same_end = key == key.reversed();
            assert_eq!(key.is_turned() != key.reversed().is_turned(), !same_end);
        }
    }
}

#[test]
fn beginnings_have_half_of_a_share() {
    let (taken, room) = (
        Taken {
            rows: 60,
            crowded: 0,
        },
        Room {
            freed: 10,
            share: 100,
            unused: 0,
        },
    );
    assert!(!room.has_left(&taken, false) && room.has_left(&taken, true));
    let more = Room { freed: 11, ..room };
    assert!(more.has_left(&taken, false));
    let less = Room { share: 50, ..room };
    assert!(!less.has_left(&taken, true));
}

#[test]
fn of_two_hosts_each_counts_for_its_own_side() {
    const REMOTE: u32 = crate::endpoint::SLOTS;
    let counted = |opener: u32, accepter: u32, denied: bool| {
        let mut flow = Flow {
            opener_rule: 7,
            accepter_rule: 8,
            ..Flow::NONE
        };
        (flow.reply.slot, flow.forward.slot) = (opener, accepter);
        if !denied {
            let way = |slot| match slot {
                REMOTE => Flow::OVERLAY,
                _ => Flow::LOCAL,
            };
            (flow.reply.delivery, flow.forward.delivery) = (way(opener), way(accepter));
        }
        let rules = flow.rule_keys().map(|key| key.rule);
        (rules[1], rules[0])
    };
    assert_eq!(counted(1, 2, false), (7, 8));
    assert_eq!(counted(1, REMOTE, false), (7, 0));
    assert_eq!(counted(REMOTE, 2, false), (0, 8));
    assert_eq!(counted(1, REMOTE, true), (7, 8));
    assert_eq!(counted(REMOTE, 2, true), (0, 8));
}
