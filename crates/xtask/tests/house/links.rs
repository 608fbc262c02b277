//! Links between documents lead somewhere.

use std::path::Path;

use crate::{files, none, root, text};

#[test]
fn every_link_of_a_document_resolves() {
    let mut complaints = Vec::new();
    for file in files()
        .iter()
        .filter(|file| file.extension().is_some_and(|ext| ext == "md"))
    {
        let text = text(file);
        for target in targets(&text) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            if path.contains("://") || path.starts_with("mailto:") {
                continue;
            }
            let dir = file.parent().unwrap_or(Path::new(""));
            let linked = if path.is_empty() {
                file.clone()
            } else {
                dir.join(path)
            };
            if !root().join(&linked).exists() {
                complaints.push(format!("{}: {target} is not there", file.display()));
            } else if !anchor.is_empty() && !has_heading(&root().join(&linked), anchor) {
                complaints.push(format!("{}: {target} has no such heading", file.display()));
            }
        }
    }
    none(&complaints);
}

/// What stands between the parentheses of `[…](…)`, outside of code blocks.
fn targets(text: &str) -> Vec<&str> {
    let mut in_code = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        let mut rest = line;
        while let Some((_, after)) = rest.split_once("](") {
            let Some((target, after)) = after.split_once(')') else {
                break;
            };
            found.push(target);
            rest = after;
        }
    }
    found
}

/// Whether a heading of the document gets this anchor.
fn has_heading(document: &Path, anchor: &str) -> bool {
    let text = std::fs::read_to_string(document).unwrap_or_default();
    let headings = text.lines().filter_map(|line| line.strip_prefix('#'));
    headings
        .map(|heading| slug(heading.trim_start_matches('#').trim()))
        .any(|slug| slug == anchor)
}

fn slug(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn finds_links_and_skips_code() {
    assert_eq!(
        targets("a [b](c.md) [d](e#f)\n```\n[x](y)\n```\n"),
        ["c.md", "e#f"]
    );
    assert_eq!(slug("Life of a packet, `eBPF`"), "life-of-a-packet-ebpf");
}
