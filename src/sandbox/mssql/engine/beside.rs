//! EXEC of a procedure that stands beside SQL Server's own.

use std::sync::Arc;

use super::Engine;
use super::exec::Given;
use crate::sandbox::mssql::ast::Name;
use crate::sandbox::mssql::beside::{Beside, Procedure};
use crate::sandbox::mssql::catalog::same;
use crate::sandbox::mssql::errors::{Result, SqlError};
use crate::sandbox::mssql::tds::token::Column;
use crate::sandbox::mssql::value::{Value, cast};

impl Engine {
    /// Runs `msdb.dbo.NAME`, where there is one. `false`: there is none of that name.
    pub(super) fn run_beside(&mut self, name: &Name, given: &[Given]) -> Result<bool> {
        let Some((beside, procedure)) = self.found_beside(name) else {
            return Ok(false);
        };
        // RDS User Guide, "Importing and exporting SQL Server databases using native backup and restore": calling the
        // procedures within a transaction isn't supported. The guide does not give the words.
        self.refuse_in_transaction(&format!("EXECUTE {}", procedure.name))?;
        let denied = format!(
            "The EXECUTE permission was denied on the object '{}', database 'msdb', schema 'dbo'.",
            procedure.name
        );
        self.need_admin(&denied, 229)?;
        let answer = beside.run(procedure.name, &bind(&procedure, given)?)?;
        if let Some(message) = answer.message {
            let mut info = SqlError::new(0, 0, message);
            info.state = 1;
            self.out.info(&info);
        }
        let column = |(name, sql_type): &(&str, _)| Column {
            name: (*name).to_owned(),
            sql_type: *sql_type,
            nullable: true,
            identity: false,
        };
        let columns: Vec<_> = answer.columns.iter().map(column).collect();
        self.out.columns(&columns);
        for row in &answer.rows {
            self.out.row(&columns, row)?;
        }
        self.rows = i64::try_from(answer.rows.len()).unwrap_or(i64::MAX);
        self.finish_rows();
        Ok(true)
    }

    fn found_beside(&self, name: &Name) -> Option<(Arc<dyn Beside>, Procedure)> {
        let beside = self.beside.clone()?;
        let [database, schema, bare] = name.0.as_slice() else {
            return None;
        };
        let is_there = same(database, "msdb") && (schema.is_empty() || same(schema, "dbo"));
        let procedures = beside.procedures().iter().filter(|_| is_there);
        let found = procedures.copied().find(|procedure| same(procedure.name, bare))?;
        Some((beside, found))
    }
}

/// The arguments in the order of the parameters.
fn bind(procedure: &Procedure, given: &[Given]) -> Result<Vec<Value>> {
    let mut bound = vec![Value::Null; procedure.parameters.len()];
    for (at, given) in given.iter().enumerate() {
        let place = match &given.name {
            Some(name) => {
                let bare = name.trim_start_matches('@');
                let found = procedure
                    .parameters
                    .iter()
                    .position(|parameter| parameter.name.eq_ignore_ascii_case(bare));
                found.ok_or_else(|| {
                    let text = format!("@{bare} is not a parameter for procedure {}.", procedure.name);
                    SqlError::new(8145, 16, text)
                })?
            }
            None => at,
        };
        let (Some(parameter), Some(slot)) = (procedure.parameters.get(place), bound.get_mut(place)) else {
            let text = format!(
                "Procedure or function {} has too many arguments specified.",
                procedure.name
            );
            return Err(SqlError::new(8144, 16, text));
        };
        *slot = cast(&given.value, given.sql_type, parameter.sql_type)?;
    }
    for (parameter, value) in procedure.parameters.iter().zip(&bound) {
        if parameter.required && value.is_null() {
            return Err(SqlError::new(
                201,
                16,
                format!(
                    "Procedure or function '{}' expects parameter '@{}', which was not supplied.",
                    procedure.name, parameter.name
                ),
            ));
        }
    }
    Ok(bound)
}
