//! Spans of time, as people write them.

use std::time::Duration;

/// A number with a unit after it: `90s`, `30m`, `1h`, `7d`; seconds without one. Not zero.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "s" | "" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => 0,
    };
    let number: u64 = digits.parse().unwrap_or_default();
    match number.checked_mul(unit) {
        Some(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds)),
        _ => Err("give a number with s, m, h or d after it, such as 1h".into()),
    }
}
