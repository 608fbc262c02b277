//! Flags in the spelling of old scripts.
//!
//! The original took a long flag behind a single dash as well: `-subnet=…`,
//! `-tag x`, `-s6 …`. A single-dash word whose name is a long flag of the
//! command at hand gets its second dash here; clusters of short flags, such as
//! `-aq`, stay as they are.

use std::ffi::OsString;

use clap::Command;

/// Spells every known single-dash long flag with two dashes.
pub(crate) fn normalise(mut root: Command, arguments: Vec<OsString>) -> Vec<OsString> {
    root.build();
    let mut command = &root;
    let mut arguments = arguments.into_iter();
    let mut out: Vec<OsString> = arguments.next().into_iter().collect();
    for argument in arguments.by_ref() {
        let Some(text) = argument.to_str() else {
            out.push(argument);
            continue;
        };
        if text == "--" {
            out.push(argument);
            break;
        }
        if let Some(sub) = command.find_subcommand(text) {
            command = sub;
        }
        match text
            .strip_prefix('-')
            .filter(|word| is_long_flag(command, word))
        {
            Some(word) => out.push(format!("--{word}").into()),
            None => out.push(argument),
        }
    }
    out.extend(arguments);
    out
}

fn is_long_flag(command: &Command, word: &str) -> bool {
    let name = word.split_once('=').map_or(word, |(name, _)| name);
    name.len() > 1
        && command.get_arguments().any(|argument| {
            argument.get_long() == Some(name)
                || argument
                    .get_all_aliases()
                    .is_some_and(|all| all.contains(&name))
        })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn normalised(line: &str) -> String {
        let arguments = line.split(' ').map(OsString::from).collect();
        let out = normalise(Cli::command(), arguments);
        out.iter()
            .map(|a| a.to_str().unwrap())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn single_dash_long_flags_get_their_second_dash() {
        for (old, new) in [
            (
                "netctl net create n -s6 2001::/64 -g6=2001::1",
                "netctl net create n --s6 2001::/64 --g6=2001::1",
            ),
            (
                "netctl network create n -tag x -subnet=10.1.1.0/24",
                "netctl network create n --tag x --subnet=10.1.1.0/24",
            ),
            (
                "netctl group create -tag x n g",
                "netctl group create --tag x n g",
            ),
            (
                "netctl -netmaster http://m:1 net ls -help",
                "netctl --netmaster http://m:1 net ls --help",
            ),
        ] {
            assert_eq!(normalised(old), new);
        }
    }

    #[test]
    fn short_flags_values_and_what_follows_two_dashes_stay() {
        for line in [
            "netctl net ls -aq",
            "netctl net ls -tblue",
            "netctl policy rule-add p 1 -d in -g a -j deny -P 80",
            "netctl net create -- -subnet",
            // `tag` is no flag of this command.
            "netctl net rm -tag",
        ] {
            assert_eq!(normalised(line), line);
        }
    }
}
