//! Results as tables, JSON, YAML or bare names.

use clap::{Args, ValueEnum};
use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::session::Session;

/// The form of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
    Yaml,
}

/// The flags of commands that list.
#[derive(Debug, Args)]
pub(crate) struct ListFlags {
    /// Print the list as JSON; the same as `-o json`.
    #[arg(short, long, conflicts_with = "output")]
    json: bool,
    /// Print names only, one per line.
    #[arg(short, long, conflicts_with_all = ["json", "output"])]
    quiet: bool,
    /// Print the list in this form.
    #[arg(short, long, value_enum, default_value = "table", value_name = "FORM")]
    output: Format,
}

/// The flags of commands that show one thing as a document.
#[derive(Debug, Args)]
pub(crate) struct DocumentFlags {
    /// Print the document in this form.
    #[arg(short, long, value_enum, default_value = "json", value_name = "FORM")]
    output: Format,
}

/// The flags of commands that show one thing in lines.
#[derive(Debug, Args)]
pub(crate) struct InfoFlags {
    /// Print JSON; the same as `-o json`.
    #[arg(short, long, conflicts_with = "output")]
    json: bool,
    /// Print in this form.
    #[arg(short, long, value_enum, default_value = "table", value_name = "FORM")]
    output: Format,
}

/// Rows under a header, in the manner of the original: no borders, two spaces
/// between columns, nothing wrapped.
pub(crate) struct Rows {
    table: Table,
}

impl ListFlags {
    /// Prints `items`: as documents, as the `name` of each, or by `table`.
    pub(crate) fn print<T: Serialize>(
        &self,
        session: &mut Session,
        items: &[T],
        name: impl Fn(&T) -> String,
        table: impl FnOnce(&[T]) -> String,
    ) -> Result<(), Failure> {
        if self.quiet {
            let names: String = items.iter().map(|item| name(item) + "\n").collect();
            return session.print(&names);
        }
        match if self.json { Format::Json } else { self.output } {
            Format::Table => session.print(&table(items)),
            Format::Json => session.print(&json(items)?),
            Format::Yaml => session.print(&yaml(items)?),
        }
    }
}

impl DocumentFlags {
    pub(crate) fn print(&self, session: &mut Session, document: &Value) -> Result<(), Failure> {
        match self.output {
            Format::Json => session.print(&json(document)?),
            Format::Yaml => session.print(&yaml(document)?),
            Format::Table => {
                let mut rows = Rows::new(&["Field", "Value"]);
                flatten(String::new(), document, &mut rows);
                session.print(&rows.to_string())
            }
        }
    }
}

impl InfoFlags {
    /// Whether the result is for people.
    pub(crate) fn is_lines(&self) -> bool {
        !self.json && self.output == Format::Table
    }

    pub(crate) fn print<T: Serialize>(
        &self,
        session: &mut Session,
        document: &T,
        lines: &str,
    ) -> Result<(), Failure> {
        match if self.json { Format::Json } else { self.output } {
            Format::Table => session.print(lines),
            Format::Json => session.print(&json(document)?),
            Format::Yaml => session.print(&yaml(document)?),
        }
    }
}

impl Rows {
    pub(crate) fn new(header: &[&str]) -> Rows {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled);
        table.add_row(header);
        table.add_row(header.iter().map(|title| "-".repeat(title.len())));
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        Rows { table }
    }

    pub(crate) fn add<const N: usize>(&mut self, cells: [&str; N]) {
        self.add_cells(cells);
    }

    /// A row of as many cells as the header has.
    pub(crate) fn add_cells(&mut self, cells: impl IntoIterator<Item = impl AsRef<str>>) {
        // A name or label may hold anything; a line break would forge a row.
        let clean = |cell: &str| cell.replace(char::is_control, "?");
        self.table
            .add_row(cells.into_iter().map(|cell| clean(cell.as_ref())));
    }
}

impl std::fmt::Display for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in self.table.lines() {
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A time in milliseconds since 1970, as people and programs read it.
pub(crate) fn moment(time: u64) -> String {
    let time = i64::try_from(time)
        .ok()
        .and_then(|t| Timestamp::from_millisecond(t).ok());
    time.map_or_else(|| "?".into(), |time| format!("{time:.3}"))
}

pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value).map_err(std::io::Error::other)?;
    Ok(text + "\n")
}

pub(crate) fn yaml<T: Serialize + ?Sized>(value: &T) -> Result<String, Failure> {
    Ok(serde_norway::to_string(value).map_err(std::io::Error::other)?)
}

/// One row per leaf, named by its path: `Config.subnet`, `Oper.endpoints.0.ipAddress.0`.
fn flatten(path: String, value: &Value, rows: &mut Rows) {
    let below = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields
                .iter()
                .for_each(|(name, field)| flatten(below(name), field, rows));
        }
        Value::Array(items) if !items.is_empty() => {
            let numbered = items.iter().enumerate();
            numbered.for_each(|(i, item)| flatten(below(&i.to_string()), item, rows));
        }
        Value::String(text) => rows.add([path.as_str(), text]),
        Value::Object(_) | Value::Array(_) | Value::Null => rows.add([path.as_str(), ""]),
        Value::Bool(_) | Value::Number(_) => rows.add([path.as_str(), &value.to_string()]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_table_is_its_header() {
        assert_eq!(
            Rows::new(&["Tenant", "Policy"]).to_string(),
            "Tenant  Policy\n------  ------\n"
        );
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut rows = Rows::new(&["Name", "X"]);
        rows.add(["a-long-name", ""]);
        rows.add(["b\nc", "1"]);
        assert_eq!(
            rows.to_string(),
            "Name         X\n----         -\na-long-name\nb?c          1\n"
        );
    }

    #[test]
    fn a_document_becomes_a_table_of_its_leaves() {
        let mut rows = Rows::new(&["Field", "Value"]);
        flatten(
            String::new(),
            &json!({"Config": {"tag": 1}, "Oper": {"list": ["a"], "none": []}}),
            &mut rows,
        );
        let text = rows.to_string();
        let cells: Vec<_> = text
            .lines()
            .skip(2)
            .map(|l| l.split_whitespace().collect::<Vec<_>>())
            .collect();
        assert_eq!(
            cells,
            [
                vec!["Config.tag", "1"],
                vec!["Oper.list.0", "a"],
                vec!["Oper.none"]
            ]
        );
    }
}
