//! One connection: handshake, then one request after the other. Source: [MS-TDS] 3.3.5.
//!
//! A request runs on a thread of its own, because SQLite blocks. Meanwhile the stream is read on, so that an attention or
//! the client's end stops it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

use super::packet::{self, Message, Writer};
use super::rpc::{Call, TransactionRequest};
use super::token::{self, Done};
use super::{Reader, login, prelogin, rpc, utf16};
use crate::sandbox::mssql::Login;
use crate::sandbox::mssql::beside::Beside;
use crate::sandbox::mssql::engine::{self, Engine, Opening, SERVER_NAME};
use crate::sandbox::mssql::errors::SqlError;

/// The packet size until the login agrees on another.
const PACKET: usize = 4096;

enum Request {
    Batch(String),
    Call(Call),
    Transaction(TransactionRequest),
    /// What is understood and not supported.
    Refused(&'static str),
}

/// Serves a connection to its end.
pub async fn serve<S>(
    stream: S,
    dir: PathBuf,
    admin: Login,
    session: u64,
    beside: Option<Arc<dyn Beside>>,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut reader, mut stream) = tokio::io::split(stream);
    let mut writer = Writer::new(PACKET);
    let Some(hello) = packet::read(&mut reader).await? else {
        return Ok(());
    };
    if hello.kind != packet::PRELOGIN {
        return Err(invalid("the first message is no PRELOGIN"));
    }
    prelogin::check(&hello.body)?;
    writer.write(&mut stream, &prelogin::answer()).await?;
    writer.finish(&mut stream).await?;

    let Some(message) = packet::read(&mut reader).await? else {
        return Ok(());
    };
    if message.kind != packet::LOGIN7 {
        return Err(invalid("PRELOGIN is not followed by LOGIN7"));
    }
    let login = login::parse(&message.body)?;
    let cancelled = Arc::new(AtomicBool::new(false));
    let (sender, mut chunks) = mpsc::channel(4);
    let opened = {
        let (login, cancelled) = (login.clone(), Arc::clone(&cancelled));
        tokio::task::spawn_blocking(move || open(&login, dir, &admin, session, sender, cancelled, beside)).await?
    };
    let mut out = Vec::new();
    let mut engine = match opened {
        Ok(engine) => engine,
        Err(errors) => {
            for error in errors {
                token::error(&mut out, &error.at(1), SERVER_NAME);
            }
            token::done(&mut out, Done::Batch, token::FAILED, 0);
            writer.write(&mut stream, &out).await?;
            return writer.finish(&mut stream).await;
        }
    };
    let size = match login.packet_size as usize {
        0 => PACKET,
        size => size.clamp(512, 32_767),
    };
    let database = engine.database_name();
    token::database_changed(&mut out, &database, "master");
    let mut info = SqlError::new(5701, 0, format!("Changed database context to '{database}'."));
    info.state = 2;
    token::info(&mut out, &info, SERVER_NAME);
    token::collation(&mut out);
    token::language(&mut out);
    token::login_ack(&mut out);
    token::packet_size(&mut out, size, PACKET);
    token::done(&mut out, Done::Batch, 0, 0);
    writer.write(&mut stream, &out).await?;
    writer.finish(&mut stream).await?;
    writer.set_size(size);

    // Messages are read by a task of their own: reading one is not cut off by what else happens.
    let (arrived, mut messages) = mpsc::channel(2);
    tokio::spawn(async move {
        loop {
            let next = packet::read(&mut reader).await;
            let last = !matches!(next, Ok(Some(_)));
            if arrived.send(next).await.is_err() || last {
                return;
            }
        }
    });

