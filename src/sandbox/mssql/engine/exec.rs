//! The procedures that this server has, called by EXEC and by the client, and requests of the transaction manager.

use std::collections::HashMap;
use std::time::Duration;

use super::Engine;
use super::batch::Flow;
use crate::sandbox::mssql::ast::{Argument, Expr, Name};
use crate::sandbox::mssql::errors::{Effect, Result, SqlError};
use crate::sandbox::mssql::locks::{Mode, Owner};
use crate::sandbox::mssql::parser;
use crate::sandbox::mssql::tds::rpc::{Call, TransactionRequest};
use crate::sandbox::mssql::value::{SqlType, Value, cast};

/// An argument with its value.
pub(super) struct Given {
    pub(super) name: Option<String>,
    pub(super) sql_type: SqlType,
    pub(super) value: Value,
    /// The variable that gets the value back.
    variable: Option<String>,
}

fn missing(name: &Name) -> SqlError {
    SqlError::new(
        2812,
        16,
        format!("Could not find stored procedure '{}'.", name.display()),
    )
    .state(62)
}

impl Engine {
    /// A procedure call from the client.
    pub fn rpc(&mut self, call: &Call) {
        self.frames = vec![HashMap::new()];
        self.tries = 0;
        self.caught.clear();
        self.nest = 0;
        let status = match self.rpc_inner(call) {
            Ok(status) => status,
            Err(error) => {
                let error = error.at(1);
                self.last_error = error.number.into();
                self.out.error(&error);
                if self.xact_abort || error.effect == Effect::Transaction {
                    self.rollback_all();
                }
                1
            }
        };
        self.end_of_batch();
        self.out.finish_procedure(status);
    }

    fn rpc_inner(&mut self, call: &Call) -> Result<i32> {
        let name = parser::name(&call.procedure).unwrap_or_else(|| Name(vec![call.procedure.clone()]));
        let bare = name.last().to_lowercase();
        self.out.enter_procedure();
        if bare != "sp_executesql" {
            let given = call
                .parameters
                .iter()
                .map(|parameter| Given {
                    name: (!parameter.name.is_empty()).then(|| parameter.name.clone()),
                    sql_type: parameter.sql_type,
                    value: parameter.value.clone(),
                    variable: None,
                })
                .collect();
            return self.procedure(&name, given).map(|(status, _)| status as i32);
        }
        let mut parameters = call.parameters.iter();
        let text = parameters
            .next()
            .and_then(|parameter| parameter.value.as_str())
            .unwrap_or_default()
            .to_owned();
        let declared = parameters
            .next()
            .and_then(|parameter| parameter.value.as_str())
            .unwrap_or_default()
            .to_owned();
        let given: Vec<Given> = parameters
            .map(|parameter| Given {
                name: (!parameter.name.is_empty()).then(|| parameter.name.clone()),
                sql_type: parameter.sql_type,
                value: parameter.value.clone(),
                variable: parameter.output.then(|| parameter.name.clone()),
            })
            .collect();
        let frame = bind(&declared, &given)?;
        let before = self.tran_count;
        self.frames.push(frame);
        self.nest = 1;
        let flow = self.top(&text, 1);
        let frame = self.frames.pop().unwrap_or_default();
        self.check_tran_count(before);
        for (at, given) in given.iter().enumerate() {
            if let Some(variable) = &given.variable
                && let Some((sql_type, value)) = frame.get(&variable.to_lowercase())
            {
                self.out.return_value(at as u16, variable, *sql_type, value)?;
            }
        }
        Ok(i32::from(self.out.has_failed() || matches!(flow, Flow::Abort)))
    }

    fn check_tran_count(&mut self, before: i64) {
        if before != self.tran_count && !self.doomed {
            self.out.error(&SqlError::new(
                266,
                16,
                format!(
                    "Transaction count after EXECUTE indicates a mismatching number of BEGIN and COMMIT statements. \
                     Previous count = {before}, current count = {}.",
                    self.tran_count
                ),
            ));
        }
    }

