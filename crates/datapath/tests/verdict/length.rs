//! How long the programs are, once the kernel has taken them.

use contiv_datapath_abi::programs;

use crate::frames::{Way, v4};
use crate::rig::{A, B, Rig, mac};

/// Instructions of a program with all functions that it calls, at most. Raise it knowingly: every
/// packet pays, though most of these are for packets that come seldom.
const LIMIT: u32 = 11_000;

/// Nanoseconds that an established packet takes in the program, at most: wide enough for a slow
/// machine that is busy, and far too little for a look-up per rule or a copy per packet.
const PATIENCE: u128 = 20_000;

#[test]
fn programs_stay_short() {
    let mut rig = Rig::new();
    for name in programs::ALL {
        let length = rig.length(name);
        println!("{name}: {length} instructions");
        assert!(
            (100..LIMIT).contains(&length),
            "{name}: {length} instructions"
        );
    }
}

#[test]
fn established_packets_are_quick() {
    let mut rig = Rig::new();
    let way = Way::new((mac(A), mac(B)), v4(10, 1, 1, 1), v4(10, 1, 1, 2));
    let udp = way.udp(1000, 53, &[0; 22]);
    let tcp = way.tcp(1000, 80, "A");
    for (name, frame) in [("UDP", &udp), ("TCP", &tcp)] {
        rig.passes(A, frame);
        let taken = rig.repeat(A, frame, 20_000).as_nanos();
        println!("{name}: {taken} ns a packet");
        assert!(taken < PATIENCE, "{name}: {taken} ns a packet");
    }
}
