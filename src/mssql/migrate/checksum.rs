//! What makes two files the same.

use sha2::{Digest, Sha256};

/// SHA-256 in hexadecimal, of the text without a byte order mark, with `\n` as line end and without blanks at the end.
/// What git or an editor does to a file on another system changes none of these.
pub fn checksum(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    Sha256::digest(text.trim_end().as_bytes())
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            use std::fmt::Write;
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_do_not_count_and_content_does() {
        assert_eq!(checksum("\u{feff}SELECT 1\r\nGO\r\n"), checksum("SELECT 1\nGO"));
        assert_ne!(checksum("SELECT 1"), checksum("SELECT  1"));
        // FIPS 180-2, the first example.
        assert_eq!(
            checksum("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