    /// EXEC in a batch. Gives the return status.
    pub(super) fn exec(&mut self, procedure: &Name, arguments: &[Argument]) -> Result<(i64, Flow)> {
        let mut given = Vec::new();
        for argument in arguments {
            if argument.value == Expr::Default {
                continue;
            }
            let (sql_type, value) = self.value(&argument.value)?;
            let variable = match &argument.value {
                Expr::Variable { name, .. } if argument.output => Some(name.clone()),
                _ => None,
            };
            given.push(Given {
                name: argument.name.clone(),
                sql_type,
                value,
                variable,
            });
        }
        self.procedure(procedure, given)
    }

    fn procedure(&mut self, name: &Name, given: Vec<Given>) -> Result<(i64, Flow)> {
        let bare = name.last().to_lowercase();
        let done = |status| Ok((status, Flow::Next));
        match bare.as_str() {
            "sp_executesql" => {
                let mut given = given.into_iter();
                let Some(text) = given.next() else {
                    return Err(SqlError::new(
                        201,
                        16,
                        "Procedure or function 'sp_executesql' expects parameter '@statement', which was not supplied.",
                    ));
                };
                let declared = given
                    .next()
                    .and_then(|given| given.value.as_str().map(str::to_owned))
                    .unwrap_or_default();
                let given: Vec<Given> = given.collect();
                let frame = bind(&declared, &given)?;
                let names = parser::parameters(&declared)?;
                let (flow, frame) = self.run_text(text.value.as_str().unwrap_or_default(), frame)?;
                for (at, given) in given.iter().enumerate() {
                    let inner = given
                        .name
                        .clone()
                        .or_else(|| names.get(at).map(|(name, ..)| name.clone()));
                    if let (Some(outer), Some(inner)) = (&given.variable, inner)
                        && let Some((from, value)) = frame.get(&inner.to_lowercase())
                    {
                        let (to, _) = self.variable(outer)?;
                        let value = cast(value, *from, to)?;
                        self.set_variable(outer, value);
                    }
                }
                Ok((0, flow))
            }
            "sp_getapplock" => done(self.get_app_lock(&given)?),
            "sp_releaseapplock" => done(self.release_app_lock(&given)?),
            "sp_rename" => {
                let text = |at, name| {
                    argument(&given, at, name)
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                        .to_owned()
                };
                self.rename(&text(0, "objname"), &text(1, "newname"), &text(2, "objtype"))?;
                done(0)
            }
            // Older names for what ALTER ROLE does.
            "sp_addrolemember" | "sp_droprolemember" => {
                let text = |at, name| {
                    argument(&given, at, name)
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                        .to_owned()
                };
                self.principals(&crate::sandbox::mssql::ast::Kind::RoleMember {
                    role: text(0, "rolename"),
                    member: text(1, "membername"),
                    add: bare == "sp_addrolemember",
                    server: false,
                })?;
                done(0)
            }
            "sp_reset_connection" => done(0),
            known if known.starts_with("sp_") || known.starts_with("xp_") => {
                Err(SqlError::unsupported(format!("the procedure {known}")).effect(Effect::Statement))
            }
            _ => match self.run_beside(name, &given)? {
                true => done(0),
                false => Err(missing(name)),
            },
        }
    }

