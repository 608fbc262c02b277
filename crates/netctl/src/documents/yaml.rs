//! Documents of one file.

use std::fmt;

use contiv_model::manifest::{Declared, KINDS};
use contiv_model::object::{
    EndpointGroup, Global, Network, Policy, Rule, Tenant, fields_of, no_such_field,
};
use serde::Deserialize;
use serde_norway::Mapping;

use super::files::Source;

/// One object, and where it is written.
#[derive(Clone, Debug)]
pub struct Document {
    pub declared: Declared,
    place: Place,
    text: String,
}

#[derive(Clone, Debug)]
struct Place {
    file: String,
    /// Counted from 1.
    document: usize,
    /// Where the document begins, counted from 1.
    line: usize,
}

/// What is wrong with a document, and where.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: document {document}: {message}")]
pub struct Wrong {
    pub file: String,
    pub line: usize,
    pub document: usize,
    pub message: String,
}

/// The documents of a file; those without contents are left out.
pub fn read(source: &Source) -> Result<Vec<Document>, Wrong> {
    let parts = split(&source.text).enumerate();
    let documents = parts.map(|(index, (line, text))| {
        let place = Place {
            file: source.name.clone(),
            document: index + 1,
            line,
        };
        document(place, text)
    });
    documents.filter_map(Result::transpose).collect()
}

/// The texts between lines of three dashes, with the line in which each begins.
fn split(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut parts = vec![(1, String::new())];
    for (index, line) in text.lines().enumerate() {
        let rest = line.strip_prefix("---");
        match rest.filter(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '#'])) {
            Some(_) => parts.push((index + 2, String::new())),
            None => {
                if let Some((_, part)) = parts.last_mut() {
                    part.push_str(line);
                    part.push('\n');
                }
            }
        }
    }
    // Before the first line of dashes there are comments at the most, or a document.
    let bare = |text: &str| {
        text.lines()
            .all(|l| l.trim().is_empty() || l.starts_with('#'))
    };
    if parts.len() > 1 && bare(&parts[0].1) {
        parts.remove(0);
    }
    parts.into_iter()
}

fn document(place: Place, text: String) -> Result<Option<Document>, Wrong> {
    let fields = match serde_norway::from_str::<Option<Mapping>>(&text) {
        Ok(None) => return Ok(None),
        Ok(Some(fields)) => fields,
        Err(error) => return Err(place.unreadable(&error)),
    };
    let kind = match fields.get("kind").map(|kind| kind.as_str()) {
        Some(Some(kind)) => kind.to_owned(),
        _ => {
            let message = format!("kind: is missing; give one of {}", KINDS.join(", "));
            return Err(place.wrong(&text, "kind", message));
        }
    };
    let read = Reading {
        place: &place,
        text: &text,
        fields: &fields,
    };
    let declared = match kind.as_str() {
        "global" => Declared::Global(read.object::<Global>()?),
        "tenant" => Declared::Tenant(read.object::<Tenant>()?),
        "network" => Declared::Network(read.object::<Network>()?),
        "endpointGroup" => Declared::EndpointGroup(read.object::<EndpointGroup>()?),
        "policy" => Declared::Policy(read.object::<Policy>()?),
        "rule" => Declared::Rule(read.object::<Rule>()?),
        other => {
            let known = KINDS.join(", ");
            let message = format!("kind: {other:?} is not known; give one of {known}");
            return Err(place.wrong(&text, "kind", message));
        }
    };
    Ok(Some(Document {
        declared,
        place,
        text,
    }))
}

struct Reading<'a> {
    place: &'a Place,
    text: &'a str,
    fields: &'a Mapping,
}

impl Reading<'_> {
    /// The object, without any field that its kind does not have.
    fn object<T: for<'de> Deserialize<'de>>(&self) -> Result<T, Wrong> {
        let known = fields_of::<T>();
        for name in self.fields.keys() {
            let name = name.as_str().unwrap_or_default();
            if name != "kind" && !known.contains(&name) {
                let message = no_such_field(name, "this kind", known);
                return Err(self.place.wrong(self.text, name, message));
            }
        }
        serde_norway::from_str(self.text).map_err(|error| self.place.unreadable(&error))
    }
}

impl Place {
    fn wrong(&self, text: &str, field: &str, message: String) -> Wrong {
        Wrong {
            file: self.file.clone(),
            line: self.line + line_of(text, field).unwrap_or(0),
            document: self.document,
            message,
        }
    }

    fn unreadable(&self, error: &serde_norway::Error) -> Wrong {
        let line = error.location().map_or(0, |at| at.line().saturating_sub(1));
        // The place is said before it, in terms of the file.
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        Wrong {
            file: self.file.clone(),
            line: self.line + line,
            document: self.document,
            message: message.to_owned(),
        }
    }
}

impl Document {
    /// What somebody else finds wrong with a field of the object, or with all of it.
    pub fn wrong(&self, field: &str, message: impl fmt::Display) -> Wrong {
        self.place.wrong(&self.text, field, message.to_string())
    }

    /// Where it is, for messages: `web.yaml:12`.
    pub fn at(&self) -> String {
        format!("{}:{}", self.place.file, self.place.line)
    }
}

/// The line of a field of the outermost mapping, counted from 0.
fn line_of(text: &str, field: &str) -> Option<usize> {
    let names = |line: &&str| {
        let line = line.trim_start_matches([' ', '{']);
        let bare = line.trim_start_matches(['"', '\'']);
        let rest = bare.strip_prefix(field);
        rest.is_some_and(|rest| rest.trim_start_matches(['"', '\'', ' ']).starts_with(':'))
    };
    (!field.is_empty())
        .then(|| text.lines().position(|line| names(&line)))
        .flatten()
}

/// An object as a document: `kind` first, and no field that says the default.
pub(crate) fn written(declared: &Declared) -> Result<String, serde_norway::Error> {
    let mut document = Mapping::new();
    document.insert("kind".into(), declared.kind().into());
    match declared {
        Declared::Global(object) => fill(&mut document, object)?,
        Declared::Tenant(object) => fill(&mut document, object)?,
        Declared::Network(object) => fill(&mut document, object)?,
        Declared::EndpointGroup(object) => fill(&mut document, object)?,
        Declared::Policy(object) => fill(&mut document, object)?,
        Declared::Rule(object) => fill(&mut document, object)?,
    }
    serde_norway::to_string(&document)
}

fn fill<T: serde::Serialize + Default>(
    document: &mut Mapping,
    object: &T,
) -> Result<(), serde_norway::Error> {
    let value = serde_norway::to_value(object)?;
    let default = serde_norway::to_value(T::default())?;
    for (name, value) in value.as_mapping().into_iter().flatten() {
        if name.as_str() != Some("key") && default.get(name) != Some(value) {
            document.insert(name.clone(), value.clone());
        }
    }
    Ok(())
}
