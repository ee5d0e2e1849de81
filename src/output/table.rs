//! A value as a table: what the prompt and a script's last line print.
//!
//! A list of maps has a column for each key, a map two columns. A table that is wider than the terminal first loses
//! width where a column is widest, and its cells are wrapped; when even that is too narrow, each row is shown as a
//! table of its own.

use indexmap::IndexSet;
use tabled::builder::Builder;
use tabled::settings::object::{Cell, Columns, Rows, Segment};
use tabled::settings::peaker::PriorityMax;
use tabled::settings::{Alignment, Modify, Panel, Style, Width};
use unicode_width::UnicodeWidthStr;

use super::plain;
use crate::value::{Map, Value};

/// How wide a table is where no terminal says otherwise.
pub const DEFAULT_WIDTH: usize = 100;

/// A column is not made narrower than this.
const NARROWEST: usize = 8;

/// A text in a list or map in a cell is cut after so many characters; alone in its cell it is wrapped instead.
const LONGEST_INNER: usize = 40;

/// How a table is shown.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Columns of the terminal.
    pub width: usize,
    /// The most rows that are shown, at the prompt; the rest is counted.
    pub rows: Option<usize>,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            width: DEFAULT_WIDTH,
            rows: None,
        }
    }
}

/// The value as text for a person. A text alone is itself; nothing is the empty string.
pub fn render(value: &Value, shape: Shape) -> String {
    match value {
        Value::Null => String::new(),
        Value::Object(object) => render(&object.show(), shape),
        Value::Map(map) if map.is_empty() => "(empty)".into(),
        Value::Map(map) => of_map(map, shape),
        Value::List(list) if list.is_empty() => "(none)".into(),
        Value::List(list) => of_list(list, shape),
        Value::Text(text) => plain(&text.to_string()),
        other => other.to_string(),
    }
}

fn of_map(map: &Map, shape: Shape) -> String {
    let rows: Vec<_> = map.iter().map(|(key, value)| vec![plain(key), cell(value)]).collect();
    let numbers = [false, false];
    draw(None, rows, &numbers, shape, None)
}

fn of_list(list: &[Value], shape: Shape) -> String {
    let shown = shape.rows.map_or(list.len(), |rows| rows.min(list.len()));
    let hidden = list.len() - shown;
    let more = (hidden > 0).then(|| format!("... {hidden} more"));
    let shown: Vec<Value> = list
        .iter()
        .take(shown)
        .map(|item| match item {
            Value::Object(object) => object.show(),
            other => other.clone(),
        })
        .collect();
    if !shown.iter().any(|item| matches!(item, Value::Map(_))) {
        let numbers = [shown.iter().all(is_number)];
        let rows = shown.iter().map(|item| vec![cell(item)]).collect();
        return draw(None, rows, &numbers, shape, more);
    }
    let mut keys: IndexSet<&str> = IndexSet::new();
    for item in &shown {
        match item {
            Value::Map(map) => keys.extend(map.keys().map(String::as_str)),
            _ => {
                keys.insert("value");
            }
        }
    }
    let missing = Value::Null;
    let pick = |item: &'_ Value, key: &str| -> Value {
        match item {
            Value::Map(map) => map.get(key).unwrap_or(&missing).clone(),
            other if key == "value" => other.clone(),
            _ => Value::Null,
        }
    };
    let columns: Vec<Vec<Value>> = keys
        .iter()
        .map(|key| shown.iter().map(|item| pick(item, key)).collect())
        .collect();
    let numbers: Vec<_> = columns
        .iter()
        .map(|column| {
            let mut known = column.iter().filter(|value| !matches!(value, Value::Null)).peekable();
            known.peek().is_some() && known.all(is_number)
        })
        .collect();
    let rows: Vec<Vec<String>> = (0..shown.len())
        .map(|row| columns.iter().filter_map(|column| column.get(row)).map(cell).collect())
        .collect();
    let header: Vec<_> = keys.iter().map(|key| plain(key)).collect();
    let least: usize = header.iter().map(|key| key.width().min(NARROWEST) + 3).sum::<usize>() + 1;
    if least > shape.width && header.len() > 1 {
        return one_by_one(&header, rows, shape, more);
    }
    draw(Some(header), rows, &numbers, shape, more)
}

/// Each row as a table of two columns, for more columns than fit.
fn one_by_one(header: &[String], rows: Vec<Vec<String>>, shape: Shape, more: Option<String>) -> String {
    let mut text: Vec<_> = rows
        .into_iter()
        .map(|row| {
            let pairs = header.iter().cloned().zip(row).filter(|(_, value)| !value.is_empty());
            let pairs = pairs.map(|(key, value)| vec![key, value]).collect();
            draw(None, pairs, &[false, false], shape, None)
        })
        .collect();
    text.extend(more);
    text.join("\n")
}

