//! What a person reads after a command line that makes no sense.

use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue};

/// The help of the command that the arguments name, as far as they name one.
pub(crate) fn help(mut root: Command, arguments: &[OsString]) -> String {
    root.build();
    let mut command = &root;
    for argument in arguments.iter().skip(1).filter_map(|a| a.to_str()) {
        if let Some(sub) = command.find_subcommand(argument) {
            command = sub;
        }
    }
    command.clone().render_help().to_string()
}

/// The error in one line, which names the flag or argument.
pub(crate) fn line(error: &clap::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let end = ["\n\nUsage:", "\n\nFor more information"]
        .iter()
        .filter_map(|mark| text.find(mark))
        .min()
        .unwrap_or(text.len());
    let text = &text[..end];
    use clap::error::ErrorKind::{DisplayHelpOnMissingArgumentOrSubcommand, MissingSubcommand};
    if matches!(
        error.kind(),
        DisplayHelpOnMissingArgumentOrSubcommand | MissingSubcommand
    ) {
        return "a sub-command is missing; name one of those above".into();
    }
    let mut line = text.split("\n\n").next().unwrap_or_default().to_owned();
    line = line.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    if let Some(ContextValue::String(flag)) = error.get(ContextKind::SuggestedArg) {
        line.push_str(&format!("; did you mean {flag}?"));
    }
    if let Some(ContextValue::Strings(names)) = error.get(ContextKind::SuggestedSubcommand) {
        line.push_str(&format!("; did you mean {}?", names.join(" or ")));
    }
    line
}
