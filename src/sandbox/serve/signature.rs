//! AWS Signature Version 4, as a service checks it.
//!
//! Source: IAM user guide, *Create a signed AWS API request*, *Elements of an AWS API request signature* ("within 5
//! minutes of the time stamp") and *Troubleshoot Signature Version 4 signing*. The check is written here and not taken
//! from the crate with which the SDK signs: what checks a thing must not be the thing.
//!
//! Not in the sandbox, and told so: a signature in the query string, signed streams, Signature Version 4A.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::keys::Keys;
use super::refusal::Refusal;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far the caller's clock may be off, in minutes.
const MINUTES: i64 = 5;
/// The form of a time stamp: `20260131T235959Z`.
const STAMP: &str = "%Y%m%dT%H%M%SZ";

/// A request as it was sent.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    pub method: &'a str,
    /// As sent, encoded.
    pub path: &'a str,
    /// What follows the `?`, as sent; empty when there is none.
    pub query: &'a str,
    /// Names in lower case, in the order of the request.
    pub headers: &'a [(String, Vec<u8>)],
    pub body: &'a [u8],
}

impl Signed<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(header, _)| header == name)?;
        std::str::from_utf8(value).ok().map(str::trim)
    }
}

/// Whether the request was signed with these keys, and lately.
pub fn check(keys: &Keys, request: &Signed<'_>, now: Timestamp) -> Result<(), Refusal> {
    let Some(authorization) = request.header("authorization") else {
        return Err(match request.query.contains("X-Amz-Signature=") {
            true => Refusal::NotHere("a signature in the query string"),
            false => Refusal::Missing,
        });
    };
    let parts = Parts::read(authorization, request)?;
    if parts.scope.key != keys.id || request.header("x-amz-security-token").is_some() {
        return Err(Refusal::UnknownKey);
    }
    let stamp = parts.stamp.strftime(STAMP).to_string();
    let day = stamp.get(..8).unwrap_or_default();
    if parts.scope.date != day {
        return Err(Refusal::Mismatch(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{day}', \
             from '{stamp}'.",
            parts.scope.date
        )));
    }
    current(parts.stamp, now)?;
    let hash = payload_hash(request)?;
    let canonical = canonical(request, &parts.signed_headers, &hash)?;
    let scope = &parts.scope;
    let text = format!(
        "{ALGORITHM}\n{stamp}\n{}/{}/{}/aws4_request\n{}",
        scope.date,
        scope.region,
        scope.service,
        hex(&Sha256::digest(&canonical))
    );
    let first = format!("AWS4{}", keys.secret.expose());
    let steps = [scope.date, scope.region, scope.service, "aws4_request"];
    let key = steps
        .iter()
        .fold(zeroize::Zeroizing::new(first.into_bytes()), |key, step| {
            zeroize::Zeroizing::new(mac(&key, step.as_bytes()).finalize().into_bytes().to_vec())
        });
    let given = unhex(parts.signature).unwrap_or_default();
    // Compared in constant time.
    mac(&key, text.as_bytes())
        .verify_slice(&given)
        .map_err(|_| Refusal::mismatch())
}

/// What the header `Authorization` says.
struct Parts<'a> {
    scope: Scope<'a>,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
    stamp: DateTime,
}

/// `KEY/DATE/REGION/SERVICE/aws4_request`.
struct Scope<'a> {
    key: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
}

impl<'a> Parts<'a> {
    fn read(authorization: &'a str, request: &Signed<'_>) -> Result<Self, Refusal> {
        let (algorithm, rest) = authorization.split_once(' ').unwrap_or((authorization, ""));
        if algorithm != ALGORITHM {
            return Err(match algorithm.starts_with("AWS4-") {
                true => Refusal::NotHere("another signature algorithm than AWS4-HMAC-SHA256"),
                false => Refusal::Incomplete(format!("Unsupported AWS 'algorithm': '{algorithm}'.")),
            });
        }
        let part = |name: &str| {
            rest.split(',')
                .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
        };
        let (credential, signature, signed) = (part("Credential"), part("Signature"), part("SignedHeaders"));
        let stamp = stamp(request);
        let (Some(credential), Some(signature), Some(signed), Some(stamp)) = (credential, signature, signed, stamp)
        else {
            let mut missing = String::new();
            for (name, there) in [
                ("Credential", credential.is_some()),
                ("Signature", signature.is_some()),
                ("SignedHeaders", signed.is_some()),
            ] {
                if !there {
                    missing.push_str(&format!("Authorization header requires '{name}' parameter. "));
                }
            }
            if stamp.is_none() {
                missing
                    .push_str("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ");
            }
            return Err(Refusal::Incomplete(missing.trim_end().to_owned()));
        };
        let [key, date, region, service, "aws4_request"] = credential.split('/').collect::<Vec<_>>()[..] else {
            return Err(Refusal::Incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got \
                 '{credential}'"
            )));
        };
        Ok(Self {
            scope: Scope {
                key,
                date,
                region,
                service,
            },
            signed_headers: signed.split(';').collect(),
            signature,
            stamp,
        })
    }
}

