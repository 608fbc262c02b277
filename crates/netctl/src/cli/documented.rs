//! What the guides tell people to type, held against what netctl and netmaster take.

mod guide;

use contiv_model::manifest::Declared;

use super::*;
use crate::command::policy::Policy;
use crate::documents::{Source, read};
use guide::{Block, Guide, words};

const GUIDES: [&str; 4] = [
    "README.md",
    "docs/apply.md",
    "docs/operations.md",
    "docs/policy.md",
];

/// The guides that are about netctl alone, so that each flag in them is one of its.
const OF_NETCTL: [&str; 2] = ["docs/apply.md", "docs/policy.md"];

fn parsed(line: &str) -> Result<Cli, String> {
    let words: Vec<OsString> = words(line).into_iter().map(OsString::from).collect();
    let words = argv::normalise(Cli::command(), words);
    Cli::try_parse_from(words).map_err(|error| usage::line(&error))
}

/// What netctl or netmaster would refuse of a command line, whatever there is in the fabric.
fn check(line: &str) -> Result<(), String> {
    let Some(Command::Policy(policy)) = parsed(line)?.command else {
        return Ok(());
    };
    match policy {
        Policy::RuleAdd(write) | Policy::RuleUpdate(write) => {
            let rule = write.rule().map_err(|failure| failure.to_string())?;
            rule.parse().map(drop).map_err(|wrong| wrong.to_string())
        }
        Policy::Create(write) | Policy::Set(write) => {
            let policy = write.policy().map_err(|failure| failure.to_string())?;
            policy.parse().map(drop).map_err(|wrong| wrong.to_string())
        }
        _ => Ok(()),
    }
}

#[test]
fn every_command_line_in_the_guides_is_one() {
    for name in GUIDES {
        let lines = Guide::read(name).command_lines();
        assert!(!lines.is_empty(), "{name}: no command line was found");
        for (number, line) in lines {
            if let Err(wrong) = check(&line) {
                panic!("{name}:{number}: {line}: {wrong}");
            }
        }
    }
}

#[test]
fn a_command_line_that_is_none_is_seen() {
    for (line, said) in [
        ("netctl group set db --default-in deny", "--default-in"),
        ("netctl policy rule-add p", "RULE_ID"),
        (
            "netctl policy rule-add p 1 -l icmp -P 80",
            "no sense with protocol icmp",
        ),
        (
            "netctl policy rule-add p 1 -i 10.1.2.9-3 # x",
            "ends before it begins",
        ),
        ("netctl policy create p --order 16384", "16384 is too high"),
    ] {
        let wrong = check(line).unwrap_err();
        assert!(wrong.contains(said), "{line}: {wrong}");
    }
    let line = "netctl policy set p --description 'two words' > there";
    assert_eq!(words(line)[4..], ["--description", "two words"]);
}

/// What no command or flag of netctl is, in a span of code that begins with its name.
fn unknown(root: &clap::Command, span: &str) -> Option<String> {
    let mut command = root;
    for word in span.split_whitespace().skip(1) {
        let word = word.trim_start_matches('[').trim_end_matches(']');
        if let Some(flag) = flag(word) {
            if !has(command, flag) {
                return Some(word.to_owned());
            }
        } else if command.has_subcommands() {
            // `net|group` stands for both.
            let found: Option<Vec<_>> = word
                .split('|')
                .map(|name| command.find_subcommand(name))
                .collect();
            match found.as_deref() {
                Some(&[first, ..]) => command = first,
                _ => return Some(word.to_owned()),
            }
        }
    }
    None
}

/// The name of the long flag that a word is.
fn flag(word: &str) -> Option<&str> {
    let name = word.strip_prefix("--")?;
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    Some(&name[..end.unwrap_or(name.len())])
}

fn has(command: &clap::Command, flag: &str) -> bool {
    command.get_arguments().any(|argument| {
        let aliases = argument.get_all_aliases().unwrap_or_default();
        argument.get_long() == Some(flag) || aliases.contains(&flag)
    })
}

fn anywhere(command: &clap::Command, flag: &str) -> bool {
    has(command, flag) || command.get_subcommands().any(|sub| anywhere(sub, flag))
}

#[test]
fn every_command_and_flag_in_the_guides_sentences_is_one() {
    let mut root = Cli::command();
    root.build();
    for name in GUIDES {
        for span in Guide::read(name).spans() {
            if span.starts_with("netctl ") {
                let unknown = unknown(&root, &span);
                assert_eq!(unknown, None, "{name}: `{span}`");
            }
            if let Some(flag) = flag(&span).filter(|_| OF_NETCTL.contains(&name)) {
                assert!(anywhere(&root, flag), "{name}: `{span}`: no such flag");
            }
        }
    }
}

/// The objects that a block declares: documents of YAML, or the body of one request.
fn declared(block: &Block) -> Result<Vec<Declared>, String> {
    let lines = block.lines.iter().map(|(_, line)| format!("{line}\n"));
    let mut text: String = lines.collect();
    if block.language == "json" {
        let mut body: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let has = |field: &str| body.get(field).is_some();
        let kind = match (has("ruleId"), has("groupName")) {
            (true, _) => "rule",
            (_, true) => "endpointGroup",
            _ => "policy",
        };
        body["kind"] = kind.into();
        text = body.to_string();
    }
    let name = "the block".to_owned();
    let documents = read(&Source { name, text }).map_err(|wrong| wrong.to_string())?;
    Ok(documents.into_iter().map(|d| d.declared).collect())
}

#[test]
fn every_object_in_the_guides_is_one_that_netmaster_takes() {
    for name in OF_NETCTL {
        let mut blocks = Guide::read(name).blocks();
        blocks.retain(|block| matches!(block.language.as_str(), "json" | "yaml"));
        assert!(!blocks.is_empty(), "{name}: no object was found");
        for block in blocks {
            let at = format!("{name}:{}", block.lines[0].0);
            for object in declared(&block).unwrap_or_else(|wrong| panic!("{at}: {wrong}")) {
                let wrong = match &object {
                    Declared::Global(object) => object.parse().map(drop),
                    Declared::Tenant(object) => object.parse().map(drop),
                    Declared::Network(object) => object.parse().map(drop),
                    Declared::EndpointGroup(object) => object.parse().map(drop),
                    Declared::Policy(object) => object.parse().map(drop),
                    Declared::Rule(object) => object.parse().map(drop),
                };
                assert!(wrong.is_ok(), "{at}: {wrong:?}");
            }
        }
    }
}
