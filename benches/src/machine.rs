//! What the figures were read on.

use std::process::Command;

use contiv_testbed::Stack;

use crate::programs::root;

/// Lines of the report, each a word and what it says.
pub(crate) fn describe(stack: Option<&Stack>) -> Vec<(&'static str, String)> {
    let engine = stack.and_then(|stack| stack.engine.api_ok("GET", "/version", None).ok());
    let engine = engine.map(|doc| doc["Version"].as_str().unwrap_or("unknown").to_owned());
    let commit = || {
        let at = say(
            "git",
            &[
                "-C",
                &root().to_string_lossy(),
                "rev-parse",
                "--short=12",
                "HEAD",
            ],
        );
        let changed = say(
            "git",
            &["-C", &root().to_string_lossy(), "status", "--porcelain"],
        );
        if changed.is_empty() {
            at
        } else {
            format!("{at} and uncommitted changes")
        }
    };
    vec![
        (
            "date",
            jiff::Timestamp::now()
                .strftime("%Y-%m-%d %H:%M UTC")
                .to_string(),
        ),
        (
            "Contiv",
            format!("{}, commit {}", env!("CARGO_PKG_VERSION"), commit()),
        ),
        ("compiler", say("rustc", &["--version"])),
        ("engine", engine.unwrap_or_else(|| "not used".to_owned())),
        ("kernel", say("uname", &["-srm"])),
        ("processor", processor()),
        ("memory", memory()),
        ("load before the run", load()),
    ]
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        let values = lines.filter(|(key, _)| key.trim() == name);
        values.map(|(_, value)| value.trim().to_owned()).collect()
    };
    let models = field("model name");
    let model = models.first().map_or("unknown", String::as_str);
    format!("{model}, {} cores", field("processor").len())
}

fn memory() -> String {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib: Option<f64> = total.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    kib.map_or_else(
        || "unknown".to_owned(),
        |kib| format!("{:.0} GiB", kib / 1024.0 / 1024.0),
    )
}

/// Processes that wanted to run in the last minute: others than ours widen every interval.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("unknown").to_owned()
}

/// What a command prints; a report is worth more with a gap than not at all.
fn say(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_else(|_| "unknown".to_owned())
}
