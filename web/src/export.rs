//! Tables as CSV and JSON: raw numbers, seconds for durations, the same rows as on the page.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value as Json, json};

use crate::table::{Table, Value};

/// Name and version of the JSON document.
const SCHEMA: &str = "devhose.page/v1";

/// What every export says of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head<'a> {
    /// Path and query.
    pub(crate) address: &'a str,
    /// When it was made.
    pub(crate) generated_at: DateTime<Utc>,
    /// Time of the newest event in it.
    pub(crate) data_through: Option<DateTime<Utc>>,
}

/// Tables as one JSON document.
pub(crate) fn json(head: &Head<'_>, tables: &[&Table]) -> String {
    let tables: Vec<Json> = tables.iter().map(|table| table_json(table)).collect();
    let document = json!({
        "schema": SCHEMA,
        "address": head.address,
        "generated_at": instant(head.generated_at),
        "data_through": head.data_through.map(instant),
        "tables": tables,
    });
    format!("{document:#}\n")
}

/// Tables as CSV (RFC 4180). One table is written as it is; several are written as one cell a line, with the name of
/// the table and the first cell of the row in front, because their columns differ.
pub(crate) fn csv(head: &Head<'_>, tables: &[&Table]) -> String {
    let mut text = String::new();
    if let [table] = tables {
        let columns = table.columns.iter().map(|column| column.key.as_str());
        line(&mut text, columns.chain(["definition_version", "data_through", "generated_at"]).map(str::to_owned));
        for row in &table.rows {
            line(&mut text, row.iter().map(|cell| guarded(&cell.value)).chain(tail(head, table)));
        }
        return text;
    }
    let columns = ["table", "row", "column", "value", "definition_version", "data_through", "generated_at"];
    line(&mut text, columns.into_iter().map(str::to_owned));
    for table in tables {
        for row in &table.rows {
            let name = row.first().map(|cell| guarded(&cell.value)).unwrap_or_default();
            for (column, cell) in table.columns.iter().zip(row).skip(1) {
                let cells = [table.name.clone(), name.clone(), column.key.clone(), guarded(&cell.value)];
                line(&mut text, cells.into_iter().chain(tail(head, table)));
            }
        }
    }
    text
}

fn tail(head: &Head<'_>, table: &Table) -> [String; 3] {
    [
        table.definition_version.map(|version| version.to_string()).unwrap_or_default(),
        head.data_through.map(instant).unwrap_or_default(),
        instant(head.generated_at),
    ]
}

fn line(text: &mut String, cells: impl Iterator<Item = String>) {
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            text.push(',');
        }
        if cell.contains([',', '"', '\n', '\r']) {
            text.push('"');
            text.push_str(&cell.replace('"', "\"\""));
            text.push('"');
        } else {
            text.push_str(&cell);
        }
    }
    text.push_str("\r\n");
}

/// A cell's text. A spreadsheet would run words that begin like a formula, so an apostrophe goes before them.
fn guarded(value: &Value) -> String {
    let text = value.raw();
    match value {
        Value::Text(_) | Value::Named { .. } if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => {
            format!("'{text}")
        }
        Value::Text(_)
        | Value::Named { .. }
        | Value::Count(_)
        | Value::Seconds(_)
        | Value::Share(_)
        | Value::Number(_)
        | Value::Instant(_)
        | Value::Missing(_) => text,
    }
}

fn table_json(table: &Table) -> Json {
    let rows: Vec<Json> = table
        .rows
        .iter()
        .map(|row| {
            let cells =
                table.columns.iter().zip(row).map(|(column, cell)| (column.key.clone(), value_json(&cell.value)));
            Json::Object(cells.collect::<Map<_, _>>())
        })
        .collect();
    json!({ "name": table.name, "definition_version": table.definition_version, "rows": rows })
}

fn value_json(value: &Value) -> Json {
    match value {
        Value::Count(count) => json!(count),
        Value::Seconds(number) | Value::Share(number) | Value::Number(number) => json!(number),
        Value::Missing(_) => Json::Null,
        Value::Text(_) | Value::Named { .. } | Value::Instant(_) => Json::String(value.raw()),
    }
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Cell, Column};

    fn table(name: &str) -> Table {
        let text = |text: &str| Cell::new(Value::Text(text.to_owned()));
        Table {
            name: name.to_owned(),
            definition_version: Some(2),
            columns: vec![Column::new("period", "Week"), Column::new("p50_seconds", "Median")],
            rows: vec![
                vec![text("a, \"b\""), Cell::new(Value::Seconds(12_000.5))],
                vec![text("=1+1"), Cell::new(Value::Missing("no data"))],
            ],
        }
    }

    fn head() -> Head<'static> {
        let at = "2026-11-25T09:16:00Z".parse().unwrap();
        Head { address: "/x.csv", generated_at: at, data_through: Some(at) }
    }

    #[test]
    fn one_table_is_plain_csv_with_raw_numbers_and_no_formulas() {
        insta::assert_snapshot!(csv(&head(), &[&table("x")]).replace('\r', ""), @r#"
        period,p50_seconds,definition_version,data_through,generated_at
        "a, ""b""",12000.5,2,2026-11-25T09:16:00Z,2026-11-25T09:16:00Z
        '=1+1,,2,2026-11-25T09:16:00Z,2026-11-25T09:16:00Z
        "#);
    }

    #[test]
    fn several_tables_are_one_cell_a_line() {
        insta::assert_snapshot!(csv(&head(), &[&table("x"), &table("y")]).replace('\r', ""), @r#"
        table,row,column,value,definition_version,data_through,generated_at
        x,"a, ""b""",p50_seconds,12000.5,2,2026-11-25T09:16:00Z,2026-11-25T09:16:00Z
        x,'=1+1,p50_seconds,,2,2026-11-25T09:16:00Z,2026-11-25T09:16:00Z
        y,"a, ""b""",p50_seconds,12000.5,2,2026-11-25T09:16:00Z,2026-11-25T09:16:00Z
        y,'=1+1,p50_seconds,,2,2026-11-25T09:16:00Z,2026-11-25T09:16:00Z
        "#);
    }

    #[test]
    fn a_missing_value_is_null_in_json() {
        let document: Json = serde_json::from_str(&json(&head(), &[&table("x")])).unwrap();
        assert_eq!(document["tables"][0]["rows"][1]["p50_seconds"], Json::Null);
        assert_eq!(document["tables"][0]["rows"][0]["p50_seconds"], json!(12_000.5));
    }
}
