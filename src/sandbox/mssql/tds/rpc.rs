//! Remote procedure calls and transaction manager requests. Sources: [MS-TDS] 2.2.6.6 and 2.2.6.9.

use super::types::read_parameter;
use super::{Malformed, Reader};
use crate::sandbox::mssql::value::{SqlType, Value};

/// A call of a procedure.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub procedure: String,
    pub parameters: Vec<Parameter>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// As it was sent, often with its `@`.
    pub name: String,
    pub output: bool,
    pub sql_type: SqlType,
    pub value: Value,
}

/// The procedures that have a number instead of a name ([MS-TDS] 2.2.6.6).
const NUMBERED: [&str; 15] = [
    "sp_cursor",
    "sp_cursoropen",
    "sp_cursorprepare",
    "sp_cursorexecute",
    "sp_cursorprepexec",
    "sp_cursorunprepare",
    "sp_cursorfetch",
    "sp_cursoroption",
    "sp_cursorclose",
    "sp_executesql",
    "sp_prepare",
    "sp_execute",
    "sp_prepexec",
    "sp_prepexecrpc",
    "sp_unprepare",
];

pub fn parse(body: &[u8]) -> Result<Call, Malformed> {
    let mut reader = Reader::new(body);
    reader.skip_headers()?;
    let procedure = match reader.u16()? {
        0xFFFF => {
            let number = reader.u16()?;
            let name = usize::from(number).checked_sub(1).and_then(|index| NUMBERED.get(index));
            (*name.ok_or_else(|| Malformed::new(format!("procedure number {number}")))?).to_owned()
        }
        units => reader.text(units.into())?,
    };
    let _options = reader.u16()?;
    let mut parameters = Vec::new();
    while !reader.is_empty() {
        let units = reader.u8()?;
        if matches!(units, 0x80 | 0xFE | 0xFF) && reader.is_empty() {
            break;
        }
        let name = reader.text(units.into())?;
        let flags = reader.u8()?;
        let (sql_type, value) = read_parameter(&mut reader)?;
        parameters.push(Parameter {
            name,
            output: flags & 1 != 0,
            sql_type,
            value,
        });
    }
    Ok(Call { procedure, parameters })
}

/// A request of the transaction manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionRequest {
    Begin(String),
    Commit { begin: bool },
    Rollback { name: String, begin: bool },
    Save(String),
}

pub fn parse_transaction(body: &[u8]) -> Result<TransactionRequest, Malformed> {
    let mut reader = Reader::new(body);
    reader.skip_headers()?;
    let kind = reader.u16()?;
    let name = |reader: &mut Reader<'_>| {
        let length = reader.u8()?;
        Ok::<_, Malformed>(super::utf16(reader.bytes(length.into())?))
    };
    match kind {
        5 => {
            let _isolation = reader.u8()?;
            Ok(TransactionRequest::Begin(name(&mut reader)?))
        }
        7 => {
            name(&mut reader)?;
            Ok(TransactionRequest::Commit {
                begin: reader.u8().unwrap_or_default() & 1 != 0,
            })
        }
        8 => {
            let name = name(&mut reader)?;
            Ok(TransactionRequest::Rollback {
                name,
                begin: reader.u8().unwrap_or_default() & 1 != 0,
            })
        }
        9 => Ok(TransactionRequest::Save(name(&mut reader)?)),
        other => Err(Malformed::new(format!("transaction manager request {other}"))),
    }
}