/// When the request was signed.
fn stamp(request: &Signed<'_>) -> Option<DateTime> {
    match request.header("x-amz-date") {
        Some(text) => DateTime::strptime(STAMP, text).ok(),
        None => {
            let text = request.header("date")?;
            let http = || {
                jiff::fmt::rfc2822::parse(text)
                    .ok()
                    .map(|zoned| zoned.with_time_zone(TimeZone::UTC))
            };
            DateTime::strptime(STAMP, text)
                .ok()
                .or_else(|| Some(http()?.datetime()))
        }
    }
}

fn current(stamp: DateTime, now: Timestamp) -> Result<(), Refusal> {
    let now = now.to_zoned(TimeZone::UTC).datetime();
    let minutes = jiff::Span::new().minutes(MINUTES);
    let (Ok(earliest), Ok(latest)) = (now.checked_sub(minutes), now.checked_add(minutes)) else {
        return Err(Refusal::mismatch());
    };
    let shown = |time: DateTime| time.strftime(STAMP).to_string();
    if stamp < earliest {
        return Err(Refusal::Expired(format!(
            "Signature expired: {} is now earlier than {} ({} - {MINUTES} min.)",
            shown(stamp),
            shown(earliest),
            shown(now)
        )));
    }
    if stamp > latest {
        return Err(Refusal::Expired(format!(
            "Signature not yet current: {} is still later than {} ({} + {MINUTES} min.)",
            shown(stamp),
            shown(latest),
            shown(now)
        )));
    }
    Ok(())
}

/// The hash of the body as the canonical request holds it.
fn payload_hash(request: &Signed<'_>) -> Result<String, Refusal> {
    let real = hex(&Sha256::digest(request.body));
    match request.header("x-amz-content-sha256") {
        None => Ok(real),
        Some("UNSIGNED-PAYLOAD") => Ok("UNSIGNED-PAYLOAD".to_owned()),
        Some(given) if given.starts_with("STREAMING-") => Err(Refusal::NotHere("a signed stream")),
        Some(given) if given.eq_ignore_ascii_case(&real) => Ok(given.to_owned()),
        Some(_) => Err(Refusal::mismatch()),
    }
}

fn canonical(request: &Signed<'_>, signed: &[&str], hash: &str) -> Result<Vec<u8>, Refusal> {
    if !signed.contains(&"host") && !signed.contains(&":authority") {
        return Err(Refusal::Mismatch(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".to_owned(),
        ));
    }
    let mut text = format!("{}\n{}\n{}\n", request.method, path(request.path), query(request.query)).into_bytes();
    for name in signed {
        let values: Vec<_> = request
            .headers
            .iter()
            .filter(|(header, _)| header == name || (*name == ":authority" && header == "host"))
            .map(|(_, value)| collapsed(value))
            .collect();
        text.extend(name.as_bytes());
        text.push(b':');
        text.extend(values.join(&b','));
        text.push(b'\n');
    }
    text.extend(format!("\n{}\n{hash}", signed.join(";")).into_bytes());
    Ok(text)
}

/// Without spaces at the ends, and with one space where several stand together.
fn collapsed(value: &[u8]) -> Vec<u8> {
    let words = value.split(|byte| *byte == b' ' || *byte == b'\t');
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(&b' ')
}

/// The path, normalised, and encoded once more than it was sent: so sign all services but S3.
fn path(sent: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in sent.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let end = if sent.len() > 1 && sent.ends_with('/') && !parts.is_empty() {
        "/"
    } else {
        ""
    };
    let encoded: Vec<_> = parts.iter().map(|part| encode(part.as_bytes())).collect();
    format!("/{}{end}", encoded.join("/"))
}

/// The parameters, decoded and encoded by the one rule, in the order of names and values.
fn query(sent: &str) -> String {
    let mut pairs: Vec<(String, String)> = sent
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encode(&decode(name)), encode(&decode(value))))
        .collect();
    pairs.sort();
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// RFC 3986 with nothing but the unreserved characters left as they are.
fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(*byte)),
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

fn decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let coded = tail
            .get(..2)
            .and_then(|digits| unhex(std::str::from_utf8(digits).ok()?));
        match (first, coded.as_deref()) {
            (b'%', Some([byte])) => {
                bytes.push(*byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            (byte, _) => {
                bytes.push(*byte);
                rest = tail;
            }
        }
    }
    bytes
}

