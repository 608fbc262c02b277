use contiv_datapath_abi::Words;

use super::*;

fn key(source_port: u16, destination_port: u16) -> FlowKey {
    FlowKey {
        tenant: 1,
        source: Words([0, 0, 0, 1]),
        destination: Words([0, 0, 0, 2]),
        source_port,
        destination_port,
        protocol: 6,
    }
}

fn directions() -> (OldFlow, OldFlow) {
    let forward = OldFlow {
        generation: 7,
        sender: 11,
        target: 12,
        slot: 22,
        seen: 100,
        delivery: Flow::LOCAL,
        flags: Flow::ROUTED,
        ..OldFlow::default()
    };
    let reply = OldFlow {
        sender: 12,
        target: 11,
        slot: 21,
        flags: Flow::ROUTED | REPLY,
        ..forward
    };
    (forward, reply)
}

#[test]
fn both_directions_become_one_row_that_knows_who_began() {
    let (forward, reply) = directions();
    for key in [key(40_000, 80), key(80, 40_000)] {
        let flow = connection(&key, &forward, &reply).unwrap();
        assert_eq!(flow.opened(&key.row()), key);
        let turned = key.is_turned();
        assert_eq!(flow.way(turned).target, 12, "the way of who began");
        assert_eq!(flow.way(!turned).target, 11);
        assert_eq!(flow.origin(turned), 21);
        assert_eq!(flow.flags & Flow::ROUTED, Flow::ROUTED);
        assert_ne!(flow.generation, 7, "it is judged anew");
    }
}

#[test]
fn what_has_ended_or_never_was_is_left_behind() {
    let (forward, reply) = directions();
    let key = key(40_000, 80);
    assert_eq!(
        connection(&key, &reply, &forward),
        None,
        "the other way round"
    );
    let denied = OldFlow {
        delivery: Flow::DENIED,
        ..forward
    };
    assert_eq!(connection(&key, &denied, &reply), None);
    let reset = OldFlow {
        tcp: Flow::TCP_RST,
        ..reply
    };
    assert_eq!(connection(&key, &forward, &reset), None);
    let half = OldFlow {
        tcp: Flow::TCP_FIN,
        ..reply
    };
    assert!(connection(&key, &forward, &half).is_some());
}
