//! PRELOGIN: version and encryption. Source: [MS-TDS] 2.2.6.5.

use super::Malformed;

const VERSION: u8 = 0;
const ENCRYPTION: u8 = 1;
const INSTANCE: u8 = 2;
const THREAD: u8 = 3;
const MARS: u8 = 4;
const TERMINATOR: u8 = 0xFF;
/// Encryption is not available: the stream does not leave the process.
const NOT_SUPPORTED: u8 = 2;

/// 16.0.1000: SQL Server 2022.
pub const SERVER_VERSION: [u8; 6] = [16, 0, 0x03, 0xE8, 0, 0];

/// Checks that the message is a list of options that ends.
pub fn check(body: &[u8]) -> Result<(), Malformed> {
    let mut at = 0;
    loop {
        match body.get(at) {
            Some(&TERMINATOR) => return Ok(()),
            Some(_) => at += 5,
            None => return Err(Malformed::new("PRELOGIN without a terminator")),
        }
    }
}

/// What the server answers.
pub fn answer() -> Vec<u8> {
    let options: [(u8, &[u8]); 5] = [
        (VERSION, &SERVER_VERSION),
        (ENCRYPTION, &[NOT_SUPPORTED]),
        (INSTANCE, &[0]),
        (THREAD, &[]),
        (MARS, &[0]),
    ];
    let mut table = Vec::new();
    let mut data = Vec::new();
    let start = options.len() * 5 + 1;
    for (option, bytes) in options {
        table.push(option);
        table.extend_from_slice(&((start + data.len()) as u16).to_be_bytes());
        table.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
        data.extend_from_slice(bytes);
    }
    table.push(TERMINATOR);
    table.extend_from_slice(&data);
    table
}
