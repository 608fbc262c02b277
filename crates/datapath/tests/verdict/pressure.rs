//! More beginnings than the table has rows.

use contiv_datapath_abi::flow::{Flow, FlowKey};
use contiv_datapath_abi::maps;
use contiv_datapath_abi::policy::TCP;

use crate::frames::{Way, v4};
use crate::rig::{A, B, D, REDIRECTED, Rig, key, mac};

/// Beginnings of a flood.
const FLOOD: u32 = 10 * Rig::FLOWS;
/// What a tenant of these tests may have.
const SHARE: u32 = Rig::FLOWS / 2;
/// Connections that are to survive.
const ESTABLISHED: u16 = 100;
/// In the network of `D`.
const E: u32 = 6;

fn a_to_b() -> Way {
    Way::new((mac(A), mac(B)), v4(10, 1, 1, 1), v4(10, 1, 1, 2))
}

fn b_to_a() -> Way {
    Way::new((mac(B), mac(A)), v4(10, 1, 1, 2), v4(10, 1, 1, 1))
}

fn connection(port: u16) -> FlowKey {
    key(TCP, (v4(10, 1, 1, 1), port), (v4(10, 1, 1, 2), 80))
}

/// A whole handshake.
fn connect(rig: &mut Rig, port: u16) {
    rig.passes(A, &a_to_b().tcp(port, 80, "S"));
    rig.passes(B, &b_to_a().tcp(80, port, "SA"));
    rig.passes(A, &a_to_b().tcp(port, 80, "A"));
}

fn is_crowded(rig: &mut Rig, port: u16) -> bool {
    rig.flow(&connection(port)).unwrap().flags & Flow::CROWDED != 0
}

/// Begins many connections, none of which is answered.
fn flood(rig: &mut Rig, slot: u32, way: Way) {
    for number in 0..FLOOD {
        let ports = (
            2_000 + (number % 60_000) as u16,
            100 + (number / 60_000) as u16,
        );
        let action = rig.send(slot, &way.tcp(ports.0, ports.1, "S")).0;
        assert_eq!(action, REDIRECTED, "{number}");
    }
}

/// Every established connection has its row and is still one, in both directions.
fn survive(rig: &mut Rig) {
    for port in 1_000..1_000 + ESTABLISHED {
        assert!(!is_crowded(rig, port), "{port}");
        let flow = rig.flow(&connection(port)).unwrap();
        assert!(flow.is_answered(), "{port}");
        rig.passes(B, &b_to_a().tcp(80, port, "A"));
        rig.passes(A, &a_to_b().tcp(port, 80, "A"));
    }
}

#[test]
fn connections_survive_a_flood_of_beginnings() {
    let mut rig = Rig::new();
    rig.endpoint(E, (2, 11, 0), [10, 1, 1, 2], None);
    for port in 1_000..1_000 + ESTABLISHED {
        connect(&mut rig, port);
    }
    // Of another tenant, which has a share of its own.
    let other = Way::new((mac(D), mac(E)), v4(10, 1, 1, 1), v4(10, 1, 1, 2));
    flood(&mut rig, D, other);
    survive(&mut rig);
    connect(&mut rig, 500);
    assert!(
        !is_crowded(&mut rig, 500),
        "its tenant is not under pressure"
    );
    assert_eq!(rig.taken(1).crowded, 0);
    assert!(rig.taken(2).rows <= u64::from(SHARE / 2));

    // Of the same tenant, and the same endpoint.
    flood(&mut rig, A, a_to_b());
    survive(&mut rig);
    for tenant in [1, 2] {
        let taken = rig.taken(tenant);
        let flooded = u64::from(FLOOD - SHARE / 2);
        assert!(taken.rows <= u64::from(SHARE / 2), "{taken:?}");
        assert!(taken.crowded >= flooded, "{taken:?}");
    }
    let rows = rig.flows(maps::FLOWS).len() as u64;
    assert_eq!(rows, rig.taken(1).rows + rig.taken(2).rows);
    let crowd = rig.flows(maps::CROWD).len();
    assert!(crowd <= Rig::CROWD as usize, "{crowd} in the crowd");

    // What begins now begins in the crowd, and leaves it once it is a connection.
    rig.passes(A, &a_to_b().tcp(501, 80, "S"));
    assert!(is_crowded(&mut rig, 501));
    rig.passes(B, &b_to_a().tcp(80, 501, "SA"));
    assert!(is_crowded(&mut rig, 501), "half a handshake");
    rig.passes(A, &a_to_b().tcp(501, 80, "A"));
    assert!(!is_crowded(&mut rig, 501));
    flood(&mut rig, A, a_to_b());
    survive(&mut rig);
    rig.passes(B, &b_to_a().tcp(80, 501, "A"));
}

#[test]
fn a_tenant_without_room_still_has_connections() {
    let mut rig = Rig::new();
    connect(&mut rig, 1_000);
    rig.share(1, 1);
    connect(&mut rig, 1_001);
    assert!(is_crowded(&mut rig, 1_001));
    assert!(!is_crowded(&mut rig, 1_000));
    rig.passes(B, &b_to_a().tcp(80, 1_001, "A"));
    rig.share(1, 4);
    rig.passes(A, &a_to_b().tcp(1_001, 80, "A"));
    assert!(!is_crowded(&mut rig, 1_001), "there is room again");
    // Nobody takes room with answers that end what has not begun.
    rig.share(1, 2);
    rig.passes(A, &a_to_b().tcp(1_002, 80, "S"));
    rig.passes(B, &b_to_a().tcp(80, 1_002, "R"));
    rig.share(1, 10);
    rig.passes(A, &a_to_b().tcp(1_002, 80, "A"));
    assert!(is_crowded(&mut rig, 1_002));
}
