//! Nothing in the repository knows one particular machine.

use crate::{files, none, text};

/// Beginnings of paths that exist on somebody's machine only, and hosts that a build may not name.
/// Written in two halves, so that this file does not complain about itself.
const FORBIDDEN: [(&str, &str); 6] = [
    ("/wo", "rk/"),
    ("/ho", "me/"),
    ("/fa", "rm/"),
    ("/Us", "ers/"),
    ("deb.debian", ".org"),
    ("static.crates", ".io"),
];

#[test]
fn no_file_names_a_machine() {
    let mut complaints = Vec::new();
    for file in files().iter().filter(|file| !file.ends_with("Cargo.lock")) {
        for (number, line) in text(file).lines().enumerate() {
            for (first, second) in FORBIDDEN {
                let word = format!("{first}{second}");
                // A path of that name may still be a part of another, such as src/wo…rk/.
                let hit = line.match_indices(&word).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    !word.starts_with('/')
                        || !before.is_some_and(|c| c.is_alphanumeric() || c == '.')
                });
                if hit {
                    complaints.push(format!("{}:{}: {word}", file.display(), number + 1));
                }
            }
        }
    }
    none(&complaints);
}

#[test]
fn unfinished_work_is_not_committed() {
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
    ];
    let mut complaints = Vec::new();
    for file in files()
        .iter()
        .filter(|file| file.extension().is_some_and(|ext| ext == "rs"))
    {
        for (number, line) in text(file).lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                complaints.push(format!(
                    "{}:{}: {}",
                    file.display(),
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    none(&complaints);
}
