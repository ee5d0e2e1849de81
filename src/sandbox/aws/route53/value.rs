//! The values of records, checked as Route 53 checks them.
//!
//! Source: Route 53 developer guide, "Supported DNS record types"; the words are those that users report
//! (aws/aws-cdk 14800, kubernetes-sigs/external-dns 4792).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::name::{canonical, problem};

/// The types of records that the sandbox knows.
pub const TYPES: &[&str] = &["A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"];

/// A text of a TXT record, between its quotation marks.
const LONGEST_STRING: usize = 255;

/// What is wrong with a value of a record of this type, in Route 53's words.
pub fn check(kind: &str, value: &str) -> Result<(), String> {
    let wrong = |what: &str| problem(what, value);
    let found = match kind {
        "A" => value
            .parse::<Ipv4Addr>()
            .map(|_| ())
            .map_err(|_| wrong("ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)")),
        "AAAA" => value
            .parse::<Ipv6Addr>()
            .map(|_| ())
            .map_err(|_| wrong("AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)")),
        "CNAME" | "NS" | "PTR" => domain(value),
        "MX" => fields(value, 2).and_then(|fields| domain(fields[1])),
        "SRV" => fields(value, 4).and_then(|fields| domain(fields[3])),
        "SOA" => soa(value),
        "CAA" => caa(value),
        "TXT" => strings(value),
        _ => Ok(()),
    };
    found.map_err(|problem| format!("Invalid Resource Record: '{problem}'"))
}

fn domain(value: &str) -> Result<(), String> {
    canonical(value).map(|_| ())
}

/// So many fields, of which all but the last are numbers of 16 bits.
fn fields(value: &str, count: usize) -> Result<Vec<&str>, String> {
    let fields: Vec<&str> = value.split_ascii_whitespace().collect();
    let numbers = fields.iter().rev().skip(1).all(|field| field.parse::<u16>().is_ok());
    if fields.len() == count && numbers {
        Ok(fields)
    } else {
        Err(problem(
            "InvalidFields (Value does not have the fields of its record type)",
            value,
        ))
    }
}

/// Server, mail address, and five numbers.
fn soa(value: &str) -> Result<(), String> {
    let fields: Vec<&str> = value.split_ascii_whitespace().collect();
    match fields.as_slice() {
        [server, mail, numbers @ ..]
            if numbers.len() == 5 && numbers.iter().all(|number| number.parse::<u32>().is_ok()) =>
        {
            domain(server)?;
            domain(mail)
        }
        _ => Err(problem(
            "InvalidFields (Value does not have the fields of its record type)",
            value,
        )),
    }
}

/// Flags, tag, and a text: `0 issue "amazon.com"`.
fn caa(value: &str) -> Result<(), String> {
    let mut parts = value.splitn(3, ' ');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(flags), Some(tag), Some(text))
            if flags.parse::<u8>().is_ok() && tag.chars().all(|letter| letter.is_ascii_alphanumeric()) =>
        {
            strings(text)
        }
        _ => Err(problem(
            "InvalidFields (Value does not have the fields of its record type)",
            value,
        )),
    }
}

/// Texts in quotation marks, with spaces between them.
fn strings(value: &str) -> Result<(), String> {
    let unquoted = || {
        problem(
            "InvalidCharacterString (Value should be enclosed in quotation marks)",
            value,
        )
    };
    let mut letters = value.trim().chars().peekable();
    if letters.peek().is_none() {
        return Err(unquoted());
    }
    while letters.peek().is_some() {
        if letters.next() != Some('"') {
            return Err(unquoted());
        }
        let mut length = 0;
        loop {
            match letters.next() {
                Some('"') => break,
                Some('\\') if letters.next().is_some() => {}
                Some(letter) if letter != '\\' => {}
                _ => return Err(unquoted()),
            }
            length += 1;
        }
        if length > LONGEST_STRING {
            return Err(problem("CharacterStringTooLong (Value is too long)", value));
        }
        while letters.next_if_eq(&' ').is_some() {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_form_of_their_type() {
        for (kind, value) in [
            ("A", "192.0.2.1"),
            ("AAAA", "2001:db8::1"),
            ("CNAME", "a.example.org"),
            ("MX", "10 mail.example.org."),
            ("SRV", "0 5 5060 sip.example.org"),
            ("CAA", "0 issue \"amazon.com\""),
            ("TXT", "\"v=spf1 -all\" \"a \\\" b\""),
            (
                "SOA",
                "ns-1.awsdns-00.org. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400",
            ),
        ] {
            assert_eq!(check(kind, value), Ok(()), "{kind} {value}");
        }
        for (kind, value, told) in [
            ("A", "2001:db8::1", "ARRDATAIllegalIPv4Address"),
            ("AAAA", "192.0.2.1", "AAAARRDATAIllegalIPv6Address"),
            ("CNAME", "a..org", "DomainLabelEmpty"),
            ("MX", "mail.example.org", "InvalidFields"),
            ("TXT", "plain", "InvalidCharacterString"),
            ("TXT", "\"open", "InvalidCharacterString"),
            ("TXT", "\"a\" b", "InvalidCharacterString"),
            ("TXT", &format!("\"{}\"", "a".repeat(256)), "CharacterStringTooLong"),
            ("CAA", "256 issue \"a\"", "InvalidFields"),
            ("SOA", "a b 1 2 3", "InvalidFields"),
        ] {
            let problem = check(kind, value).unwrap_err();
            assert!(problem.contains(told), "{kind} {value}: {problem}");
        }
    }
}
