//! HTTP/1.1 as the AWS clients need it: requests with a length or in chunks, one after the other on a connection,
//! `Expect: 100-continue`, and limits on everything that a peer sends.
//!
//! Source: RFC 9112. The heads and chunk lengths are parsed by `httparse`, which hyper uses too. hyper itself is only in
//! the tree as a client; switching on its server would compile every SDK crate anew.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Of a head, in bytes.
const LARGEST_HEAD: usize = 64 << 10;
/// Headers of a request.
const MOST_HEADERS: usize = 100;
/// Of a body. The largest call of the services here, PutLogEvents, takes 1 MB.
pub const LARGEST_BODY: usize = 16 << 20;
/// The line in front of a chunk.
const LONGEST_CHUNK_LINE: usize = 4 << 10;

/// What a request begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub method: String,
    /// As sent: path and query.
    pub target: String,
    /// Names in lower case, in the order of the request.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Whether the peer takes another answer on this connection.
    pub keep_alive: bool,
    length: Length,
    continues: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Sized(usize),
    Chunked,
}

impl Head {
    /// The first header of that name, when it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(header, _)| header == name)?;
        std::str::from_utf8(value).ok().map(str::trim)
    }

    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(&self.target, |(path, _)| path)
    }

    /// Empty when there is none.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    fn read(parsed: &httparse::Request<'_, '_>) -> Result<Self, Bad> {
        let headers: Vec<_> = parsed
            .headers
            .iter()
            .map(|header| (header.name.to_ascii_lowercase(), header.value.to_vec()))
            .collect();
        let mut head = Self {
            method: parsed.method.unwrap_or_default().to_owned(),
            target: parsed.path.unwrap_or_default().to_owned(),
            headers,
            keep_alive: parsed.version == Some(1),
            length: Length::Sized(0),
            continues: false,
        };
        // A proxy names the whole address; the path is what is signed.
        if let Some(rest) = head.target.strip_prefix("http://") {
            head.target = rest.find('/').map_or("/", |at| &rest[at..]).to_owned();
        }
        if let Some(connection) = head.header("connection").map(str::to_ascii_lowercase) {
            let says = |what: &str| connection.split(',').any(|word| word.trim() == what);
            head.keep_alive = (head.keep_alive || says("keep-alive")) && !says("close");
        }
        let of = |name: &str| head.headers.iter().filter(move |(header, _)| header == name).count();
        let lengths = (of("content-length"), of("transfer-encoding"));
        head.length = match (lengths, head.header("content-length"), head.header("transfer-encoding")) {
            ((0, 0), ..) => Length::Sized(0),
            ((1, 0), Some(text), _) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                Length::Sized(text.parse().map_err(|_| too_large())?)
            }
            ((0, 1), _, Some(coding)) if coding.eq_ignore_ascii_case("chunked") => Length::Chunked,
            ((0, 1), ..) => return Err(Bad::refused(501, "the transfer coding is not supported")),
            // RFC 9112, section 6.3: two lengths are a sign of request smuggling.
            _ => return Err(Bad::refused(400, "the length of the body is not clear")),
        };
        head.continues = head
            .header("expect")
            .is_some_and(|text| text.eq_ignore_ascii_case("100-continue"));
        Ok(head)
    }
}

/// Why a connection ends.
#[derive(Debug)]
pub enum Bad {
    /// Nobody is there to be told.
    Gone(io::Error),
    /// What was sent cannot be understood, or is too much.
    Refused { status: u16, message: &'static str },
}

impl Bad {
    fn refused(status: u16, message: &'static str) -> Self {
        Self::Refused { status, message }
    }
}

impl From<io::Error> for Bad {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

fn too_large() -> Bad {
    Bad::refused(413, "the body is larger than 16 MiB")
}

fn cut_off() -> Bad {
    Bad::Gone(io::ErrorKind::UnexpectedEof.into())
}

/// A connection and what was read of it too early.
pub struct Connection<S> {
    stream: S,
    read: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            read: BytesMut::new(),
        }
    }

    /// Waits until something of a next request is there; `false` when the peer has gone. Dropping the future loses
    /// nothing.
    pub async fn ready(&mut self) -> io::Result<bool> {
        Ok(!self.read.is_empty() || self.stream.read_buf(&mut self.read).await? > 0)
    }

