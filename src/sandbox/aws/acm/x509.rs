//! Reading what a certificate says: enough of DER for names, dates and keys. Signatures are not checked.
//!
//! Source: RFC 5280 (certificates), RFC 7468 (PEM), RFC 5958, 8017 and 5915 (private keys).

use base64::Engine;

/// What a certificate says of itself. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    pub serial: String,
    pub issuer: String,
    pub subject: String,
    /// The names it is for: those of the extension, else the common name.
    pub names: Vec<String>,
    pub not_before: i64,
    pub not_after: i64,
    /// As ACM calls it: `RSA_2048`, `EC_prime256v1`.
    pub key_algorithm: String,
    pub signature: String,
    /// An RSA key's modulus, or an elliptic curve's point.
    key: Vec<u8>,
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const BITS: u8 = 0x03;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

const CURVES: &[(&[u8], &str)] = &[
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], "EC_prime256v1"),
    (&[0x2b, 0x81, 0x04, 0x00, 0x22], "EC_secp384r1"),
    (&[0x2b, 0x81, 0x04, 0x00, 0x23], "EC_secp521r1"),
];

const SIGNATURES: &[(&[u8], &str)] = &[
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b], "SHA256WITHRSA"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c], "SHA384WITHRSA"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d], "SHA512WITHRSA"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02], "SHA256WITHECDSA"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03], "SHA384WITHECDSA"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04], "SHA512WITHECDSA"),
];

const NAME_PARTS: &[(&[u8], &str)] = &[
    (COMMON_NAME, "CN"),
    (&[0x55, 0x04, 0x06], "C"),
    (&[0x55, 0x04, 0x07], "L"),
    (&[0x55, 0x04, 0x08], "ST"),
    (&[0x55, 0x04, 0x0a], "O"),
    (&[0x55, 0x04, 0x0b], "OU"),
];

/// The blocks of a PEM text: label and content. What is not well formed is left out.
pub fn pem(text: &str) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let Some((label, after)) = after.split_once("-----") else {
            break;
        };
        let Some((body, after)) = after.split_once(&format!("-----END {label}-----")) else {
            break;
        };
        let body: String = body.split_whitespace().collect();
        if let Ok(content) = base64::engine::general_purpose::STANDARD.decode(body) {
            found.push((label.to_owned(), content));
        }
        rest = after;
    }
    found
}

/// Elements one after the other.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// Tag and content of the next element.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            short @ 0..0x80 => (usize::from(*short), rest),
            long => {
                let count = usize::from(long & 0x7f);
                if count == 0 || count > 4 {
                    return None;
                }
                let (digits, rest) = rest.split_at_checked(count)?;
                let length = digits
                    .iter()
                    .fold(0_usize, |length, digit| (length << 8) | usize::from(*digit));
                (length, rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    /// The content of the next element, which must have this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next()
            .filter(|(found, _)| *found == tag)
            .map(|(_, content)| content)
    }

    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }
}

/// Reads a certificate. `None` when it is none, or has a kind of key that ACM does not take.
pub fn certificate(der: &[u8]) -> Option<Certificate> {
    let mut whole = Der(Der(der).take(SEQUENCE)?);
    let mut body = Der(whole.take(SEQUENCE)?);
    let signature = Der(whole.take(SEQUENCE)?).take(OID)?;
    // A version other than the first one.
    if body.peek() == Some(0xa0) {
        body.next()?;
    }
    let serial = body.take(INTEGER)?;
    body.take(SEQUENCE)?;
    let issuer = body.take(SEQUENCE)?;
    let mut validity = Der(body.take(SEQUENCE)?);
    let (not_before, not_after) = (time(validity.next()?)?, time(validity.next()?)?);
    let subject = body.take(SEQUENCE)?;
    let mut key = Der(body.take(SEQUENCE)?);
    let (key_algorithm, key) = public_key(key.take(SEQUENCE)?, key.take(BITS)?)?;
    let mut names = Vec::new();
    while let Some((tag, content)) = body.next() {
        if tag == 0xa3 {
            names = alternative_names(Der(content).take(SEQUENCE)?);
        }
    }
    if names.is_empty() {
        names.extend(name_part(subject, COMMON_NAME));
    }
    let known = |table: &[(&[u8], &str)], id: &[u8]| {
        table
            .iter()
            .find(|(known, _)| *known == id)
            .map_or_else(|| "UNKNOWN".to_owned(), |(_, name)| (*name).to_owned())
    };
    Some(Certificate {
        serial: serial
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<Vec<_>>()
            .join(":"),
        issuer: name(issuer),
        subject: name(subject),
        names,
        not_before,
        not_after,
        key_algorithm,
        signature: known(SIGNATURES, signature),
        key,
    })
}

