//! The loads must measure what is there, and say so when nothing is. They need root.

use super::*;
use crate::path;

const SHORT: Duration = Duration::from_millis(200);

#[test]
fn every_load_gets_a_figure_from_a_path_and_from_the_same_again() {
    let ends = path::veth().unwrap();
    for load in Load::ALL.into_iter().chain(Load::ALL) {
        assert!(load.run(&ends, SHORT).unwrap() > 0.0, "{load:?}");
    }
}

#[test]
fn a_path_has_an_mtu() {
    let bridge = path::bridge().unwrap();
    bridge.ends.client.ip("link set eth0 mtu 1400").unwrap();
    assert_eq!(path::mtu(&bridge.ends).unwrap(), 1400);
}

#[test]
fn a_path_that_leads_nowhere_is_an_error_and_not_a_figure() {
    let ends = path::veth().unwrap();
    ends.server.ip("link set left down").unwrap();
    let tcp = Load::Connect.run(&ends, SHORT).unwrap_err();
    assert!(format!("{tcp:#}").contains("connect"), "{tcp:#}");
    let udp = Load::Datagram.run(&ends, SHORT).unwrap_err();
    assert!(
        format!("{udp:#}").contains("no datagram arrived"),
        "{udp:#}"
    );
}
