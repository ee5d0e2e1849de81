//! CREATE, ALTER and DROP. Source: "Data Definition Language (DDL) statements".

use super::Parser;
use crate::mssql::lexer::Kind as TokenKind;
use crate::sandbox::mssql::ast::{
    Action, Change, ColumnDefinition, Constraint, ConstraintKind, IndexDefinition, Kind, Name, TableDefinition,
};
use crate::sandbox::mssql::errors::{Result, SqlError};

impl Parser<'_> {
    pub(super) fn create(&mut self) -> Result<Kind> {
        let line = self.line();
        self.expect("CREATE")?;
        let alter = self.is("OR") && self.is_after(1, "ALTER");
        if alter {
            self.at += 2;
        }
        let Some(token) = self.token() else {
            return Err(self.unexpected());
        };
        match token.text.to_ascii_uppercase().as_str() {
            "TABLE" => {
                self.at += 1;
                let name = self.table_name()?;
                Ok(Kind::CreateTable(Box::new(self.table_body(name)?)))
            }
            "UNIQUE" | "CLUSTERED" | "NONCLUSTERED" | "INDEX" => self.create_index(),
            "SCHEMA" => {
                self.at += 1;
                let name = self.identifier()?;
                if self.accept("AUTHORIZATION") {
                    self.identifier()?;
                }
                Ok(Kind::CreateSchema(name))
            }
            "DATABASE" => {
                self.at += 1;
                let name = self.identifier()?;
                if self.accept("COLLATE") {
                    self.collation()?;
                }
                if self.token().is_some()
                    && (self.is("ON") || self.is("CONTAINMENT") || self.is("WITH") || self.is_op("("))
                {
                    return Err(SqlError::unsupported("files and options of CREATE DATABASE").at(self.line()));
                }
                Ok(Kind::CreateDatabase(name))
            }
            "VIEW" => {
                self.at += 1;
                self.view(alter, true)
            }
            "LOGIN" | "USER" | "ROLE" => self.create_principal(),
            other => Err(SqlError::unsupported(format!("CREATE {other}")).at(line)),
        }
    }

    fn view(&mut self, alter: bool, create: bool) -> Result<Kind> {
        let name = self.name()?;
        let columns = if self.is_op("(") {
            self.identifiers()?
        } else {
            Vec::new()
        };
        if self.is("WITH") {
            return Err(SqlError::unsupported("options of a view (WITH)").at(self.line()));
        }
        self.expect("AS")?;
        let start = self.at;
        self.query()?;
        let text = self.text_since(start);
        Ok(Kind::CreateView {
            name,
            columns,
            text,
            alter,
            create,
        })
    }

    /// Only the collation that this server has, under its usual names.
    fn collation(&mut self) -> Result<()> {
        let line = self.line();
        let collation = self.identifier()?;
        if collation.to_ascii_uppercase().contains("_CI_") {
            Ok(())
        } else {
            Err(SqlError::unsupported(format!("the collation {collation}: comparisons ignore case")).at(line))
        }
    }

    pub(super) fn table_body(&mut self, name: Name) -> Result<TableDefinition> {
        if self.is("AS") {
            return Err(SqlError::unsupported("graph and file tables").at(self.line()));
        }
        self.expect_op("(")?;
        let mut table = TableDefinition {
            name,
            columns: Vec::new(),
            constraints: Vec::new(),
        };
        loop {
            if self.is_op(")") && !table.columns.is_empty() {
                break;
            }
            if self.table_constraint_follows() {
                table.constraints.push(self.table_constraint()?);
            } else if self.is("INDEX") {
                return Err(SqlError::unsupported("an index inside of CREATE TABLE").at(self.line()));
            } else if self.is("PERIOD") {
                return Err(SqlError::unsupported("temporal tables").at(self.line()));
            } else {
                table.columns.push(self.column_definition()?);
            }
            if !self.accept_op(",") {
                break;
            }
        }
        self.expect_op(")")?;
        self.storage()?;
        Ok(table)
    }

    /// `ON [PRIMARY]`, `TEXTIMAGE_ON [PRIMARY]`: where it is kept, which is the same for all here.
    fn storage(&mut self) -> Result<()> {
        while (self.is("ON") || self.is("TEXTIMAGE_ON"))
            && self
                .token_after(1)
                .is_some_and(|token| token.value.eq_ignore_ascii_case("PRIMARY"))
        {
            self.at += 2;
        }
        if self.is("ON") && self.is_identifier() {
            return Err(SqlError::unsupported("file groups and partitions").at(self.line()));
        }
        Ok(())
    }

    fn table_constraint_follows(&self) -> bool {
        ["CONSTRAINT", "PRIMARY", "UNIQUE", "FOREIGN", "CHECK"]
            .iter()
            .any(|word| self.is(word))
    }

    fn table_constraint(&mut self) -> Result<Constraint> {
        let name = if self.accept("CONSTRAINT") {
            Some(self.identifier()?)
        } else {
            None
        };
        let kind = if self.is("PRIMARY") || self.is("UNIQUE") {
            self.key(true, None)?
        } else if self.accept("FOREIGN") {
            self.expect("KEY")?;
            let columns = self.identifiers()?;
            self.references(columns)?
        } else if self.accept("CHECK") {
            self.check()?
        } else if self.accept("DEFAULT") {
            let text = self.default_text()?;
            let column = if self.accept("FOR") {
                Some(self.identifier()?)
            } else {
                None
            };
            self.with_values()?;
            ConstraintKind::Default { text, column }
        } else {
            return Err(self.unexpected());
        };
        Ok(Constraint { name, kind })
    }

    fn with_values(&mut self) -> Result<()> {
        if self.is("WITH") && self.is_after(1, "VALUES") {
            return Err(SqlError::unsupported("DEFAULT ... WITH VALUES").at(self.line()));
        }
        Ok(())
    }

    fn key(&mut self, table: bool, column: Option<&str>) -> Result<ConstraintKind> {
        let primary = self.accept("PRIMARY");
        if primary {
            self.expect("KEY")?;
        } else {
            self.expect("UNIQUE")?;
        }
        let clustered = if self.accept("CLUSTERED") {
            Some(true)
        } else if self.accept("NONCLUSTERED") {
            Some(false)
        } else {
            None
        };
        let columns = if table {
            self.key_columns()?
        } else {
            vec![(column.unwrap_or_default().to_owned(), false)]
        };
        self.index_options()?;
        self.storage()?;
        Ok(ConstraintKind::Key {
            primary,
            clustered,
            columns,
        })
    }

    fn key_columns(&mut self) -> Result<Vec<(String, bool)>> {
        self.expect_op("(")?;
        let mut columns = Vec::new();
        loop {
            let name = self.identifier()?;
            let descending = self.accept("DESC");
            if !descending {
                self.accept("ASC");
            }
            columns.push((name, descending));
            if !self.accept_op(",") {
                break;
            }
        }
        self.expect_op(")")?;
        Ok(columns)
    }

    /// `WITH (PAD_INDEX = OFF, ...)`: how it is stored. What would change its meaning is refused.
    fn index_options(&mut self) -> Result<()> {
        if !(self.is("WITH") && self.is_op_after(1, "(")) {
            return Ok(());
        }
        self.at += 2;
        loop {
            let line = self.line();
            let Some(option) = self.token().map(|token| token.text.to_ascii_uppercase()) else {
                return Err(self.unexpected());
            };
            self.at += 1;
            self.expect_op("=")?;
            let Some(value) = self.token().map(|token| token.text.to_ascii_uppercase()) else {
                return Err(self.unexpected());
            };
            self.at += 1;
            if matches!(option.as_str(), "IGNORE_DUP_KEY" | "DROP_EXISTING") && value != "OFF" {
                return Err(SqlError::unsupported(format!("the index option {option}")).at(line));
            }
            if !self.accept_op(",") {
                break;
            }
        }
        self.expect_op(")")
    }

    fn references(&mut self, columns: Vec<String>) -> Result<ConstraintKind> {
        self.expect("REFERENCES")?;
        let table = self.name()?;
        let referenced = if self.is_op("(") {
            self.identifiers()?
        } else {
            Vec::new()
        };
        let (mut on_delete, mut on_update) = (Action::NoAction, Action::NoAction);
        while self.is("ON") && (self.is_after(1, "DELETE") || self.is_after(1, "UPDATE")) {
            let delete = self.is_after(1, "DELETE");
            self.at += 2;
            let action = if self.accept("CASCADE") {
                Action::Cascade
            } else if self.accept("NO") {
                self.expect("ACTION")?;
                Action::NoAction
            } else {
                self.expect("SET")?;
                if self.accept("NULL") {
                    Action::SetNull
                } else {
                    self.expect("DEFAULT")?;
                    Action::SetDefault
                }
            };
            *(if delete { &mut on_delete } else { &mut on_update }) = action;
        }
        Ok(ConstraintKind::Foreign {
            columns,
            table,
            referenced,
            on_delete,
            on_update,
        })
    }

    fn check(&mut self) -> Result<ConstraintKind> {
        self.expect_op("(")?;
        let start = self.at;
        self.expr()?;
        let text = self.text_since(start);
        self.expect_op(")")?;
        Ok(ConstraintKind::Check { text })
    }

    fn default_text(&mut self) -> Result<String> {
        let start = self.at;
        // Not a comparison: `DEFAULT 0 NOT NULL` goes on with the next property.
        if self.is_op("(") {
            self.at += 1;
            self.expr()?;
            self.expect_op(")")?;
        } else {
            self.default_value()?;
        }
        Ok(self.text_since(start))
    }

    /// A literal with its sign, or a call.
    fn default_value(&mut self) -> Result<()> {
        while self.accept_op("-") || self.accept_op("+") {}
        let Some(token) = self.token().cloned() else {
            return Err(self.unexpected());
        };
        match token.kind {
            TokenKind::Number | TokenKind::Text | TokenKind::Binary => {
                self.at += 1;
                Ok(())
            }
            TokenKind::Word if self.accept("NULL") || self.accept("CURRENT_TIMESTAMP") => Ok(()),
            TokenKind::Word | TokenKind::Bracketed => {
                if !self.accept("CONVERT") {
                    self.name()?;
                }
                if self.is_op("(") {
                    let mut open = 0;
                    loop {
                        if self.is_op("(") {
                            open += 1;
                        } else if self.is_op(")") {
                            open -= 1;
                        } else if self.token().is_none() {
                            return Err(self.unexpected());
                        }
                        self.at += 1;
                        if open == 0 {
                            break;
                        }
                    }
                }
                Ok(())
            }
            _ => Err(self.unexpected()),
        }
    }

    fn column_definition(&mut self) -> Result<ColumnDefinition> {
        let name = self.identifier()?;
        let line = self.line();
        if self.is("AS") {
            return Err(SqlError::unsupported("computed columns").at(line));
        }
        let sql_type = self.sql_type().map_err(|error| {
            if error.number == 2715 {
                let message = error
                    .message
                    .replace("Column, parameter, or variable #1", &format!("Column \"{name}\""));
                SqlError { message, ..error }
            } else {
                error
            }
        })?;
        let mut column = ColumnDefinition {
            name,
            sql_type,
            nullable: None,
            identity: None,
            constraints: Vec::new(),
        };
        loop {
            if self.accept("NULL") {
                column.nullable = Some(true);
            } else if self.is("NOT") && self.is_after(1, "NULL") {
                self.at += 2;
                column.nullable = Some(false);
            } else if self.accept("IDENTITY") {
                column.identity = Some((1, 1));
                if self.accept_op("(") {
                    let seed = self.integer()?;
                    self.expect_op(",")?;
                    column.identity = Some((seed, self.integer()?));
                    self.expect_op(")")?;
                }
            } else if self.accept("COLLATE") {
                self.collation()?;
            } else if [
                "CONSTRAINT",
                "PRIMARY",
                "UNIQUE",
                "REFERENCES",
                "FOREIGN",
                "CHECK",
                "DEFAULT",
            ]
            .iter()
            .any(|word| self.is(word))
            {
                let constraint = self.column_constraint(&column.name)?;
                column.constraints.push(constraint);
            } else if [
                "SPARSE",
                "FILESTREAM",
                "ROWGUIDCOL",
                "ENCRYPTED",
                "MASKED",
                "GENERATED",
                "HIDDEN",
            ]
            .iter()
            .any(|word| self.is(word))
            {
                return Err(SqlError::unsupported("this property of a column").at(self.line()));
            } else {
                return Ok(column);
            }
        }
    }

    fn column_constraint(&mut self, column: &str) -> Result<Constraint> {
        let name = if self.accept("CONSTRAINT") {
            Some(self.identifier()?)
        } else {
            None
        };
        let kind = if self.is("PRIMARY") || self.is("UNIQUE") {
            self.key(false, Some(column))?
        } else if self.is("REFERENCES") || self.is("FOREIGN") {
            if self.accept("FOREIGN") {
                self.expect("KEY")?;
            }
            self.references(vec![column.to_owned()])?
        } else if self.accept("CHECK") {
            self.check()?
        } else if self.accept("DEFAULT") {
            let text = self.default_text()?;
            self.with_values()?;
            ConstraintKind::Default {
                text,
                column: Some(column.to_owned()),
            }
        } else {
            return Err(self.unexpected());
        };
        Ok(Constraint { name, kind })
    }

    fn create_index(&mut self) -> Result<Kind> {
        let unique = self.accept("UNIQUE");
        let clustered = self.accept("CLUSTERED");
        if !clustered {
            self.accept("NONCLUSTERED");
        }
        if self.is("COLUMNSTORE") {
            return Err(SqlError::unsupported("columnstore indexes").at(self.line()));
        }
        self.expect("INDEX")?;
        let name = self.identifier()?;
        self.expect("ON")?;
        let table = self.name()?;
        let columns = self.key_columns()?;
        let include = if self.accept("INCLUDE") {
            self.identifiers()?
        } else {
            Vec::new()
        };
        let filter = if self.accept("WHERE") {
            let start = self.at;
            self.expr()?;
            Some(self.text_since(start))
        } else {
            None
        };
        self.index_options()?;
        self.storage()?;
        Ok(Kind::CreateIndex(
            Box::new(IndexDefinition {
                name,
                unique,
                clustered,
                columns,
                include,
                filter,
            }),
            table,
        ))
    }

    pub(super) fn alter(&mut self) -> Result<Kind> {
        let line = self.line();
        self.expect("ALTER")?;
        if self.accept("TABLE") {
            return self.alter_table();
        }
        if self.accept("DATABASE") {
            return self.alter_database();
        }
        if self.accept("VIEW") {
            return self.view(true, false);
        }
        if self.accept("AUTHORIZATION") {
            self.expect("ON")?;
            self.name()?;
            self.expect_op("::")?;
            self.name()?;
            self.expect("TO")?;
            self.name()?;
            return Ok(Kind::AlterAuthorization);
        }
        if self.is("LOGIN") || self.is("ROLE") || self.is("SERVER") || self.is("USER") {
            return self.alter_principal();
        }
        let what = self
            .token()
            .map(|token| token.text.to_ascii_uppercase())
            .unwrap_or_default();
        Err(SqlError::unsupported(format!("ALTER {what}")).at(line))
    }

    fn alter_table(&mut self) -> Result<Kind> {
        let table = self.name()?;
        let line = self.line();
        let mut check = true;
        if self.is("WITH") && (self.is_after(1, "CHECK") || self.is_after(1, "NOCHECK")) {
            check = self.is_after(1, "CHECK");
            self.at += 2;
        }
        if self.accept("ADD") {
            let (mut columns, mut constraints) = (Vec::new(), Vec::new());
            loop {
                if self.table_constraint_follows() || self.is("DEFAULT") {
                    constraints.push(self.table_constraint()?);
                } else {
                    columns.push(self.column_definition()?);
                }
                if !self.accept_op(",") {
                    break;
                }
            }
            return Ok(Kind::AlterTable {
                table,
                change: Change::Add {
                    columns,
                    constraints,
                    check,
                },
            });
        }
        if self.accept("ALTER") {
            self.expect("COLUMN")?;
            let column = self.column_definition()?;
            if column.identity.is_some() || !column.constraints.is_empty() {
                return Err(self.unexpected());
            }
            return Ok(Kind::AlterTable {
                table,
                change: Change::AlterColumn(Box::new(column)),
            });
        }
        if self.accept("DROP") {
            let (mut columns, mut constraints, mut if_exists) = (Vec::new(), Vec::new(), false);
            let mut column = false;
            loop {
                if self.accept("COLUMN") {
                    column = true;
                } else if self.accept("CONSTRAINT") {
                    column = false;
                }
                if self.is("IF") && self.is_after(1, "EXISTS") {
                    self.at += 2;
                    if_exists = true;
                }
                let name = self.identifier()?;
                if column {
                    columns.push(name)
                } else {
                    constraints.push(name)
                }
                if !self.accept_op(",") {
                    break;
                }
            }
            return Ok(Kind::AlterTable {
                table,
                change: Change::Drop {
                    columns,
                    constraints,
                    if_exists,
                },
            });
        }
        if self.is("CHECK") || self.is("NOCHECK") {
            let on = self.accept("CHECK") || !self.accept("NOCHECK");
            self.expect("CONSTRAINT")?;
            if self.is("ALL") {
                return Err(SqlError::unsupported("CHECK and NOCHECK of all constraints").at(line));
            }
            let constraint = self.identifier()?;
            return Ok(Kind::AlterTable {
                table,
                change: Change::Trust { constraint, on },
            });
        }
        let what = self
            .token()
            .map(|token| token.text.to_ascii_uppercase())
            .unwrap_or_default();
        Err(SqlError::unsupported(format!("ALTER TABLE ... {what}")).at(line))
    }

    /// Options that hold here anyway, and those about who may be connected. Others would be a silent yes.
    fn alter_database(&mut self) -> Result<Kind> {
        let name = if self.accept("CURRENT") {
            None
        } else {
            Some(self.identifier()?)
        };
        let line = self.line();
        if self.is("MODIFY") || self.is("ADD") || self.is("REMOVE") || self.is("COLLATE") {
            let what = self
                .token()
                .map(|token| token.text.to_ascii_uppercase())
                .unwrap_or_default();
            return Err(SqlError::unsupported(format!("ALTER DATABASE ... {what}")).at(line));
        }
        self.expect("SET")?;
        let mut words = Vec::new();
        while let Some(token) = self.token() {
            let part = match token.kind {
                TokenKind::Word
                    if self.is_identifier()
                        || ["ON", "OFF", "READ", "WITH", "ROLLBACK"]
                            .contains(&token.text.to_ascii_uppercase().as_str()) =>
                {
                    token.text.to_ascii_uppercase()
                }
                TokenKind::Operator if token.text == "=" => "=".to_owned(),
                TokenKind::Number => token.text.clone(),
                _ => break,
            };
            words.push(part);
            self.at += 1;
        }
        let option = words.join(" ");
        let bare = option.split(" WITH ROLLBACK").next().unwrap_or(&option).to_owned();
        let bare = bare.strip_suffix(" WITH NO_WAIT").unwrap_or(&bare).to_owned();
        // Reads see what is committed and never block: that is READ_COMMITTED_SNAPSHOT.
        const HOLD: [&str; 16] = [
            "READ_COMMITTED_SNAPSHOT ON",
            "ALLOW_SNAPSHOT_ISOLATION ON",
            "MULTI_USER",
            "SINGLE_USER",
            "ONLINE",
            "READ_WRITE",
            "AUTO_CLOSE OFF",
            "AUTO_SHRINK OFF",
            "ANSI_NULLS ON",
            "ANSI_PADDING ON",
            "ANSI_WARNINGS ON",
            "ARITHABORT ON",
            "QUOTED_IDENTIFIER ON",
            "CONCAT_NULL_YIELDS_NULL ON",
            "RECOVERY SIMPLE",
            "RECOVERY FULL",
        ];
        if !HOLD.contains(&bare.as_str()) {
            return Err(SqlError::unsupported(format!("ALTER DATABASE ... SET {bare}")).at(line));
        }
        Ok(Kind::AlterDatabase {
            name,
            effective: bare == "SINGLE_USER" || bare == "MULTI_USER",
            option,
        })
    }

    pub(super) fn drop(&mut self) -> Result<Kind> {
        let line = self.line();
        self.expect("DROP")?;
        let Some(token) = self.token() else {
            return Err(self.unexpected());
        };
        let word = token.text.to_ascii_uppercase();
        let what = match word.as_str() {
            "TABLE" => "table",
            "VIEW" => "view",
            "SCHEMA" => "schema",
            "DATABASE" => "database",
            "LOGIN" => "login",
            "USER" => "user",
            "ROLE" => "role",
            "INDEX" => "index",
            "PROCEDURE" | "PROC" => "procedure",
            "FUNCTION" => "function",
            "TRIGGER" => "trigger",
            "SEQUENCE" => "sequence",
            "SYNONYM" => "synonym",
            "TYPE" => "type",
            other => return Err(SqlError::unsupported(format!("DROP {other}")).at(line)),
        };
        self.at += 1;
        let if_exists = self.is("IF") && self.is_after(1, "EXISTS");
        if if_exists {
            self.at += 2;
        }
        if what == "index" {
            let index = self.name()?;
            if self.accept("ON") {
                let table = self.name()?;
                return Ok(Kind::DropIndex {
                    index: index.last().to_owned(),
                    table,
                    if_exists,
                });
            }
            // The old form: `DROP INDEX table.index`.
            let mut parts = index.0;
            let Some(index) = parts.pop().filter(|_| !parts.is_empty()) else {
                return Err(self.unexpected());
            };
            return Ok(Kind::DropIndex {
                index,
                table: Name(parts),
                if_exists,
            });
        }
        let mut names = vec![self.table_name()?];
        while self.accept_op(",") {
            names.push(self.table_name()?);
        }
        Ok(Kind::Drop { what, names, if_exists })
    }
}
