//! A rule as a client sends it: parsed, or refused with a field that it has.

#![no_main]

use contiv_model::object::Rule;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(rule) = serde_json::from_slice::<Rule>(data) else {
        return;
    };
    match rule.parse() {
        Err(refused) => assert!(!refused.field.is_empty() && !refused.message.is_empty()),
        // What is accepted is accepted again after a way through the store.
        Ok(parsed) => {
            let stored = serde_json::to_vec(&rule).expect("a rule can be written");
            let read: Rule = serde_json::from_slice(&stored).expect("and read again");
            assert_eq!(read.parse(), Ok(parsed));
        }
    }
});
