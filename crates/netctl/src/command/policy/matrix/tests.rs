use contiv_model::reach::MatrixEntry;

use super::*;

fn matrix() -> PolicyMatrix {
    let entry = |name: &str, kind: &str| MatrixEntry {
        name: name.into(),
        kind: kind.into(),
        ..MatrixEntry::default()
    };
    let cell = |verdict: &str, staged: &str, by: &str| MatrixCell {
        verdict: verdict.into(),
        staged: staged.into(),
        by: by.into(),
    };
    PolicyMatrix {
        tenant_name: "blue".into(),
        packets: "tcp port 80".into(),
        entries: vec![entry("outside", "outside"), entry("web", "group")],
        cells: vec![
            vec![cell("", "", ""), cell("allow", "deny", "p:1, \"in\" <b>")],
            vec![cell("depends", "", "two"), cell("deny", "", "p:2")],
        ],
        ..PolicyMatrix::default()
    }
}

#[test]
fn the_table_has_a_row_for_each_sender() {
    let text = table(&matrix());
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| {
            line.split("  ")
                .map(str::trim)
                .filter(|c| !c.is_empty())
                .collect()
        })
        .collect();
    assert_eq!(rows[1], ["From \\ To", "outside", "web"]);
    assert_eq!(rows[3], ["outside", "-", "allow (staged: deny)"]);
    assert_eq!(rows[4], ["web", "depends", "deny"]);
}

#[test]
fn csv_quotes_what_would_break_it() {
    let lines: Vec<String> = csv::text(&matrix()).lines().map(str::to_owned).collect();
    assert_eq!(lines[0], "from,to,verdict,staged,by");
    assert_eq!(lines[1], "outside,web,allow,deny,\"p:1, \"\"in\"\" <b>\"");
    assert_eq!(lines.len(), 4);
}

#[test]
fn what_csv_has_no_place_for_is_said_beside_it() {
    let cut = PolicyMatrix {
        cut: "44 more groups".into(),
        ..matrix()
    };
    let said = Some("not shown: 44 more groups".to_owned());
    assert_eq!(aside(Form::Csv, &cut), said);
    assert_eq!(aside(Form::Csv, &matrix()), None);
    for (form, text) in [
        (Form::Table, table(&cut)),
        (Form::Html, html::page(&cut)),
        (Form::Json, json(&cut).unwrap()),
    ] {
        assert!(text.contains("44 more groups"), "{form:?}: {text}");
        assert_eq!(aside(form, &cut), None);
    }
}

#[test]
fn the_page_needs_nothing_and_breaks_by_nothing() {
    let page = html::page(&matrix());
    for outside in [
        "http:", "https:", "<script", "<link", "@import", "url(", "<b>",
    ] {
        assert!(!page.contains(outside), "{outside}: {page}");
    }
    assert!(page.contains("prefers-color-scheme: dark"));
    let title = "title=\"web to web: deny by p:2\"";
    assert!(page.contains(title) && page.contains("tabindex"), "{page}");
}
