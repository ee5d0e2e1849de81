//! Random passwords.

use serde_json::{Value, json};

use super::super::answers::{answer, random};
use super::super::call::{Answer, Call};
use super::parameter;

pub const PUNCTUATION: &[u8] = b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

pub fn random_password(call: &Call<'_>) -> Answer {
    let length = call.int("PasswordLength").unwrap_or(32);
    let excluded = call.text("ExcludeCharacters").as_bytes();
    let mut kinds: Vec<Vec<u8>> = Vec::new();
    for (off, alphabet) in [
        ("ExcludeLowercase", &b"abcdefghijklmnopqrstuvwxyz"[..]),
        ("ExcludeUppercase", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        ("ExcludeNumbers", b"0123456789"),
        ("ExcludePunctuation", PUNCTUATION),
    ] {
        let alphabet: Vec<u8> = alphabet
            .iter()
            .copied()
            .filter(|byte| !excluded.contains(byte))
            .collect();
        if !call.flag(off) && !alphabet.is_empty() {
            kinds.push(alphabet);
        }
    }
    if call.flag("IncludeSpace") {
        kinds.push(b" ".to_vec());
    }
    let all: Vec<u8> = kinds.concat();
    let length = usize::try_from(length)
        .ok()
        .filter(|length| (1..=4096).contains(length));
    let (Some(length), false) = (length, all.is_empty()) else {
        return Err(parameter(
            "The password length must be between 1 and 4096, with at least one type of character.",
        ));
    };
    let each = call
        .input
        .get("RequireEachIncludedType")
        .and_then(Value::as_bool)
        .unwrap_or(true);
    if each && length < kinds.len() {
        return Err(parameter(
            "The password length is too short to have each included type of character.",
        ));
    }
    // Drawn again until each type is there: no place in the password is then more likely to hold one type.
    let mut password = random(length, &all);
    while each
        && !kinds
            .iter()
            .all(|kind| password.bytes().any(|byte| kind.contains(&byte)))
    {
        password = random(length, &all);
    }
    answer(json!({ "RandomPassword": password }))
}
