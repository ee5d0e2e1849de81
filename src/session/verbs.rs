//! Verbs that belong to no service.

use crate::error::{Error, Result, nearest};
use crate::resource::Verb;
use crate::resource::verb::Anything;
use crate::value::{Map, Value};

/// `table::`.
pub fn all() -> Vec<Verb> {
    vec![
        Verb::reads(
            "table",
            "columns",
            "The rows of a listing with these columns only, in this order: \
             `table::columns(ec2::subnets(), [\"name\", \"cidr\"])`.",
        )
        .param::<Vec<Anything>>("rows", "a list of maps, as every listing gives")
        .param::<Vec<String>>("columns", "the names of the columns")
        .run(async |_, args| {
            let mut args = args.into_iter();
            let rows = args.next().unwrap_or_default();
            let columns: Vec<String> = args.next().unwrap_or_default().read()?;
            columns_of(rows, &columns)
        }),
    ]
}

fn columns_of(rows: Value, columns: &[String]) -> Result<Value> {
    let Value::List(rows) = rows else { return Ok(rows) };
    let mut chosen = Vec::with_capacity(rows.len());
    for row in &rows {
        let Value::Map(row) = row else {
            return Err(Error::failed(format!("a row must be a map, not {}", row.type_name())));
        };
        let mut part = Map::with_capacity(columns.len());
        for column in columns {
            part.insert(column.clone(), row.get(column).cloned().unwrap_or_default());
        }
        chosen.push(Value::Map(part));
    }
    // A column that no row has is a slip; one that some rows lack is an empty cell.
    let known = |column: &&String| {
        rows.iter()
            .any(|row| row.as_map().is_some_and(|row| row.contains_key(*column)))
    };
    if let Some(strange) = columns.iter().find(|column| !rows.is_empty() && !known(column)) {
        let names: Vec<_> = rows
            .iter()
            .filter_map(Value::as_map)
            .flat_map(Map::keys)
            .map(String::as_str)
            .collect();
        let error = Error::failed(format!("no row has a column `{strange}`"));
        return Err(match nearest(strange, names.iter().copied()) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        });
    }
    Ok(Value::List(chosen))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;

    #[test]
    fn columns_come_in_the_order_that_was_asked_for() {
        let rows = Value::List(vec![Value::Map(map! { "id" => "a", "name" => "b", "size" => 3_i64 })]);
        let names = |columns: &[&str]| columns.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let chosen = columns_of(rows.clone(), &names(&["size", "id"])).unwrap();
        assert_eq!(chosen.to_json().to_string(), r#"[{"size":3,"id":"a"}]"#);
        let error = columns_of(rows, &names(&["sice"])).unwrap_err();
        assert_eq!(
            (error.message(), error.help()),
            ("no row has a column `sice`", Some("did you mean `size`?"))
        );
    }
}