fn mac(key: &[u8], text: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of HMAC has any length");
    mac.update(text);
    mac
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| digit.try_into().ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    /// The example of the IAM user guide, *Create a signed AWS API request*, with its published signature.
    struct Example {
        query: &'static str,
        body: &'static [u8],
        headers: Vec<(String, Vec<u8>)>,
        now: &'static str,
    }

    const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
        SignedHeaders=content-type;host;x-amz-date, \
        Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";

    impl Example {
        fn new() -> Self {
            let headers = [
                ("authorization", SIGNED),
                ("content-type", "application/x-www-form-urlencoded;  charset=utf-8"),
                ("host", "iam.amazonaws.com"),
                ("x-amz-date", "20150830T123600Z"),
            ];
            Self {
                query: "Version=2010-05-08&Action=ListUsers",
                body: b"",
                headers: headers
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
                    .collect(),
                now: "2015-08-30T12:36:00Z",
            }
        }

        fn with(mut self, name: &str, value: &str) -> Self {
            self.headers.retain(|(header, _)| header != name);
            self.headers.push((name.to_owned(), value.as_bytes().to_vec()));
            self
        }

        fn check(&self) -> Result<(), Refusal> {
            let keys = Keys {
                id: "AKIDEXAMPLE".to_owned(),
                secret: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            };
            let request = Signed {
                method: "GET",
                path: "/",
                query: self.query,
                headers: &self.headers,
                body: self.body,
            };
            check(&keys, &request, self.now.parse().unwrap())
        }
    }

    #[test]
    fn the_published_example_is_right_and_nothing_near_it() {
        assert_eq!(Example::new().check(), Ok(()));
        assert_eq!(
            Example::new().with("user-agent", "is not signed").check(),
            Ok(()),
            "headers may be added on the way"
        );
        for wrong in [
            Example {
                query: "Version=2010-05-08&Action=ListRoles",
                ..Example::new()
            },
            Example {
                body: b"x",
                ..Example::new()
            },
            Example::new().with("host", "127.0.0.1"),
            Example::new().with("authorization", &SIGNED.replace("us-east-1", "eu-west-1")),
            Example::new().with("authorization", &SIGNED.replace("f2b5d7", "f2b5d8")),
            Example::new().with("authorization", &SIGNED.replace("f2b5d7", "")),
            Example::new().with("authorization", &SIGNED.replace("f2b5d7", "é")),
        ] {
            assert_eq!(wrong.check(), Err(Refusal::mismatch()), "{:?}", wrong.headers);
        }
    }

    #[test]
    fn a_signature_holds_for_five_minutes() {
        let at = |now| Example { now, ..Example::new() }.check();
        assert_eq!(at("2015-08-30T12:41:00Z"), Ok(()));
        assert_eq!(at("2015-08-30T12:31:00Z"), Ok(()));
        assert_eq!(
            at("2015-08-30T12:41:01Z"),
            Err(Refusal::Expired(
                "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"
                    .into()
            ))
        );
        assert_eq!(
            at("2015-08-30T12:30:59Z"),
            Err(Refusal::Expired(
                "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 \
                 min.)"
                    .into()
            ))
        );
    }

    #[test]
    fn what_is_not_signed_whole_is_told_what_it_lacks() {
        let told = |example: Example| match example.check() {
            Err(Refusal::Incomplete(text) | Refusal::Mismatch(text)) => text,
            other => panic!("{other:?}"),
        };
        let mut unsigned = Example::new();
        unsigned.headers.remove(0);
        assert_eq!(unsigned.check(), Err(Refusal::Missing));
        unsigned.query = "X-Amz-Signature=aa";
        assert!(matches!(unsigned.check(), Err(Refusal::NotHere(_))));
        assert_eq!(
            told(Example::new().with("authorization", "AWS4-HMAC-SHA256 Credential=a/b")),
            "Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter."
        );
        assert!(told(Example::new().with("authorization", "Basic dXNlcg==")).contains("'Basic'"));
        assert!(told(Example::new().with("x-amz-date", "yesterday")).contains("'X-Amz-Date'"));
        let short = SIGNED.replace("/us-east-1", "");
        assert!(told(Example::new().with("authorization", &short)).contains("exactly 5"));
        let other_day = SIGNED.replace("20150830/", "20150829/");
        assert!(told(Example::new().with("authorization", &other_day)).contains("'20150829' != '20150830'"));
        let no_host = SIGNED.replace("host;", "");
        assert!(told(Example::new().with("authorization", &no_host)).contains("must be a 'SignedHeader'"));
        let other_key = SIGNED.replace("AKIDEXAMPLE", "AKIDOTHER");
        assert_eq!(
            Example::new().with("authorization", &other_key).check(),
            Err(Refusal::UnknownKey)
        );
        assert_eq!(
            Example::new().with("x-amz-security-token", "t").check(),
            Err(Refusal::UnknownKey)
        );
    }

    #[test]
    fn paths_and_parameters_have_one_form() {
        for (sent, canonical) in [
            ("", "/"),
            ("/", "/"),
            ("/a//b/./c/../d/", "/a/b/d/"),
            ("/2013-04-01/hostedzone/Z1", "/2013-04-01/hostedzone/Z1"),
            ("/v1/arn%3Aaws", "/v1/arn%253Aaws"),
            ("/..", "/"),
        ] {
            assert_eq!(path(sent), canonical);
        }
        for (sent, canonical) in [
            ("b=2&a=1&a=0", "a=0&a=1&b=2"),
            ("flag", "flag="),
            ("a=%7e+%2f%zz%", "a=~%2B%2F%25zz%25"),
            ("ä=1", "%C3%A4=1"),
        ] {
            assert_eq!(query(sent), canonical);
        }
    }
}
