//! A guide's text: its fenced blocks, and the spans of code in its sentences.

use std::path::Path;

pub(super) struct Guide {
    pub(super) name: &'static str,
    text: String,
}

/// What stands between two lines of three backticks.
pub(super) struct Block {
    pub(super) language: String,
    /// Each with its number, from 1.
    pub(super) lines: Vec<(usize, String)>,
}

impl Guide {
    pub(super) fn read(name: &'static str) -> Guide {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let text = std::fs::read_to_string(root.join(name)).unwrap();
        Guide { name, text }
    }

    pub(super) fn blocks(&self) -> Vec<Block> {
        self.parts().0
    }

    /// The command lines of netctl in the blocks, each with its number; what a backslash
    /// continues is one line.
    pub(super) fn command_lines(&self) -> Vec<(usize, String)> {
        let mut found: Vec<(usize, String)> = Vec::new();
        for block in self.blocks() {
            let mut goes_on = false;
            for (number, line) in block.lines {
                let line = line.trim();
                let line = line.strip_prefix("$ ").unwrap_or(line);
                let (text, more) = match line.strip_suffix('\\') {
                    Some(text) => (text, true),
                    None => (line, false),
                };
                match found.last_mut() {
                    Some((_, first)) if goes_on => first.push_str(text),
                    _ if line.starts_with("netctl ") => found.push((number, text.to_owned())),
                    _ => continue,
                }
                goes_on = more;
            }
        }
        found
    }

    /// The spans of code outside of the blocks.
    pub(super) fn spans(&self) -> Vec<String> {
        let prose = self.parts().1;
        let spans = prose.split('`').skip(1).step_by(2);
        spans.map(str::to_owned).collect()
    }

    /// The blocks, and the sentences between them.
    fn parts(&self) -> (Vec<Block>, String) {
        let (mut blocks, mut prose) = (Vec::new(), String::new());
        let mut open: Option<Block> = None;
        for (index, line) in self.text.lines().enumerate() {
            let fence = line.trim_start().strip_prefix("```");
            match (fence, open.take()) {
                (Some(language), None) => {
                    let language = language.trim().to_owned();
                    let lines = Vec::new();
                    open = Some(Block { language, lines });
                }
                (Some(_), Some(block)) => blocks.push(block),
                (None, Some(mut block)) => {
                    block.lines.push((index + 1, line.to_owned()));
                    open = Some(block);
                }
                (None, None) => {
                    prose.push_str(line);
                    prose.push('\n');
                }
            }
        }
        assert!(open.is_none(), "{}: a block does not end", self.name);
        (blocks, prose)
    }
}

/// The words of a command line as a shell takes them, up to a comment, a redirection or
/// another command.
pub(super) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (None, '<' | '>' | '|' | '&' | ';') => break,
            (None, '#') if word.is_none() => break,
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}
