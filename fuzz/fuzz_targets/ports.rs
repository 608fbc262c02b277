//! Lists of ports: what is read is printed so that it is read again.

#![no_main]

use contiv_model::parsed::Ports;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(ports) = Ports::parse("ports", text) {
        assert_eq!(Ports::parse("ports", &ports.to_string()), Ok(ports));
    }
});
