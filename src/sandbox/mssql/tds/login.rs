//! LOGIN7. Source: [MS-TDS] 2.2.6.4.

use super::{Malformed, utf16};
use crate::secret::Secret;

/// What a client says about itself.
#[derive(Clone, Debug)]
pub struct Login7 {
    pub packet_size: u32,
    pub host: String,
    pub user: String,
    pub password: Secret,
    pub application: String,
    pub database: String,
    /// Windows or Entra authentication, which this server has not.
    pub integrated: bool,
}

/// Offset and length of a text, 36 bytes in: host name, user, password, application, server, extension, library,
/// language, database.
const TABLE: usize = 36;

pub fn parse(body: &[u8]) -> Result<Login7, Malformed> {
    let short = || Malformed::new("LOGIN7 ends too early");
    let u16_at = |at: usize| -> Result<usize, Malformed> {
        match body.get(at..at + 2) {
            Some(&[low, high]) => Ok(usize::from(u16::from_le_bytes([low, high]))),
            _ => Err(short()),
        }
    };
    let field = |index: usize| -> Result<&[u8], Malformed> {
        let at = TABLE + index * 4;
        let (offset, units) = (u16_at(at)?, u16_at(at + 2)?);
        if units == 0 {
            return Ok(&[]);
        }
        body.get(offset..offset + units * 2).ok_or_else(short)
    };
    let size = body.get(8..12).ok_or_else(short)?;
    let flags2 = *body.get(25).ok_or_else(short)?;
    let flags3 = *body.get(27).ok_or_else(short)?;
    // Each byte has its halves swapped after an exclusive or with 0xA5 ([MS-TDS] 2.2.6.4).
    let password: Vec<u8> = field(2)?.iter().map(|byte| (byte ^ 0xA5).rotate_left(4)).collect();
    Ok(Login7 {
        packet_size: u32::from_le_bytes([size[0], size[1], size[2], size[3]]),
        host: utf16(field(0)?),
        user: utf16(field(1)?),
        password: Secret::new(utf16(&password)),
        application: utf16(field(3)?),
        database: utf16(field(8)?),
        integrated: flags2 & 0x80 != 0 || flags3 & 0x10 != 0 && field(1)?.is_empty(),
    })
}
