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
