//! The matrix as a page that needs nothing else: no script, no font, no other file.

use contiv_model::reach::{MatrixCell, MatrixEntry, PolicyMatrix};

use super::word;

const HEAD: &str = include_str!("page.html");

pub(super) fn page(matrix: &PolicyMatrix) -> String {
    let title = format!(
        "Who may open {} to whom: tenant {}",
        matrix.packets, matrix.tenant_name
    );
    let mut page = HEAD.replace("{title}", &escaped(&title));
    page.push_str(&format!(
        "<p class=\"note\">Revision {}. Rows open connections, columns receive them. Point at a \
         cell, or step to it with Tab, for the deciding rule.</p>\n",
        escaped(&matrix.revision)
    ));
    if !matrix.cut.is_empty() {
        page.push_str(&format!(
            "<p class=\"note\">Not shown: {}.</p>\n",
            escaped(&matrix.cut)
        ));
    }
    page.push_str("<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">from \\ to</th>");
    for entry in &matrix.entries {
        page.push_str(&format!("<th scope=\"col\">{}</th>", head(entry)));
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for (from, cells) in matrix.entries.iter().zip(&matrix.cells) {
        page.push_str(&format!("<tr><th scope=\"row\">{}</th>", head(from)));
        for (to, cell) in matrix.entries.iter().zip(cells) {
            page.push_str(&one(from, to, cell));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div>\n</main></body></html>\n");
    page
}

fn head(entry: &MatrixEntry) -> String {
    let name = escaped(&entry.name);
    match entry.kind.as_str() {
        "group" => format!(
            "{name}<small>{}, {} endpoints</small>",
            escaped(&entry.network_name),
            entry.endpoints
        ),
        "block" => format!("{name}<small>without a group</small>"),
        _ => format!("{name}<small>host, world, no group</small>"),
    }
}

fn one(from: &MatrixEntry, to: &MatrixEntry, cell: &MatrixCell) -> String {
    if cell.verdict.is_empty() {
        return "<td class=\"none\">&middot;</td>".to_owned();
    }
    let title = format!(
        "{} to {}: {} by {}",
        from.name,
        to.name,
        word(cell),
        cell.by
    );
    let staged = if cell.staged.is_empty() {
        ""
    } else {
        " staged"
    };
    format!(
        "<td class=\"{}{staged}\" tabindex=\"0\" title=\"{title}\" aria-label=\"{title}\">{}\
         <span class=\"why\">{title}</span></td>",
        escaped(&cell.verdict),
        escaped(&word(cell)),
        title = escaped(&title),
    )
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
