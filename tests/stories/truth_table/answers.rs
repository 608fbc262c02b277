//! Answers beside those that were expected.

use std::collections::BTreeMap;

use contiv_testbed::Reach;

/// An answer that is not the expected one.
#[derive(Debug)]
pub(super) struct Miss {
    pub(super) from: String,
    pub(super) to: String,
    /// Protocol, port and family.
    pub(super) what: String,
    pub(super) is: Reach,
}

/// What is open and should not be, and the other way round.
type Wrong<'a> = (Vec<&'a str>, Vec<String>);

/// A line for each pair: what should be open and is not, and what is open and should not be.
pub(super) fn table(misses: &[Miss]) -> String {
    let mut lines: BTreeMap<(&str, &str), Wrong<'_>> = BTreeMap::new();
    for miss in misses {
        let (open, other) = lines.entry((&miss.from, &miss.to)).or_default();
        match miss.is {
            Reach::Open => open.push(&miss.what),
            Reach::Filtered => other.push(miss.what.clone()),
            strange => other.push(format!("{} ({strange:?})", miss.what)),
        }
    }
    let mut table =
        String::from("  from → to          | open, should not be  | not open, should be\n");
    for ((from, to), (open, other)) in lines {
        let pair = format!("{from} → {to}");
        let (open, other) = (open.join(" "), other.join(" "));
        table.push_str(&format!("  {pair:<18} | {open:<20} | {other}\n"));
    }
    table
}