fn draw(
    header: Option<Vec<String>>,
    rows: Vec<Vec<String>>,
    numbers: &[bool],
    shape: Shape,
    more: Option<String>,
) -> String {
    let mut builder = Builder::default();
    let titled = header.is_some();
    if let Some(header) = header {
        builder.push_record(header);
    }
    for row in rows {
        builder.push_record(row);
    }
    let count = builder.count_records();
    let mut table = builder.build();
    if titled {
        table.with(Style::rounded());
    } else {
        table.with(Style::rounded().remove_horizontals());
    }
    table.with(Modify::new(Segment::all()).with(Alignment::left()));
    for (position, number) in numbers.iter().enumerate() {
        if *number {
            table.with(Modify::new(Columns::one(position)).with(Alignment::right()));
        }
    }
    if let Some(more) = more {
        table.with(Panel::horizontal(count, more));
        table.with(Modify::new(Cell::new(count, 0)).with(Alignment::left()));
    }
    if titled {
        table.with(Modify::new(Rows::first()).with(Alignment::left()));
    }
    table.with(
        Width::wrap(shape.width.max(NARROWEST + 4))
            .priority(PriorityMax::right())
            .keep_words(true),
    );
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn is_number(value: &Value) -> bool {
    matches!(value, Value::Int(_) | Value::Float(_))
}

/// A value in a cell: text as it is, a list or a map on one line.
fn cell(value: &Value) -> String {
    match value {
        Value::Object(object) => cell(&object.show()),
        Value::Text(text) => plain(&text.to_string()).replace('\t', "    "),
        Value::List(_) | Value::Map(_) => inner(value),
        other => other.to_string(),
    }
}

fn inner(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Object(object) => inner(&object.show()),
        Value::List(list) => list.iter().map(nested).collect::<Vec<_>>().join(", "),
        Value::Map(map) => {
            let pairs = map
                .iter()
                .map(|(key, value)| format!("{}={}", plain(key), nested(value)));
            pairs.collect::<Vec<_>>().join(", ")
        }
        Value::Text(text) => {
            let text = plain(&text.to_string()).replace(['\n', '\t'], " ");
            match text.char_indices().nth(LONGEST_INNER) {
                Some((end, _)) => format!("{}...", text.get(..end).unwrap_or(&text)),
                None => text,
            }
        }
        other => other.to_string(),
    }
}

/// Inside of a list or map, further ones are bracketed.
fn nested(value: &Value) -> String {
    match value {
        Value::List(_) => format!("[{}]", inner(value)),
        Value::Map(_) => format!("{{{}}}", inner(value)),
        Value::Object(object) => nested(&object.show()),
        other => inner(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;
    use crate::secret::Secret;
    use proptest::prelude::*;

    fn shape(width: usize) -> Shape {
        Shape { width, rows: None }
    }

    fn services() -> Value {
        Value::List(vec![
            Value::Map(map! { "name" => "identity", "running" => 2_i64, "cpu" => 256_i64 }),
            Value::Map(map! { "name" => "worker", "cpu" => 1024_i64, "note" => "new" }),
        ])
    }

    #[test]
    fn a_list_of_maps_has_a_column_for_each_key() {
        assert_eq!(
            render(&services(), shape(80)),
            "\
╭──────────┬─────────┬──────┬──────╮
│ name     │ running │ cpu  │ note │
├──────────┼─────────┼──────┼──────┤
│ identity │       2 │  256 │      │
│ worker   │         │ 1024 │ new  │
╰──────────┴─────────┴──────┴──────╯"
        );
    }

    #[test]
    fn a_map_has_two_columns_and_hides_secrets() {
        let value = Value::Map(map! {
            "host" => "db.example.org",
            "port" => 1433_i64,
            "password" => Secret::new("swordfish"),
            "zones" => vec!["a".to_owned(), "b".to_owned()],
            "tags" => map! { "owner" => "me", "list" => vec![Value::Int(1), Value::Null] },
        });
        assert_eq!(
            render(&value, shape(80)),
            "\
╭──────────┬───────────────────────╮
│ host     │ db.example.org        │
│ port     │ 1433                  │
│ password │ ********              │
│ zones    │ a, b                  │
│ tags     │ owner=me, list=[1, -] │
╰──────────┴───────────────────────╯"
        );
    }

    #[test]
    fn a_wide_table_is_wrapped_where_it_is_widest() {
        let value = Value::List(vec![Value::Map(map! {
            "name" => "identity",
            "reason" => "the task stopped because its essential container could not be started again",
        })]);
        assert_eq!(
            render(&value, shape(40)),
            "\
╭──────────┬───────────────────────────╮
│ name     │ reason                    │
├──────────┼───────────────────────────┤
│ identity │ the task stopped because  │
│          │ its essential container   │
│          │ could not be started      │
│          │ again                     │
╰──────────┴───────────────────────────╯"
        );
    }

    #[test]
    fn more_columns_than_fit_become_a_table_for_each_row() {
        assert_eq!(
            render(&services(), shape(24)),
            "\
╭─────────┬──────────╮
│ name    │ identity │
│ running │ 2        │
│ cpu     │ 256      │
╰─────────┴──────────╯
╭──────┬────────╮
│ name │ worker │
│ cpu  │ 1024   │
│ note │ new    │
╰──────┴────────╯"
        );
    }

    #[test]
    fn the_prompt_counts_the_rows_that_it_leaves_out() {
        let value = Value::List((0..42).map(Value::from).collect());
        let shape = Shape {
            width: 80,
            rows: Some(2),
        };
        let text = render(&value, shape);
        assert!(text.contains("... 40 more"), "{text}");
        assert_eq!(text.lines().count(), 5, "{text}");
    }

    #[test]
    fn plain_values_are_themselves() {
        assert_eq!(render(&Value::text("a\x1b[31mb\u{7}"), shape(80)), "ab");
        assert_eq!(render(&Value::Int(3), shape(80)), "3");
        assert_eq!(render(&Value::Null, shape(80)), "");
        assert_eq!(render(&Value::List(Vec::new()), shape(80)), "(none)");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_terminal(
            rows in prop::collection::vec(prop::collection::vec("\\PC{0,60}", 3), 1..5),
            width in 24_usize..120,
        ) {
            let rows = rows.into_iter().map(|row| {
                let keys = ["first", "second", "third"].into_iter().map(str::to_owned);
                Value::Map(keys.zip(row.into_iter().map(Value::from)).collect())
            });
            let text = render(&Value::List(rows.collect()), shape(width));
            for line in text.lines() {
                prop_assert!(line.width() <= width, "{} > {width}: {line}", line.width());
            }
        }
    }
}