    fn get_app_lock(&mut self, given: &[Given]) -> Result<i64> {
        let text = |at, name| {
            argument(given, at, name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let resource = text(0, "resource");
        let mode = match text(1, "lockmode").to_lowercase().as_str() {
            "exclusive" => Mode::Exclusive,
            "shared" => Mode::Shared,
            other @ ("update" | "intentshared" | "intentexclusive") => {
                return Err(
                    SqlError::unsupported(format!("the lock mode {other} of sp_getapplock")).effect(Effect::Statement)
                );
            }
            _ => return Ok(-999),
        };
        let Some(owner) = owner(&text(2, "lockowner")) else {
            return Ok(-999);
        };
        if resource.is_empty() || resource.encode_utf16().count() > 255 {
            return Ok(-999);
        }
        let timeout = argument(given, 3, "locktimeout")
            .and_then(Value::as_int)
            .unwrap_or(self.lock_timeout);
        let principal = argument(given, 4, "dbprincipal")
            .and_then(Value::as_str)
            .unwrap_or("public")
            .to_owned();
        self.need_transaction(owner)?;
        let name = self.lock_name(&principal, &resource);
        let timeout = u64::try_from(timeout).ok().map(Duration::from_millis);
        self.locks.get_app(&name, mode, owner, timeout)
    }

    fn release_app_lock(&mut self, given: &[Given]) -> Result<i64> {
        let text = |at, name| {
            argument(given, at, name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let resource = text(0, "resource");
        let Some(owner) = owner(&text(1, "lockowner")) else {
            return Ok(-999);
        };
        let principal = argument(given, 2, "dbprincipal")
            .and_then(Value::as_str)
            .unwrap_or("public")
            .to_owned();
        self.need_transaction(owner)?;
        let name = self.lock_name(&principal, &resource);
        if self.locks.release_app(&name, owner) {
            return Ok(0);
        }
        Err(SqlError::new(
            1223,
            16,
            format!(
                "Cannot release the application lock (Database Principal: '{principal}', Resource: '{resource}') because it \
                 is not currently held."
            ),
        ))
    }

    fn need_transaction(&self, owner: Owner) -> Result<()> {
        if owner == Owner::Session || self.tran_count > 0 {
            return Ok(());
        }
        Err(SqlError::new(
            3971,
            16,
            "You attempted to acquire a transactional application lock without an active transaction.",
        ))
    }

    /// A request of the transaction manager.
    pub fn transaction_request(&mut self, request: &TransactionRequest) {
        let result = match request {
            TransactionRequest::Begin(_) => {
                self.begin_transaction();
                Ok(())
            }
            TransactionRequest::Commit { begin } => self.commit_transaction().map(|()| {
                if *begin {
                    self.begin_transaction();
                }
            }),
            TransactionRequest::Rollback { name, begin } => {
                let name = (!name.is_empty()).then_some(name.as_str());
                self.rollback_transaction(name).map(|()| {
                    if *begin {
                        self.begin_transaction();
                    }
                })
            }
            TransactionRequest::Save(name) => self.save_transaction(name),
        };
        if let Err(error) = result {
            self.out.error(&error.at(1));
        }
        self.out.finish_batch();
    }
}

fn owner(text: &str) -> Option<Owner> {
    match text.to_lowercase().as_str() {
        "" | "transaction" => Some(Owner::Transaction),
        "session" => Some(Owner::Session),
        _ => None,
    }
}

/// An argument by its name or its place.
fn argument<'a>(given: &'a [Given], at: usize, name: &str) -> Option<&'a Value> {
    given
        .iter()
        .find(|given| {
            given
                .name
                .as_ref()
                .is_some_and(|own| own.trim_start_matches('@').eq_ignore_ascii_case(name))
        })
        .or_else(|| given.get(at).filter(|given| given.name.is_none()))
        .map(|given| &given.value)
        .filter(|value| !value.is_null())
}

/// The variables of a text's parameters.
fn bind(declared: &str, given: &[Given]) -> Result<HashMap<String, (SqlType, Value)>> {
    let mut frame = HashMap::new();
    for (at, (name, sql_type, _)) in parser::parameters(declared)?.into_iter().enumerate() {
        let bare = name.trim_start_matches('@');
        let found = given
            .iter()
            .find(|given| {
                given
                    .name
                    .as_ref()
                    .is_some_and(|own| own.trim_start_matches('@').eq_ignore_ascii_case(bare))
            })
            .or_else(|| given.get(at).filter(|given| given.name.is_none()));
        let Some(found) = found else {
            return Err(SqlError::new(
                8178,
                16,
                format!(
                    "The parameterized query '({declared})' expects the parameter '{name}', which was not supplied."
                ),
            ));
        };
        frame.insert(
            name.to_lowercase(),
            (sql_type, cast(&found.value, found.sql_type, sql_type)?),
        );
    }
    Ok(frame)
}
