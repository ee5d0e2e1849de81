//! Lengths as the server counts them, and code page 1252, in which `varchar` is kept.

/// The number of UTF-16 units, which is what lengths of `nvarchar` count.
pub fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// The first so many UTF-16 units.
pub fn cut_units(text: &str, length: usize) -> String {
    let mut left = length;
    text.chars()
        .take_while(|character| {
            let fits = character.len_utf16() <= left;
            left = left.saturating_sub(character.len_utf16());
            fits
        })
        .collect()
}

/// What code page 1252 cannot hold becomes `?`, as in `varchar` under the default collation.
pub fn narrow(text: &str) -> String {
    text.chars()
        .map(|character| if to_1252(character).is_some() { character } else { '?' })
        .collect()
}

/// The characters 0x80 to 0x9F of code page 1252.
const UPPER_1252: [u16; 32] = [
    0x20AC, 0x81, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D, 0x017D,
    0x8F, 0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,
    0x017E, 0x0178,
];

/// A character in code page 1252.
pub fn to_1252(character: char) -> Option<u8> {
    let code = u32::from(character);
    match code {
        0..=0x7F | 0xA0..=0xFF => Some(code as u8),
        _ => UPPER_1252
            .iter()
            .position(|other| u32::from(*other) == code)
            .map(|at| 0x80 + at as u8),
    }
}

/// A byte of code page 1252.
pub fn from_1252(byte: u8) -> char {
    match byte {
        0x80..=0x9F => char::from_u32(UPPER_1252[usize::from(byte - 0x80)].into()).unwrap_or('?'),
        _ => char::from(byte),
    }
}
