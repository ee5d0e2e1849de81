//! Domain names as Route 53 keeps and sorts them.
//!
//! Source: Route 53 developer guide, "DNS domain name format" (255 characters, labels of 63; capital letters are stored
//! as small ones; what is not a-z, 0-9, - and _ is stored as `\` and three octal digits); the words of refusals are those
//! that users report (hashicorp/terraform 18482, harmony-one/harmony-ops 491).

/// The form in which a name is kept: small letters, escapes, and a dot at the end.
///
/// # Errors
/// What is wrong with it, in Route 53's words.
pub fn canonical(given: &str) -> Result<String, String> {
    let bytes = unescaped(given)
        .ok_or_else(|| problem("UnsupportedCharacter (Value contains unsupported characters)", given))?;
    let text = bytes.strip_suffix(b".").unwrap_or(&bytes);
    if text.is_empty() {
        return Err(problem("DomainNameEmpty (Domain name is empty)", given));
    }
    if text.len() > 255 {
        return Err(problem("DomainNameTooLong (Domain name is too long)", given));
    }
    let mut name = String::with_capacity(text.len() + 1);
    for label in text.split(|byte| *byte == b'.') {
        if label.is_empty() {
            return Err(problem("DomainLabelEmpty (Domain label is empty)", given));
        }
        if label.len() > 63 {
            return Err(problem("DomainLabelTooLong (Domain label is too long)", given));
        }
        for byte in label {
            match byte.to_ascii_lowercase() {
                plain @ (b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_') => name.push(char::from(plain)),
                other => name.push_str(&format!("\\{other:03o}")),
            }
        }
        name.push('.');
    }
    Ok(name)
}

/// The bytes behind `\052` and the like. `None` for what is not ASCII, or an escape that is none.
fn unescaped(given: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(given.len());
    let mut rest = given.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'\\' => {
                let (digits, after) = rest.split_at_checked(3)?;
                bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()?);
                rest = after;
            }
            b' '..=b'~' => bytes.push(*first),
            _ => return None,
        }
    }
    Some(bytes)
}

/// What listings are sorted by: the labels reversed, `com.example.www.`. "Note the trailing dot, which can change the
/// sort order" (`ListResourceRecordSets`).
pub fn order(name: &str) -> String {
    let labels: Vec<&str> = name.trim_end_matches('.').rsplit('.').collect();
    labels.join(".") + "."
}

/// Whether a name is that of a zone or below it. Both are canonical.
pub fn is_within(name: &str, zone: &str) -> bool {
    name == zone || name.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.'))
}

/// `FATAL problem: WHAT encountered with 'VALUE'`.
pub fn problem(what: &str, value: &str) -> String {
    format!("FATAL problem: {what} encountered with '{value}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_as_route_53_keeps_them() {
        for (given, kept) in [
            ("Example.ORG", "example.org."),
            ("example.org.", "example.org."),
            ("*.example.org", "\\052.example.org."),
            ("\\052.example.org.", "\\052.example.org."),
            ("_acme-challenge.example.org", "_acme-challenge.example.org."),
            ("a/b.example.org", "a\\057b.example.org."),
        ] {
            assert_eq!(canonical(given).as_deref(), Ok(kept), "{given}");
        }
        for (given, told) in [
            ("", "DomainNameEmpty"),
            (".", "DomainNameEmpty"),
            ("a..org", "DomainLabelEmpty"),
            (".example.org", "DomainLabelEmpty"),
            ("bücher.org", "UnsupportedCharacter"),
            ("a\\05", "UnsupportedCharacter"),
            (&format!("{}.org", "a".repeat(64)), "DomainLabelTooLong"),
            (&"a.".repeat(200), "DomainNameTooLong"),
        ] {
            assert!(canonical(given).unwrap_err().contains(told), "{given}");
        }
    }

    #[test]
    fn names_are_sorted_by_their_labels_from_the_right() {
        let mut names = [
            "www.example.org.",
            "example.org.",
            "a.b.example.org.",
            "example.net.",
            "a-b.example.org.",
        ];
        names.sort_by_key(|name| order(name));
        assert_eq!(
            names,
            [
                "example.net.",
                "example.org.",
                "a-b.example.org.",
                "a.b.example.org.",
                "www.example.org."
            ]
        );
        assert!(is_within("www.example.org.", "example.org.") && is_within("example.org.", "example.org."));
        assert!(!is_within("badexample.org.", "example.org.") && !is_within("org.", "example.org."));
    }

    proptest::proptest! {
        #[test]
        fn a_kept_name_stays_as_it_is(given in "\\PC{0,20}") {
            if let Ok(kept) = canonical(&given) {
                proptest::prop_assert_eq!(canonical(&kept), Ok(kept));
            }
        }
    }
}
