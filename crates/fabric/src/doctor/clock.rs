//! Whether a host's clock is the master's.

use contiv_model::doctor::Finding;

/// Differences that are told, and that are errors, in milliseconds.
const TOLD: u64 = 1_000;
const WRONG: u64 = 30_000;

/// Judges what a host's clock said between two moments of the master's, in milliseconds.
pub fn clock(host: &str, asked: u64, said: u64, answered: u64) -> Finding {
    let (off, way) = if said < asked {
        (asked - said, "behind")
    } else {
        (said.saturating_sub(answered), "ahead of")
    };
    let what = format!(
        "its clock is {}.{} s {way} the master's",
        off / 1_000,
        off % 1_000 / 100
    );
    let remedy = "have all hosts and masters follow one time server (chrony, systemd-timesyncd); \
                  certificates are refused and times of events are wrong meanwhile";
    let finding = match off {
        0..TOLD => Finding::ok("clock", "its clock is the master's, within a second"),
        TOLD..WRONG => Finding::warning("clock", what, remedy),
        _ => Finding::error("clock", what, remedy),
    };
    finding.on(host)
}

#[cfg(test)]
mod tests {
    use contiv_model::doctor::Severity;

    use super::*;

    #[test]
    fn a_clock_is_wrong_only_beyond_the_time_that_the_answer_took() {
        let judged = |said| clock("h", 100_000, said, 104_000).severity;
        for said in [100_000, 102_000, 104_000, 104_999, 99_001] {
            assert_eq!(judged(said), Severity::Ok, "{said}");
        }
        assert_eq!(judged(105_000), Severity::Warning);
        assert_eq!(judged(99_000), Severity::Warning);
        assert_eq!(judged(134_000), Severity::Error);
        assert_eq!(judged(0), Severity::Error);
        let behind = clock("h", 100_000, 97_500, 100_000).what;
        assert!(behind.contains("2.5 s behind"), "{behind}");
    }
}