/// Milliseconds since 1970 of a UTCTime or GeneralizedTime.
fn time((tag, content): (u8, &[u8])) -> Option<i64> {
    let text = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
    let text = match tag {
        // Two digits of the year: from 1950 to 2049 (RFC 5280, 4.1.2.5.1).
        0x17 if text.get(..2)? < "50" => format!("20{text}"),
        0x17 => format!("19{text}"),
        0x18 => text.to_owned(),
        _ => return None,
    };
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<i8>().ok();
    let time = jiff::civil::DateTime::new(
        text.get(..4)?.parse().ok()?,
        part(4..6)?,
        part(6..8)?,
        part(8..10)?,
        part(10..12)?,
        part(12..14)?,
        0,
    );
    let stamp = time.ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some(stamp.as_millisecond())
}

/// The algorithm as ACM calls it, and what tells this key from others.
fn public_key(algorithm: &[u8], bits: &[u8]) -> Option<(String, Vec<u8>)> {
    let mut algorithm = Der(algorithm);
    let id = algorithm.take(OID)?;
    let (_, bits) = bits.split_first()?;
    if id == RSA {
        let modulus = unsigned(Der(Der(bits).take(SEQUENCE)?).take(INTEGER)?);
        let length = modulus.len() * 8 - modulus.first()?.leading_zeros() as usize;
        matches!(length, 1024 | 2048 | 3072 | 4096).then(|| (format!("RSA_{length}"), modulus.to_vec()))
    } else if id == EC {
        let curve = algorithm.take(OID)?;
        let (_, name) = CURVES.iter().find(|(known, _)| *known == curve)?;
        Some(((*name).to_owned(), bits.to_vec()))
    } else {
        None
    }
}

/// Without the zero that keeps a number positive.
fn unsigned(number: &[u8]) -> &[u8] {
    match number {
        [0, rest @ ..] => rest,
        number => number,
    }
}

/// The names for DNS of the extension.
fn alternative_names(extensions: &[u8]) -> Vec<String> {
    let mut extensions = Der(extensions);
    let mut names = Vec::new();
    while let Some(extension) = extensions.take(SEQUENCE) {
        let mut extension = Der(extension);
        if extension.take(OID) != Some(ALTERNATIVE_NAMES) {
            continue;
        }
        while let Some((tag, content)) = extension.next() {
            let list = (tag == OCTETS).then(|| Der(content).take(SEQUENCE)).flatten();
            let mut list = Der(list.unwrap_or_default());
            while let Some((tag, content)) = list.next() {
                // dNSName
                if tag == 0x82 {
                    names.push(String::from_utf8_lossy(content).into_owned());
                }
            }
        }
    }
    names
}

/// The parts of a distinguished name: id and text.
fn parts(name: &[u8]) -> Vec<(&[u8], String)> {
    let mut sets = Der(name);
    let mut found = Vec::new();
    while let Some(set) = sets.take(SET) {
        let mut set = Der(set);
        while let Some(pair) = set.take(SEQUENCE) {
            let mut pair = Der(pair);
            if let (Some(id), Some((_, value))) = (pair.take(OID), pair.next()) {
                found.push((id, String::from_utf8_lossy(value).into_owned()));
            }
        }
    }
    found
}

fn name_part(name: &[u8], wanted: &[u8]) -> Option<String> {
    parts(name)
        .into_iter()
        .find(|(id, _)| *id == wanted)
        .map(|(_, text)| text)
}

/// `CN=example.org,O=Example`
fn name(name: &[u8]) -> String {
    let shown = parts(name).into_iter().filter_map(|(id, text)| {
        let (_, label) = NAME_PARTS.iter().find(|(known, _)| *known == id)?;
        Some(format!("{label}={text}"))
    });
    shown.collect::<Vec<_>>().join(",")
}

/// Whether a private key is that of the certificate. `None` when it cannot be read, or is encrypted. A key on an elliptic
/// curve that does not carry its point is taken for the right one.
pub fn belongs(certificate: &Certificate, label: &str, der: &[u8]) -> Option<bool> {
    let is_rsa = certificate.key_algorithm.starts_with("RSA");
    let mut body = Der(Der(der).take(SEQUENCE)?);
    let inner = match label {
        "PRIVATE KEY" => {
            body.take(INTEGER)?;
            let algorithm = Der(body.take(SEQUENCE)?).take(OID)?;
            if is_rsa != (algorithm == RSA) {
                return Some(false);
            }
            Der(body.take(OCTETS)?).take(SEQUENCE)?
        }
        "RSA PRIVATE KEY" if is_rsa => body.0,
        "EC PRIVATE KEY" if !is_rsa => body.0,
        "RSA PRIVATE KEY" | "EC PRIVATE KEY" => return Some(false),
        _ => return None,
    };
    let mut inner = Der(inner);
    inner.take(INTEGER)?;
    if is_rsa {
        return Some(unsigned(inner.take(INTEGER)?) == certificate.key);
    }
    inner.take(OCTETS)?;
    while let Some((tag, content)) = inner.next() {
        if tag == 0xa1 {
            let (_, point) = Der(content).take(BITS)?.split_first()?;
            return Some(point == certificate.key);
        }
    }
    Some(true)
}

