//! Which files there are.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A file with its contents.
#[derive(Clone, Debug)]
pub struct Source {
    /// As people call it.
    pub name: String,
    pub text: String,
}

/// The files that these paths name, in order: a directory stands for its files of YAML and
/// JSON and those of its directories, by name; `-` is the standard input. The error names the
/// path.
pub fn read_sources(paths: &[PathBuf]) -> Result<Vec<Source>, String> {
    let mut files = Vec::new();
    for path in paths {
        let failed = |error: io::Error| format!("{}: {error}", path.display());
        if path.is_dir() {
            let before = files.len();
            walk(path, &mut files).map_err(failed)?;
            if files.len() == before {
                let path = path.display();
                return Err(format!(
                    "{path}: no file ends in .yaml, .yml or .json there"
                ));
            }
        } else {
            files.push(path.clone());
        }
    }
    files.iter().map(|path| source(path)).collect()
}

fn walk(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries = fs::read_dir(directory)?;
    let mut entries: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    entries.sort();
    for path in entries {
        let ending = path.extension().and_then(|ending| ending.to_str());
        if path.is_dir() {
            walk(&path, files)?;
        } else if matches!(ending, Some("yaml" | "yml" | "json")) {
            files.push(path);
        }
    }
    Ok(())
}

fn source(path: &Path) -> Result<Source, String> {
    let name = path.display().to_string();
    if name == "-" {
        let mut text = String::new();
        let read = io::stdin().read_to_string(&mut text);
        read.map_err(|error| format!("the standard input: {error}"))?;
        let name = "(standard input)".to_owned();
        return Ok(Source { name, text });
    }
    match fs::read_to_string(path) {
        Ok(text) => Ok(Source { name, text }),
        Err(error) => Err(format!("{name}: {error}")),
    }
}
