//! The matrix for machines: a line a pair (RFC 4180).

use contiv_model::reach::PolicyMatrix;

pub(super) fn text(matrix: &PolicyMatrix) -> String {
    let mut text = "from,to,verdict,staged,by\r\n".to_owned();
    for (from, cells) in matrix.entries.iter().zip(&matrix.cells) {
        for (to, cell) in matrix.entries.iter().zip(cells) {
            if cell.verdict.is_empty() {
                continue;
            }
            let fields = [&from.name, &to.name, &cell.verdict, &cell.staged, &cell.by];
            let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
            text.push_str(&fields.join(","));
            text.push_str("\r\n");
        }
    }
    text
}

fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}
