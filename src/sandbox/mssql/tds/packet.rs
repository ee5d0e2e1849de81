//! Packets and the messages they carry. Source: [MS-TDS] 2.2.3.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The types of messages that a client sends ([MS-TDS] 2.2.3.1.1).
pub const SQL_BATCH: u8 = 0x01;
pub const RPC: u8 = 0x03;
pub const RESPONSE: u8 = 0x04;
pub const ATTENTION: u8 = 0x06;
pub const BULK_LOAD: u8 = 0x07;
pub const TRANSACTION: u8 = 0x0E;
pub const LOGIN7: u8 = 0x10;
pub const PRELOGIN: u8 = 0x12;

/// The last packet of its message.
const END_OF_MESSAGE: u8 = 0x01;
/// The client wants the message forgotten.
const IGNORE: u8 = 0x02;
const HEADER: usize = 8;

/// A larger message is refused: it would have to be held in memory.
const LARGEST: usize = 256 << 20;

/// A whole message.
#[derive(Debug)]
pub struct Message {
    pub kind: u8,
    pub body: Vec<u8>,
}

/// The next message, or `None` when the client has gone.
pub async fn read<R: AsyncRead + Unpin>(reader: &mut R) -> io::Result<Option<Message>> {
    let mut body = Vec::new();
    loop {
        let mut header = [0; HEADER];
        match reader.read_exact(&mut header).await {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let [kind, status, high, low, ..] = header;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some(length) = length.checked_sub(HEADER) else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a packet shorter than its header",
            ));
        };
        let start = body.len();
        if start + length > LARGEST {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a message of more than 256 MB",
            ));
        }
        body.resize(start + length, 0);
        if let Some(rest) = body.get_mut(start..) {
            reader.read_exact(rest).await?;
        }
        if status & END_OF_MESSAGE != 0 {
            if status & IGNORE != 0 {
                body.clear();
                continue;
            }
            return Ok(Some(Message { kind, body }));
        }
    }
}

/// Cuts a response into packets.
pub struct Writer {
    /// Of a packet, with its header.
    size: usize,
    number: u8,
    held: Vec<u8>,
}

impl Writer {
    pub fn new(size: usize) -> Self {
        Self {
            size: size.clamp(512, 32_767),
            number: 1,
            held: Vec::new(),
        }
    }

    pub fn set_size(&mut self, size: usize) {
        self.size = size.clamp(512, 32_767);
    }

    /// Writes what fills whole packets and holds the rest back.
    pub async fn write<W: AsyncWrite + Unpin>(&mut self, writer: &mut W, bytes: &[u8]) -> io::Result<()> {
        self.held.extend_from_slice(bytes);
        let room = self.size - HEADER;
        while self.held.len() > room {
            let rest = self.held.split_off(room);
            let full = std::mem::replace(&mut self.held, rest);
            self.packet(writer, &full, false).await?;
        }
        Ok(())
    }

    /// Writes what is left as the last packet of the message.
    pub async fn finish<W: AsyncWrite + Unpin>(&mut self, writer: &mut W) -> io::Result<()> {
        let last = std::mem::take(&mut self.held);
        self.packet(writer, &last, true).await?;
        self.number = 1;
        writer.flush().await
    }

    async fn packet<W: AsyncWrite + Unpin>(&mut self, writer: &mut W, body: &[u8], last: bool) -> io::Result<()> {
        let length = (body.len() + HEADER) as u16;
        let [high, low] = length.to_be_bytes();
        writer
            .write_all(&[RESPONSE, u8::from(last), high, low, 0, 0, self.number, 0])
            .await?;
        writer.write_all(body).await?;
        self.number = self.number.wrapping_add(1);
        Ok(())
    }
}
