//! Files of declared objects: read, or refused with a line of the file.

#![no_main]

use libfuzzer_sys::fuzz_target;
use netctl::documents::{Source, read};

fuzz_target!(|text: &str| {
    let source = Source {
        name: "file".to_owned(),
        text: text.to_owned(),
    };
    match read(&source) {
        Ok(documents) => {
            for document in documents {
                drop(document.wrong("ruleId", "is wrong"));
            }
        }
        Err(wrong) => {
            assert!(wrong.line >= 1 && wrong.document >= 1);
            assert!(!wrong.message.is_empty());
        }
    }
});
