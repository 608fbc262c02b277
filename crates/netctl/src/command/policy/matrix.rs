//! `netctl policy matrix`.

mod csv;
mod html;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use contiv_client::Client;
use contiv_model::reach::{MatrixCell, MatrixRequest, PolicyMatrix};

use crate::command::packets::{PLACES, PacketFlags};
use crate::command::scope::plain;
use crate::failure::Failure;
use crate::output::{Rows, json};
use crate::session::Session;

/// Shows who may reach whom on a port.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    netctl policy matrix --proto tcp --port 5432\n  \
    netctl policy matrix -t blue --port 443 --format html -o blue.html")]
pub(crate) struct Matrix {
    #[command(flatten)]
    packets: PacketFlags,
    /// Tenant whose groups are shown.
    #[arg(short, long, default_value = "default")]
    tenant: String,
    /// Print it in this form; html is a page of its own.
    #[arg(long, value_enum, default_value = "table", value_name = "FORM")]
    format: Form,
    /// Print it as JSON; the same as --format json.
    #[arg(short, long, conflicts_with = "format")]
    json: bool,
    /// Write it to this file.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Table,
    Csv,
    Html,
    Json,
}

impl Matrix {
    pub(crate) async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        plain("--tenant", &self.tenant)?;
        let PacketFlags {
            protocol,
            port,
            icmp_type,
            icmp_code,
        } = self.packets;
        let request = MatrixRequest {
            tenant_name: self.tenant,
            protocol,
            port,
            icmp_type,
            icmp_code,
        };
        let refused = Failure::with_places(PLACES);
        let matrix = client.policy_matrix(&request).await.map_err(refused)?;
        let form = if self.json { Form::Json } else { self.format };
        let text = match form {
            Form::Table => table(&matrix),
            Form::Csv => csv::text(&matrix),
            Form::Html => html::page(&matrix),
            Form::Json => json(&matrix)?,
        };
        if let Some(line) = aside(form, &matrix) {
            eprintln!("netctl: {line}");
        }
        match &self.output {
            None => session.print(&text),
            Some(file) => std::fs::write(file, text).map_err(|error| {
                let message = format!("{}: {error}", file.display());
                std::io::Error::new(error.kind(), message).into()
            }),
        }
    }
}

fn table(matrix: &PolicyMatrix) -> String {
    let names = matrix.entries.iter().map(|entry| entry.name.as_str());
    let header: Vec<&str> = std::iter::once("From \\ To").chain(names).collect();
    let mut rows = Rows::new(&header);
    for (entry, cells) in matrix.entries.iter().zip(&matrix.cells) {
        let cells = cells.iter().map(word);
        rows.add_cells(std::iter::once(entry.name.clone()).chain(cells));
    }
    let mut text = format!(
        "Who may open {} to whom, tenant {}, revision {}\n{rows}",
        matrix.packets, matrix.tenant_name, matrix.revision
    );
    if !matrix.cut.is_empty() {
        text.push_str(&not_shown(matrix));
        text.push('\n');
    }
    text
}

/// What is said beside the result: a line in CSV is a pair and nothing else, so that what was
/// left out has no place there.
fn aside(form: Form, matrix: &PolicyMatrix) -> Option<String> {
    (form == Form::Csv && !matrix.cut.is_empty()).then(|| not_shown(matrix))
}

fn not_shown(matrix: &PolicyMatrix) -> String {
    format!("not shown: {}", matrix.cut)
}

/// A cell as people read it.
fn word(cell: &MatrixCell) -> String {
    match (cell.verdict.as_str(), cell.staged.as_str()) {
        ("", _) => "-".to_owned(),
        (verdict, "") => verdict.to_owned(),
        (verdict, staged) => format!("{verdict} (staged: {staged})"),
    }
}

#[cfg(test)]
mod tests;