    while let Some(message) = messages.recv().await {
        let Some(message) = message? else { return Ok(()) };
        if message.kind == packet::ATTENTION {
            acknowledge(&mut writer, &mut stream).await?;
            continue;
        }
        let request = read_request(&message)?;
        cancelled.store(false, Ordering::Relaxed);
        let mut running = tokio::task::spawn_blocking(move || {
            let panicked = catch_unwind(AssertUnwindSafe(|| run(&mut engine, request))).is_err();
            (engine, panicked)
        });
        let (mut attention, mut gone) = (false, false);
        let (returned, panicked) = loop {
            tokio::select! {
                Some(chunk) = chunks.recv() => {
                    if !gone && writer.write(&mut stream, &chunk).await.is_err() {
                        gone = true;
                        cancelled.store(true, Ordering::Relaxed);
                    }
                }
                next = messages.recv(), if !gone && !attention => match next {
                    Some(Ok(Some(message))) if message.kind == packet::ATTENTION => {
                        attention = true;
                        cancelled.store(true, Ordering::Relaxed);
                    }
                    _ => {
                        gone = true;
                        cancelled.store(true, Ordering::Relaxed);
                    }
                },
                done = &mut running => break done?,
            }
        };
        engine = returned;
        while let Ok(chunk) = chunks.try_recv() {
            if !gone {
                writer.write(&mut stream, &chunk).await?;
            }
        }
        if gone {
            return Ok(());
        }
        if panicked {
            // What the session did last is not known, so it ends, and with it its transaction.
            let mut out = Vec::new();
            token::error(&mut out, &SqlError::internal("a mistake in this program"), SERVER_NAME);
            token::done(&mut out, Done::Batch, token::FAILED, 0);
            writer.write(&mut stream, &out).await?;
            return writer.finish(&mut stream).await;
        }
        if attention {
            let mut out = Vec::new();
            token::done(&mut out, Done::Batch, token::ATTENTION, 0);
            writer.write(&mut stream, &out).await?;
        }
        writer.finish(&mut stream).await?;
        cancelled.store(false, Ordering::Relaxed);
    }
    Ok(())
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// An attention that came when the request was done already.
async fn acknowledge<W: AsyncWrite + Unpin>(writer: &mut Writer, stream: &mut W) -> io::Result<()> {
    let mut out = Vec::new();
    token::done(&mut out, Done::Batch, token::ATTENTION, 0);
    writer.write(stream, &out).await?;
    writer.finish(stream).await
}

/// Opens the session, or gives the errors that the client is told: 18456 and 4060.
fn open(
    login: &login::Login7,
    dir: PathBuf,
    admin: &Login,
    session: u64,
    sender: mpsc::Sender<Vec<u8>>,
    cancelled: Arc<AtomicBool>,
    beside: Option<Arc<dyn Beside>>,
) -> Result<Engine, Vec<SqlError>> {
    let refused = |user: &str| SqlError::new(18456, 14, format!("Login failed for user '{user}'."));
    if login.integrated {
        return Err(vec![SqlError::unsupported(
            "integrated authentication; use a user and a password",
        )]);
    }
    let known = engine::authenticate(&dir, admin, &login.user, login.password.expose()).map_err(|error| vec![error])?;
    let Some(known) = known else {
        return Err(vec![refused(&login.user)]);
    };
    let mut engine = Engine::open(Opening {
        dir,
        session,
        login: known,
        host: login.host.clone(),
        application: login.application.clone(),
        sender,
        cancelled,
        beside,
    })
    .map_err(|error| vec![error])?;
    if !login.database.is_empty() {
        engine
            .login_database(&login.database)
            .map_err(|error| match error.number {
                911 | 916 => vec![
                    SqlError::new(
                        4060,
                        11,
                        format!(
                            "Cannot open database \"{}\" requested by the login. The login failed.",
                            login.database
                        ),
                    ),
                    refused(&login.user),
                ],
                _ => vec![error],
            })?;
    }
    Ok(engine)
}

fn read_request(message: &Message) -> io::Result<Request> {
    Ok(match message.kind {
        packet::SQL_BATCH => {
            let mut reader = Reader::new(&message.body);
            reader.skip_headers()?;
            Request::Batch(utf16(reader.rest()))
        }
        packet::RPC => Request::Call(rpc::parse(&message.body)?),
        packet::TRANSACTION => Request::Transaction(rpc::parse_transaction(&message.body)?),
        packet::BULK_LOAD => Request::Refused("bulk load"),
        other => return Err(invalid(&format!("a message of the type {other}"))),
    })
}

fn run(engine: &mut Engine, request: Request) {
    match request {
        Request::Batch(text) => engine.batch(&text),
        Request::Call(call) => engine.rpc(&call),
        Request::Transaction(request) => engine.transaction_request(&request),
        Request::Refused(what) => {
            engine.out.error(&SqlError::unsupported(what).at(1));
            engine.out.finish_batch();
        }
    }
}
