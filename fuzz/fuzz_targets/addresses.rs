//! Sets of addresses with exceptions, separated by a semicolon: what is left is a part of
//! what was listed, without any exception.

#![no_main]

use contiv_model::parsed::Addresses;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (listed, exceptions) = text.split_once(';').unwrap_or((text, ""));
    let Ok(all) = Addresses::parse("fromIpAddress", listed) else {
        return;
    };
    let printed = all.to_string();
    assert_eq!(Addresses::parse("fromIpAddress", &printed), Ok(all.clone()));
    let names = (("fromIpAddress", listed), ("fromIpExcept", exceptions));
    let Ok(rest) = all.without(names.0, names.1) else {
        return;
    };
    assert_eq!(rest.is_empty(), all.is_empty());
    let rest = rest.to_string();
    // Each part of the rest lies inside of the whole: it could be excepted from it.
    if all.without(("whole", &printed), ("rest", &rest)).is_err() {
        assert_eq!(rest, printed, "only an exception of everything leaves nothing");
    }
});