    pub async fn head(&mut self) -> Result<Head, Bad> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
            let mut parsed = httparse::Request::new(&mut headers);
            match parsed.parse(&self.read) {
                Ok(httparse::Status::Complete(length)) => {
                    let head = Head::read(&parsed)?;
                    self.read.advance(length);
                    return Ok(head);
                }
                Ok(httparse::Status::Partial) if self.read.len() > LARGEST_HEAD => {
                    return Err(Bad::refused(431, "the head is larger than 64 KiB"));
                }
                Ok(httparse::Status::Partial) => self.more().await?,
                Err(httparse::Error::TooManyHeaders) => {
                    return Err(Bad::refused(431, "there are more than 100 headers"));
                }
                Err(httparse::Error::Version) => return Err(Bad::refused(505, "only HTTP/1.1 is spoken here")),
                Err(_) => return Err(Bad::refused(400, "this is not HTTP")),
            }
        }
    }

    pub async fn body(&mut self, head: &Head) -> Result<Bytes, Bad> {
        if matches!(head.length, Length::Sized(length) if length > LARGEST_BODY) {
            return Err(too_large());
        }
        if head.continues && head.length != Length::Sized(0) && self.read.is_empty() {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
            self.stream.flush().await?;
        }
        match head.length {
            Length::Sized(length) => self.exactly(length).await,
            Length::Chunked => self.chunks().await,
        }
    }

    async fn exactly(&mut self, length: usize) -> Result<Bytes, Bad> {
        while self.read.len() < length {
            self.more().await?;
        }
        Ok(self.read.split_to(length).freeze())
    }

    /// Chunks up to the empty one, and the trailer behind it, which nobody needs.
    async fn chunks(&mut self) -> Result<Bytes, Bad> {
        let mut body = BytesMut::new();
        loop {
            let length = self.chunk_length().await?;
            if length == 0 {
                while !self.line().await?.is_empty() {}
                return Ok(body.freeze());
            }
            if length > LARGEST_BODY - body.len() {
                return Err(too_large());
            }
            body.extend_from_slice(&self.exactly(length).await?);
            if !self.line().await?.is_empty() {
                return Err(Bad::refused(400, "a chunk is longer than it says"));
            }
        }
    }

    async fn chunk_length(&mut self) -> Result<usize, Bad> {
        loop {
            match httparse::parse_chunk_size(&self.read) {
                Ok(httparse::Status::Complete((taken, length))) => {
                    self.read.advance(taken);
                    return usize::try_from(length).map_err(|_| too_large());
                }
                Ok(httparse::Status::Partial) if self.read.len() <= LONGEST_CHUNK_LINE => self.more().await?,
                _ => return Err(Bad::refused(400, "the length of a chunk is no number")),
            }
        }
    }

    /// A line without its end.
    async fn line(&mut self) -> Result<Bytes, Bad> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line = self.read.split_to(end + 1).freeze();
                let line = line.slice(..end);
                return Ok(line.strip_suffix(b"\r").map(Bytes::copy_from_slice).unwrap_or(line));
            }
            if self.read.len() > LONGEST_CHUNK_LINE {
                return Err(Bad::refused(400, "a line does not end"));
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Result<(), Bad> {
        match self.stream.read_buf(&mut self.read).await? {
            0 => Err(cut_off()),
            _ => Ok(()),
        }
    }

    /// Writes an answer. `date` is the time by which clients set their clocks right.
    pub async fn answer(&mut self, answer: &Answer<'_>) -> io::Result<()> {
        let reason = http::StatusCode::from_u16(answer.status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or_default();
        let mut head = format!("HTTP/1.1 {} {reason}\r\ndate: {}\r\n", answer.status, answer.date);
        for (name, value) in answer.headers {
            // A line break in a value would begin a header of somebody else's making.
            let value: String = value.chars().filter(|c| !c.is_control()).collect();
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if answer.close {
            head.push_str("connection: close\r\n");
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", answer.body.len()));
        let mut bytes = head.into_bytes();
        if !answer.head_only {
            bytes.extend_from_slice(answer.body);
        }
        self.stream.write_all(&bytes).await?;
        self.stream.flush().await
    }

    /// Ends the connection so that the peer still reads what was written: what it sends on is read for a moment, because
    /// a closed socket with unread bytes resets the connection.
    pub async fn close(mut self) {
        let _ = self.stream.shutdown().await;
        let drained = async {
            let mut left = LARGEST_BODY;
            let mut scrap = [0; 8 << 10];
            while let Ok(count @ 1..) = self.stream.read(&mut scrap).await {
                left = left.saturating_sub(count);
                if left == 0 {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(std::time::Duration::from_secs(1), drained).await;
    }
}

/// A response.
pub struct Answer<'a> {
    pub status: u16,
    pub date: &'a str,
    pub headers: &'a [(&'static str, String)],
    pub body: &'a [u8],
    /// The connection ends with it.
    pub close: bool,
    /// The request was a HEAD: the body is only counted.
    pub head_only: bool,
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    /// What the server reads when a peer sends these parts one after the other.
    async fn request(parts: &[&[u8]]) -> Result<(Head, Bytes), Bad> {
        let (mut peer, stream) = duplex(1 << 20);
        let parts: Vec<Vec<u8>> = parts.iter().map(|part| part.to_vec()).collect();
        tokio::spawn(async move {
            for part in parts {
                peer.write_all(&part).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let mut connection = Connection::new(stream);
        let head = connection.head().await?;
        let body = connection.body(&head).await?;
        Ok((head, body))
    }

    async fn status(text: &str) -> u16 {
        match request(&[text.as_bytes()]).await {
            Err(Bad::Refused { status, .. }) => status,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_request_is_read_however_it_is_cut() {
        let whole: &[u8] = b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nX-Amz-Target:  T.Op \r\nContent-Length: 5\r\n\r\nhello";
        for at in 1..whole.len() {
            let (one, other) = whole.split_at(at);
            let (head, body) = request(&[one, other]).await.unwrap();
            assert_eq!((head.method.as_str(), head.path(), head.query()), ("POST", "/a", "b=c"));
            assert_eq!((head.header("x-amz-target"), &body[..]), (Some("T.Op"), &b"hello"[..]));
            assert!(head.keep_alive);
        }
    }

    #[tokio::test]
    async fn a_body_in_chunks_is_read_however_it_is_cut() {
        let whole: &[u8] =
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n";
        for at in 1..whole.len() {
            let (one, other) = whole.split_at(at);
            let (_, body) = request(&[one, other]).await.unwrap();
            assert_eq!(&body[..], b"hello!");
        }
    }

    #[tokio::test]
    async fn a_peer_that_asks_is_told_to_go_on() {
        let (mut peer, stream) = duplex(1 << 10);
        let server = tokio::spawn(async move {
            let mut connection = Connection::new(stream);
            let head = connection.head().await.unwrap();
            connection.body(&head).await.unwrap()
        });
        peer.write_all(b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            .await
            .unwrap();
        let mut told = [0; 25];
        peer.read_exact(&mut told).await.unwrap();
        assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
        peer.write_all(b"ok").await.unwrap();
        assert_eq!(&server.await.unwrap()[..], b"ok");
    }

    #[tokio::test]
    async fn what_is_no_request_or_too_much_is_refused() {
        assert_eq!(status("SSH-2.0-OpenSSH\r\n\r\n").await, 400);
        assert_eq!(status("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await, 505);
        assert_eq!(
            status("POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n").await,
            413
        );
        assert_eq!(
            status("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n").await,
            400
        );
        assert_eq!(
            status("POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n").await,
            400
        );
        assert_eq!(status("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n").await, 400);
        assert_eq!(status("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n").await, 501);
        assert_eq!(
            status("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").await,
            400
        );
        assert_eq!(
            status("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n").await,
            413
        );
        let many = "A: b\r\n".repeat(101);
        assert_eq!(status(&format!("GET / HTTP/1.1\r\n{many}\r\n")).await, 431);
        let long = "a".repeat(LARGEST_HEAD + 1);
        assert_eq!(status(&format!("GET / HTTP/1.1\r\nA: {long}")).await, 431);
    }

    #[tokio::test]
    async fn a_connection_is_kept_or_closed_as_the_peer_says() {
        for (text, keep) in [
            ("GET / HTTP/1.1\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", false),
            ("GET / HTTP/1.0\r\n\r\n", false),
            ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true),
        ] {
            let (head, _) = request(&[text.as_bytes()]).await.unwrap();
            assert_eq!(head.keep_alive, keep, "{text}");
        }
    }

    #[tokio::test]
    async fn a_header_of_an_answer_cannot_begin_another() {
        let (mut peer, stream) = duplex(1 << 10);
        let headers = [("x-amzn-errortype", "A\r\nSet-Cookie: b".to_owned())];
        let answer = Answer {
            status: 400,
            date: "now",
            headers: &headers,
            body: b"{}",
            close: true,
            head_only: false,
        };
        Connection::new(stream).answer(&answer).await.unwrap();
        let mut text = String::new();
        peer.read_to_string(&mut text).await.unwrap();
        assert_eq!(
            text,
            "HTTP/1.1 400 Bad Request\r\ndate: now\r\nx-amzn-errortype: ASet-Cookie: b\r\nconnection: \
             close\r\ncontent-length: 2\r\n\r\n{}"
        );
    }
}
