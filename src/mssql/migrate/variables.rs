//! `$(Name)` in a migration.
//!
//! Only this form is a variable: `$argon2id$...` is text. Inside a string or a quoted name the value is escaped as its
//! quotes ask for; in a comment nothing is replaced. A secret is refused, because the statement's text would carry it
//! to the server's logs and traces.

use std::collections::BTreeMap;

use super::files::{Migration, location};
use crate::error::{Error, Result, nearest};
use crate::mssql::batches::Batch;
use crate::mssql::lexer::{Kind, lex, scripting};

/// The value of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    Text(String),
    /// Someone gave a secret. Using it is an error.
    Secret,
}

/// The text of a batch with the values in the place of its variables.
pub(super) fn substitute(
    migration: &Migration,
    batch: &Batch<'_>,
    variables: &BTreeMap<String, Variable>,
) -> Result<String> {
    let mut sql = String::with_capacity(batch.text.len());
    for token in lex(batch.sql()) {
        let quote = match token.kind {
            Kind::Scripting => None,
            Kind::Text => Some('\''),
            Kind::Quoted => Some('"'),
            Kind::Bracketed => Some(']'),
            _ => {
                sql.push_str(token.text);
                continue;
            }
        };
        let mut rest = token.text;
        while let Some(start) = rest.find("$(") {
            let (before, variable) = rest.split_at(start);
            sql.push_str(before);
            let Some(length) = scripting(variable) else {
                sql.push_str("$(");
                rest = &variable[2..];
                continue;
            };
            let done = &token.text[..token.text.len() - variable.len()];
            let line = token.line + done.matches('\n').count();
            let name = &variable[2..length - 1];
            let value = value(name, variables)
                .map_err(|error| error.at(location(&migration.file, &migration.text, batch.script_line(line), 0)))?;
            match quote {
                Some(quote) => sql.push_str(&value.replace(quote, &format!("{quote}{quote}"))),
                None => sql.push_str(value),
            }
            rest = &variable[length..];
        }
        sql.push_str(rest);
    }
    Ok(sql)
}

fn value<'a>(name: &str, variables: &'a BTreeMap<String, Variable>) -> Result<&'a str> {
    // sqlcmd's names do not tell upper from lower case.
    let found = variables
        .iter()
        .find(|(candidate, _)| candidate.eq_ignore_ascii_case(name));
    match found {
        Some((_, Variable::Text(text))) if text.contains(['\n', '\r', '\0']) => {
            Err(Error::failed(format!("the value of $({name}) has a line break"))
                .note("the lines of errors would no longer be the lines of the file"))
        }
        Some((_, Variable::Text(text))) => Ok(text),
        Some((_, Variable::Secret)) => Err(Error::failed(format!("$({name}) is a secret"))
            .note("the text of a statement can be read in the server's logs and traces")
            .hint("do what needs the secret with `mssql::execute`, which sends it as a parameter")),
        None => {
            let error = Error::failed(format!("$({name}) has no value"));
            Err(match nearest(name, variables.keys().map(String::as_str)) {
                Some(right) => error.hint(format!("did you mean $({right})?")),
                None => error.hint(format!(
                    "give it with the option `variables: #{{{name}: ...}}`; for the text itself write '$' + '({name})'"
                )),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mssql::batches::split;

    fn substituted(text: &str) -> Result<String> {
        let migration = Migration {
            version: 1,
            name: "1_a.sql".to_owned(),
            file: "migrations/1_a.sql".to_owned(),
            text: text.to_owned(),
            checksum: String::new(),
            transactional: true,
        };
        let variables = BTreeMap::from([
            ("Owner".to_owned(), Variable::Text("O'Neill".to_owned())),
            ("Password".to_owned(), Variable::Secret),
        ]);
        let batches = split(text);
        substitute(&migration, batches.last().unwrap(), &variables)
    }

    #[test]
    fn a_value_is_escaped_as_its_place_asks() {
        assert_eq!(
            substituted("SELECT N'by $(owner)!', [$(Owner)], '$argon2id$v=19' -- $(Nobody)").unwrap(),
            "SELECT N'by O''Neill!', [O'Neill], '$argon2id$v=19' -- $(Nobody)"
        );
        assert_eq!(substituted("SELECT '$($(Owner)'").unwrap(), "SELECT '$(O''Neill'");
    }

    #[test]
    fn an_undefined_name_and_a_secret_are_errors_with_their_line() {
        let error = substituted("SELECT 1\nGO\nSELECT 'a\n$(Ownr)'").unwrap_err();
        assert_eq!(error.location().map(|place| place.line), Some(4));
        assert_eq!(error.help(), Some("did you mean $(Owner)?"));
        let error = substituted("SELECT 1\nGO\n$(Password)").unwrap_err();
        assert_eq!(error.location().map(|place| place.line), Some(3));
    }
}
