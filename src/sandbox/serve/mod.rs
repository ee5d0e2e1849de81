//! The sandbox for strangers: the embedded AWS over HTTP, and the embedded SQL Server over TDS, on loopback.
//!
//! Requests must be signed with the server's own [`Keys`]; anything else is refused as AWS refuses it. Loopback is open
//! to every program of the machine, browsers included, and the sandbox holds secrets.

pub mod http;
pub mod keys;
pub mod refusal;
pub mod signature;
pub mod sql;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::http::{Answer, Bad, Connection, Head};
pub use self::keys::Keys;
use self::signature::Signed;
use super::Clock;
use super::aws::call::Fault;
use super::aws::model::{self, Protocol};
use super::aws::protocol::Reply;
use super::aws::rules::meet::{self, Incoming, Lost};
use super::aws::{Aws, Request};
use crate::error::{Error, Result};

/// How long requests that are under way may take when the server ends.
const GRACE: Duration = Duration::from_secs(10);

/// A socket that listens on loopback; port 0 takes any free one. An address that others can reach is refused.
pub async fn listen(host: IpAddr, port: u16) -> Result<TcpListener> {
    if !host.is_loopback() {
        return Err(Error::usage(format!(
            "{host} is not loopback: the sandbox is served to this machine only"
        ))
        .hint("127.0.0.1 and ::1 are; whoever must reach it from elsewhere can forward a port with ssh -L"));
    }
    let address = SocketAddr::new(host, port);
    TcpListener::bind(address).await.map_err(|error| {
        let failed = Error::failed(format!("{address} cannot be listened on: {error}"));
        match error.kind() {
            std::io::ErrorKind::AddrInUse => failed.hint("another program has the port; 0 takes any free one"),
            _ => failed,
        }
    })
}

/// Where the server's end is announced: it sends `true`.
pub type Ending = watch::Receiver<bool>;

/// Waits for the announcement. Without anybody who could make it, for ever.
pub async fn ended(ending: &mut Ending) {
    if ending.wait_for(|ending| *ending).await.is_err() {
        std::future::pending().await
    }
}

/// Accepts connections until the end, and gives each to `serve`. Returns when all of them are done, or their time is up.
pub(super) async fn accept<F>(listener: TcpListener, mut ending: Ending, serve: impl Fn(TcpStream) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = ended(&mut ending) => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Answers are small and written whole: waiting for more to send would only delay them.
                    let _ = stream.set_nodelay(true);
                    connections.spawn(serve(stream));
                }
                // No descriptors are left, or the peer has gone: the next one may do better.
                Err(error) => {
                    tracing::debug!("a connection was not accepted: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(GRACE, all).await;
}

/// The embedded AWS over HTTP.
#[derive(Clone, Debug)]
pub struct Server {
    aws: Arc<Aws>,
    keys: Arc<Keys>,
    /// By which signatures are judged: the callers', not the sandbox's, which tests may move.
    clock: Clock,
}

impl Server {
    pub fn new(aws: Arc<Aws>, keys: Keys) -> Self {
        Self {
            aws,
            keys: Arc::new(keys),
            clock: Clock::System,
        }
    }

    /// Serves until the end is announced; requests that are under way are finished.
    pub async fn run(self, listener: TcpListener, ending: Ending) {
        let serve = |stream| {
            let (server, ending) = (self.clone(), ending.clone());
            async move { server.connection(stream, ending).await }
        };
        accept(listener, ending.clone(), serve).await;
    }

    /// One connection, request by request.
    pub async fn connection<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S, mut ending: Ending) {
        let mut connection = Connection::new(stream);
        loop {
            tokio::select! {
                biased;
                ready = connection.ready() => if !matches!(ready, Ok(true)) { return },
                () = ended(&mut ending) => return,
            }
            let began = Instant::now();
            let (reply, keep, head_only) = match self.request(&mut connection).await {
                Ok((head, Some(reply))) => {
                    let keep = head.keep_alive && !*ending.borrow();
                    (reply, keep, head.method == "HEAD")
                }
                // A rule broke the connection off: the peer hears nothing.
                Ok((_, None)) | Err(Bad::Gone(_)) => return,
                Err(Bad::Refused { status, message }) => {
                    let fault = Fault::new("MalformedHttpRequestException", message).status(status);
                    (self.aws.refuse(Request::default(), &fault), false, false)
                }
            };
            let answer = Answer {
                status: reply.status,
                date: &date(self.now()),
                headers: &reply.headers,
                body: &reply.body,
                close: !keep,
                head_only,
            };
            tracing::debug!("answered {} in {:?}", reply.status, began.elapsed());
            if connection.answer(&answer).await.is_err() {
                return;
            }
            if !keep {
                return connection.close().await;
            }
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.clock.now()).unwrap_or_default()
    }

    /// Reads a request and answers it; no reply when a rule breaks the connection off.
    async fn request<S>(&self, connection: &mut Connection<S>) -> Result<(Head, Option<Reply>), Bad>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let head = connection.head().await?;
        let body = connection.body(&head).await?;
        let header = |name: &str| head.header(name).unwrap_or_default().to_owned();
        let mut received = Incoming {
            method: head.method.clone(),
            uri: head.target.clone(),
            authorization: header("authorization"),
            target: header("x-amz-target"),
            body,
        };
        let signed = Signed {
            method: &head.method,
            path: head.path(),
            query: head.query(),
            headers: &head.headers,
            body: &received.body,
        };
        let service = received.request().service().to_owned();
        if let Err(refusal) = signature::check(&self.keys, &signed, self.now()) {
            let fault = refusal.fault(&service, !received.target.is_empty());
            let reply = self.aws.refuse(received.request(), &fault);
            return Ok((head, Some(reply)));
        }
        let form = |protocol| matches!(protocol, Protocol::Ec2 | Protocol::Query);
        let form = model::of(&service).is_some_and(|(_, model)| form(model.metadata.protocol));
        if form && head.method == "GET" && received.body.is_empty() {
            // The form protocols take their parameters from the query string as well.
            received.body = head.query().to_owned().into();
        }
        let began = Instant::now();
        let (_, operation) = received.request().names();
        let refused = received.clone();
        let outcome = meet::exchange(self.aws.clone(), received).await;
        let milliseconds = began.elapsed().as_millis();
        let told = match &outcome {
            Ok(reply) => reply.status.to_string(),
            Err(Lost::Unreachable) => "is not carried out, by a rule".to_owned(),
            Err(Lost::Answer) => "loses its answer, by a rule".to_owned(),
            Err(Lost::Broken) => "broke the sandbox's thread".to_owned(),
        };
        tracing::info!(target: "iacsh::calls", "{service}:{operation} {told} {milliseconds} ms");
        Ok(match outcome {
            Ok(reply) => (head, Some(reply)),
            Err(Lost::Unreachable | Lost::Answer) => (head, None),
            Err(Lost::Broken) => {
                let fault = Fault::new("InternalFailure", "the sandbox's thread ended").status(500);
                (head, Some(self.aws.refuse(refused.request(), &fault)))
            }
        })
    }
}

/// The form of the header `Date` (RFC 9110, section 5.6.7).
fn date(now: Timestamp) -> String {
    now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
