//! The Tabular Data Stream protocol, version 7.4, as a server speaks it. Source: [MS-TDS], whose sections are named at
//! each part.

pub mod login;
pub mod packet;
pub mod prelogin;
pub mod rpc;
pub mod session;
pub mod token;
pub mod types;

/// What a client sent that is not TDS. The connection ends, as SQL Server's does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub String);

impl Malformed {
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl From<Malformed> for std::io::Error {
    fn from(malformed: Malformed) -> Self {
        std::io::Error::new(std::io::ErrorKind::InvalidData, malformed.0)
    }
}

/// Reads a message from front to back. Every read is checked.
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else {
            return Err(Malformed::new("the message ends too early"));
        };
        let bytes = &self.bytes[self.at..end];
        self.at = end;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    /// So many UTF-16 units.
    pub fn text(&mut self, units: usize) -> Result<String, Malformed> {
        Ok(utf16(self.bytes(units.saturating_mul(2))?))
    }

    pub fn rest(&mut self) -> &'a [u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at = self.bytes.len();
        rest
    }

    /// ALL_HEADERS ([MS-TDS] 2.2.5.3), of which the server needs nothing: it has one transaction for each connection.
    pub fn skip_headers(&mut self) -> Result<(), Malformed> {
        let total = self.u32()? as usize;
        let Some(rest) = total.checked_sub(4) else {
            return Err(Malformed::new("headers shorter than their length"));
        };
        self.bytes(rest).map(|_| ())
    }
}

/// Little-endian UTF-16; what is no valid text becomes U+FFFD.
pub fn utf16(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    String::from_utf16_lossy(&units)
}
