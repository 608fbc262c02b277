//! Rules of iptables, read and deleted as text.

use anyhow::Result;

use crate::shell::capture;

/// The rules of a table (`iptables -S`), policies and chains included.
pub(crate) fn rules(table: &str) -> Result<Vec<String>> {
    Ok(capture("iptables", &["-t", table, "-S"])?
        .lines()
        .map(str::to_owned)
        .collect())
}

/// Deletes a rule as `iptables -S` prints it (`-A CHAIN …`).
pub(crate) fn delete(table: &str, rule: &str) -> Result<()> {
    let words = words(rule);
    let mut args = vec!["-t", table, "-D"];
    args.extend(words.iter().skip(1).map(String::as_str));
    capture("iptables", &args).map(drop)
}

/// Deletes a chain that no rule jumps to any more.
pub(crate) fn delete_chain(table: &str, chain: &str) -> Result<()> {
    capture("iptables", &["-t", table, "-F", chain])?;
    capture("iptables", &["-t", table, "-X", chain]).map(drop)
}

/// Splits a printed rule at blanks; quotes hold a word together, a backslash takes the next letter.
pub(crate) fn words(rule: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut begun) = (Vec::new(), String::new(), false, false);
    let mut letters = rule.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => (quoted, begun) = (!quoted, true),
            '\\' => word.extend(letters.next()),
            ' ' if !quoted => {
                if begun || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            other => word.push(other),
        }
    }
    if begun || !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_a_rule_as_iptables_quotes_it() {
        let rule = r#"-A FORWARD -m comment --comment "a \"b\" c" -o x ! -i "" -j ACCEPT"#;
        let expected = [
            "-A",
            "FORWARD",
            "-m",
            "comment",
            "--comment",
            "a \"b\" c",
            "-o",
            "x",
            "!",
            "-i",
            "",
            "-j",
            "ACCEPT",
        ];
        assert_eq!(words(rule), expected);
    }
}
