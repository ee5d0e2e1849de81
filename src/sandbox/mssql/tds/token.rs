//! The tokens of a response. Source: [MS-TDS] 2.2.7.

use super::types::{COLLATION, write_type, write_value};
use crate::sandbox::mssql::errors::SqlError;
use crate::sandbox::mssql::value::{SqlType, Value};

const RETURN_STATUS: u8 = 0x79;
const COLUMNS: u8 = 0x81;
const ERROR: u8 = 0xAA;
const INFO: u8 = 0xAB;
const RETURN_VALUE: u8 = 0xAC;
const LOGIN_ACK: u8 = 0xAD;
const ROW: u8 = 0xD1;
const ENV_CHANGE: u8 = 0xE3;

/// Which of the three DONE tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The end of a statement of a batch, or of the batch.
    Batch = 0xFD,
    /// The end of a procedure.
    Procedure = 0xFE,
    /// The end of a statement in a procedure.
    InProcedure = 0xFF,
}

/// Bits of a DONE token's status.
pub const MORE: u16 = 0x01;
pub const FAILED: u16 = 0x02;
pub const COUNT: u16 = 0x10;
pub const ATTENTION: u16 = 0x20;

/// A column of a result.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub name: String,
    pub sql_type: SqlType,
    pub nullable: bool,
    pub identity: bool,
}

fn b_varchar(out: &mut Vec<u8>, text: &str) {
    let units: Vec<u16> = text.encode_utf16().take(255).collect();
    out.push(units.len() as u8);
    out.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
}

fn us_varchar(out: &mut Vec<u8>, text: &str) {
    let units: Vec<u16> = text.encode_utf16().take(0x7FFF).collect();
    out.extend_from_slice(&(units.len() as u16).to_le_bytes());
    out.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
}

/// A token whose body is preceded by its length.
fn framed(out: &mut Vec<u8>, token: u8, body: &[u8]) {
    out.push(token);
    out.extend_from_slice(&(body.len() as u16).to_le_bytes());
    out.extend_from_slice(body);
}

pub fn done(out: &mut Vec<u8>, kind: Done, status: u16, rows: u64) {
    out.push(kind as u8);
    out.extend_from_slice(&status.to_le_bytes());
    // CurCmd: 0xC1 is SELECT; clients do not read it.
    out.extend_from_slice(&[0xC1, 0]);
    out.extend_from_slice(&rows.to_le_bytes());
}

pub fn error(out: &mut Vec<u8>, error: &SqlError, server: &str) {
    message(out, ERROR, error, server);
}

/// A message that is no error: PRINT, a change of the database.
pub fn info(out: &mut Vec<u8>, info: &SqlError, server: &str) {
    message(out, INFO, info, server);
}

fn message(out: &mut Vec<u8>, token: u8, error: &SqlError, server: &str) {
    let mut body = Vec::new();
    body.extend_from_slice(&error.number.to_le_bytes());
    body.push(error.state);
    body.push(error.class);
    // At most 2,047 characters, as the server's own messages.
    us_varchar(&mut body, &error.message.chars().take(2047).collect::<String>());
    b_varchar(&mut body, server);
    b_varchar(&mut body, "");
    body.extend_from_slice(&error.line.max(1).to_le_bytes());
    framed(out, token, &body);
}

pub fn columns(out: &mut Vec<u8>, columns: &[Column]) {
    out.push(COLUMNS);
    out.extend_from_slice(&(columns.len() as u16).to_le_bytes());
    for column in columns {
        out.extend_from_slice(&0u32.to_le_bytes());
        let flags = u16::from(column.nullable) | u16::from(column.identity) << 4 | 0x08;
        out.extend_from_slice(&flags.to_le_bytes());
        write_type(out, column.sql_type);
        b_varchar(out, &column.name);
    }
}

pub fn row(out: &mut Vec<u8>, columns: &[Column], values: &[Value]) -> Result<(), SqlError> {
    let start = out.len();
    out.push(ROW);
    for (column, value) in columns.iter().zip(values) {
        if let Err(error) = write_value(out, column.sql_type, value) {
            out.truncate(start);
            return Err(error);
        }
    }
    Ok(())
}

pub fn return_status(out: &mut Vec<u8>, status: i32) {
    out.push(RETURN_STATUS);
    out.extend_from_slice(&status.to_le_bytes());
}

/// An OUTPUT parameter.
pub fn return_value(
    out: &mut Vec<u8>,
    ordinal: u16,
    name: &str,
    sql_type: SqlType,
    value: &Value,
) -> Result<(), SqlError> {
    let mut body = vec![RETURN_VALUE];
    body.extend_from_slice(&ordinal.to_le_bytes());
    b_varchar(&mut body, name);
    body.push(0x01);
    body.extend_from_slice(&0u32.to_le_bytes());
    body.extend_from_slice(&1u16.to_le_bytes());
    write_type(&mut body, sql_type);
    write_value(&mut body, sql_type, value)?;
    out.extend_from_slice(&body);
    Ok(())
}

pub fn login_ack(out: &mut Vec<u8>) {
    let mut body = vec![1];
    // TDS 7.4, in the order of bytes that the acknowledgement has.
    body.extend_from_slice(&[0x74, 0x00, 0x00, 0x04]);
    b_varchar(&mut body, "Microsoft SQL Server");
    let [major, minor, high, low, ..] = super::prelogin::SERVER_VERSION;
    body.extend_from_slice(&[major, minor, high, low]);
    framed(out, LOGIN_ACK, &body);
}

pub fn database_changed(out: &mut Vec<u8>, new: &str, old: &str) {
    let mut body = vec![1];
    b_varchar(&mut body, new);
    b_varchar(&mut body, old);
    framed(out, ENV_CHANGE, &body);
}

pub fn language(out: &mut Vec<u8>) {
    let mut body = vec![2];
    b_varchar(&mut body, "us_english");
    b_varchar(&mut body, "");
    framed(out, ENV_CHANGE, &body);
}

pub fn packet_size(out: &mut Vec<u8>, new: usize, old: usize) {
    let mut body = vec![4];
    b_varchar(&mut body, &new.to_string());
    b_varchar(&mut body, &old.to_string());
    framed(out, ENV_CHANGE, &body);
}

pub fn collation(out: &mut Vec<u8>) {
    let mut body = vec![7, COLLATION.len() as u8];
    body.extend_from_slice(&COLLATION);
    body.push(0);
    framed(out, ENV_CHANGE, &body);
}

pub fn transaction_begun(out: &mut Vec<u8>, descriptor: u64) {
    transaction(out, 8, descriptor, 0);
}

pub fn transaction_committed(out: &mut Vec<u8>, descriptor: u64) {
    transaction(out, 9, 0, descriptor);
}

pub fn transaction_rolled_back(out: &mut Vec<u8>, descriptor: u64) {
    transaction(out, 10, 0, descriptor);
}

fn transaction(out: &mut Vec<u8>, kind: u8, new: u64, old: u64) {
    let mut body = vec![kind];
    for descriptor in [new, old] {
        if descriptor == 0 {
            body.push(0);
        } else {
            body.push(8);
            body.extend_from_slice(&descriptor.to_le_bytes());
        }
    }
    framed(out, ENV_CHANGE, &body);
}