#[cfg(test)]
pub mod testing {
    use super::*;

    pub fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut der = vec![tag];
        match content.len() {
            short @ 0..0x80 => der.push(short as u8),
            long => {
                der.push(0x82);
                der.extend((long as u16).to_be_bytes());
            }
        }
        der.extend(content);
        der
    }

    fn named(text: &str) -> Vec<u8> {
        let pair = [element(OID, COMMON_NAME), element(0x0c, text.as_bytes())].concat();
        element(SEQUENCE, &element(SET, &element(SEQUENCE, &pair)))
    }

    fn armoured(label: &str, der: &[u8]) -> String {
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    }

    /// A certificate and its private key in PEM, for these names, with a key of zeros and ones (`seed`): nothing here
    /// checks a signature.
    pub fn self_signed(names: &[&str], issuer: &str, seed: u8) -> (String, String) {
        let modulus = [vec![0, 0x80], vec![seed; 255]].concat();
        let key = [element(INTEGER, &modulus), element(INTEGER, &[1, 0, 1])].concat();
        let algorithm = element(SEQUENCE, &[element(OID, RSA), vec![0x05, 0x00]].concat());
        let public = [vec![0], element(SEQUENCE, &key)].concat();
        let list: Vec<u8> = names.iter().flat_map(|name| element(0x82, name.as_bytes())).collect();
        let extension = [
            element(OID, ALTERNATIVE_NAMES),
            element(OCTETS, &element(SEQUENCE, &list)),
        ]
        .concat();
        let signature = element(SEQUENCE, &element(OID, SIGNATURES[0].0));
        let validity = [element(0x17, b"200101000000Z"), element(0x18, b"20600101000000Z")].concat();
        let body = [
            element(0xa0, &element(INTEGER, &[2])),
            element(INTEGER, &[0x0a, 0x0b]),
            signature.clone(),
            named(issuer),
            element(SEQUENCE, &validity),
            named(names[0]),
            element(SEQUENCE, &[algorithm.clone(), element(BITS, &public)].concat()),
            element(0xa3, &element(SEQUENCE, &element(SEQUENCE, &extension))),
        ];
        let whole = [
            element(SEQUENCE, &body.concat()),
            signature,
            element(BITS, &[0, 1, 2, 3]),
        ]
        .concat();
        let private = [element(INTEGER, &[0]), element(INTEGER, &modulus)].concat();
        let private = [
            element(INTEGER, &[0]),
            algorithm,
            element(OCTETS, &element(SEQUENCE, &private)),
        ];
        (
            armoured("CERTIFICATE", &element(SEQUENCE, &whole)),
            armoured("PRIVATE KEY", &element(SEQUENCE, &private.concat())),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::testing::self_signed;
    use super::*;

    #[test]
    fn a_certificate_says_its_names_dates_and_key() {
        let (text, key) = self_signed(&["example.org", "*.example.org"], "example.org", 1);
        let [(label, der)] = &pem(&text)[..] else { panic!() };
        assert_eq!(label, "CERTIFICATE");
        let read = certificate(der).unwrap();
        assert_eq!(read.names, ["example.org", "*.example.org"]);
        assert_eq!(
            (read.issuer.as_str(), read.subject.as_str()),
            ("CN=example.org", "CN=example.org")
        );
        assert_eq!(
            (read.serial.as_str(), read.key_algorithm.as_str()),
            ("0a:0b", "RSA_2048")
        );
        assert_eq!(read.signature, "SHA256WITHRSA");
        assert_eq!(
            (read.not_before, read.not_after),
            (1_577_836_800_000, 2_840_140_800_000)
        );
        let [(label, der)] = &pem(&key)[..] else { panic!() };
        assert_eq!(belongs(&read, label, der), Some(true));
        assert_eq!(belongs(&read, "ENCRYPTED PRIVATE KEY", der), None);
        let (_, other) = self_signed(&["example.org"], "example.org", 2);
        let [(label, der)] = &pem(&other)[..] else { panic!() };
        assert_eq!(belongs(&read, label, der), Some(false));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_safe(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80), cut in 0_usize..600) {
            certificate(&bytes);
            let (text, key) = self_signed(&["example.org"], "example.org", 1);
            let whole = certificate(&pem(&text)[0].1).unwrap();
            let mut der = pem(&text)[0].1.clone();
            der.truncate(cut);
            der.extend(&bytes);
            certificate(&der);
            belongs(&whole, "PRIVATE KEY", &bytes);
            pem(&key[..cut.min(key.len())]);
        }
    }
}
