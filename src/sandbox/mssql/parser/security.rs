//! Logins, users, roles and permissions.

use super::Parser;
use crate::sandbox::mssql::ast::{Kind, Name};
use crate::sandbox::mssql::errors::{Result, SqlError};

impl Parser<'_> {
    pub(super) fn create_principal(&mut self) -> Result<Kind> {
        let line = self.line();
        if self.accept("LOGIN") {
            let name = self.identifier()?;
            return self.login(name, false);
        }
        if self.accept("USER") {
            let name = self.identifier()?;
            let login = if (self.is("FOR") || self.is("FROM")) && self.is_after(1, "LOGIN") {
                self.at += 2;
                Some(self.identifier()?)
            } else if self.is("WITHOUT") || self.is("WITH") {
                return Err(SqlError::unsupported("users without a login").at(line));
            } else {
                None
            };
            if self.is("WITH") && self.is_after(1, "DEFAULT_SCHEMA") {
                self.at += 2;
                self.expect_op("=")?;
                let schema = self.identifier()?;
                if !schema.eq_ignore_ascii_case("dbo") {
                    return Err(SqlError::unsupported("a default schema other than dbo").at(line));
                }
            }
            return Ok(Kind::CreateUser { name, login });
        }
        self.expect("ROLE")?;
        let name = self.identifier()?;
        if self.accept("AUTHORIZATION") {
            self.identifier()?;
        }
        Ok(Kind::CreateRole(name))
    }

    /// `WITH PASSWORD = '...', CHECK_POLICY = OFF, DEFAULT_DATABASE = ...`
    fn login(&mut self, name: String, alter: bool) -> Result<Kind> {
        let line = self.line();
        if !self.accept("WITH") {
            return Err(SqlError::unsupported("a login without WITH PASSWORD").at(line));
        }
        self.expect("PASSWORD")?;
        self.expect_op("=")?;
        let password = self.expr()?;
        if self.is("HASHED") || self.is("MUST_CHANGE") {
            return Err(SqlError::unsupported("HASHED and MUST_CHANGE passwords").at(line));
        }
        while self.accept_op(",") {
            let option = self.identifier()?;
            self.expect_op("=")?;
            let known = ["CHECK_POLICY", "CHECK_EXPIRATION", "DEFAULT_LANGUAGE"]
                .iter()
                .any(|known| option.eq_ignore_ascii_case(known));
            let master = option.eq_ignore_ascii_case("DEFAULT_DATABASE") && self.is("MASTER");
            if !known && !master {
                return Err(SqlError::unsupported(format!("the login option {option}")).at(line));
            }
            // No password policy is kept here, as under OFF; expiration is off.
            if self.accept("ON") || self.accept("OFF") {
                continue;
            }
            self.identifier()?;
        }
        Ok(Kind::CreateLogin { name, password, alter })
    }

    pub(super) fn alter_principal(&mut self) -> Result<Kind> {
        let line = self.line();
        if self.accept("LOGIN") {
            let name = self.identifier()?;
            return self.login(name, true);
        }
        let server = self.accept("SERVER");
        if self.accept("ROLE") {
            let role = self.identifier()?;
            let add = if self.accept("ADD") {
                true
            } else {
                self.expect("DROP")?;
                false
            };
            self.expect("MEMBER")?;
            let member = self.identifier()?;
            return Ok(Kind::RoleMember {
                role,
                member,
                add,
                server,
            });
        }
        Err(SqlError::unsupported("ALTER USER").at(line))
    }

    pub(super) fn grant(&mut self, word: &str) -> Result<Kind> {
        self.at += 1;
        let line = self.line();
        let mut permissions = Vec::new();
        loop {
            let mut words = Vec::new();
            while let Some(token) = self.token() {
                if self.is("ON") || self.is("TO") || self.is("FROM") || self.is_op(",") || self.is_op("(") {
                    break;
                }
                words.push(token.text.to_ascii_uppercase());
                self.at += 1;
            }
            if words.is_empty() || self.is_op("(") {
                return Err(SqlError::unsupported("permissions on columns").at(line));
            }
            permissions.push(words.join(" "));
            if !self.accept_op(",") {
                break;
            }
        }
        let mut on = None;
        if self.accept("ON") {
            let mut name = self.name()?;
            if self.accept_op("::") {
                let class = name.last().to_ascii_uppercase();
                name = self.name()?;
                match class.as_str() {
                    "OBJECT" => {}
                    // A schema is a name with an empty last part.
                    "SCHEMA" => name = Name(vec![name.last().to_owned(), String::new()]),
                    _ => return Err(SqlError::unsupported(format!("permissions on {class}")).at(line)),
                }
            }
            on = Some(name);
        }
        if !self.accept("TO") {
            self.expect("FROM")?;
        }
        let to = self.identifier()?;
        if self.is("WITH") || self.is("AS") {
            return Err(SqlError::unsupported("WITH GRANT OPTION").at(line));
        }
        Ok(Kind::Grant {
            deny: word == "DENY",
            revoke: word == "REVOKE",
            permissions,
            on,
            to,
        })
    }
}
