//! A proxy between iacsh and moto that kills iacsh at a call.
//!
//! One proxy serves one run: what a dead process had sent and nobody read yet dies with its proxy's port.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;

use super::request::Request;
use crate::crash::is_read;
use crate::project::Ran;

/// The writing call at which the process is killed.
#[derive(Clone, Debug)]
pub struct Place {
    pub call: Call,
    /// It took effect, and its answer is kept back; else it is not sent.
    pub after: bool,
}

#[derive(Clone, Debug)]
pub enum Call {
    /// Of all writing calls, from 1.
    Number(u32),
    /// Of those of one action, from 1: `ec2:CreateSubnet`.
    Of(&'static str, u32),
}

/// What became of a run.
pub struct Met {
    pub ran: Ran,
    /// How many writing calls came.
    pub writes: u32,
    /// Where it was killed, in words. `None`: it was not, and ended by itself.
    pub point: Option<String>,
}

#[derive(Default)]
struct Known {
    writes: u32,
    of: BTreeMap<String, u32>,
    point: Option<String>,
}

struct Shared {
    moto: u16,
    account: String,
    place: Option<Place>,
    known: Mutex<Known>,
    child: Mutex<Option<Child>>,
    /// Held for reading while a request is passed on, and for writing by the one that kills: after it, none is.
    is_dead: RwLock<bool>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a command that is to send its calls to a port, which `make` is told. They reach moto in the name of an account.
pub fn run(moto: u16, account: &str, place: Option<&Place>, make: impl FnOnce(u16) -> Command) -> Met {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    let shared = Arc::new(Shared {
        moto,
        account: account.to_owned(),
        place: place.cloned(),
        known: Mutex::default(),
        child: Mutex::default(),
        is_dead: RwLock::new(false),
    });
    let serving = {
        let shared = shared.clone();
        std::thread::spawn(move || shared.serve(&listener))
    };
    let (out, err) = {
        let mut running = lock(&shared.child);
        let mut command = make(port);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = running.insert(child.expect("the program starts"));
        (reader(child.stdout.take()), reader(child.stderr.take()))
    };
    let (out, err) = (said(out), said(err));
    let status = shared.end();
    // One more connection, to have it look up. Then everything that had come is answered, or dropped.
    drop(TcpStream::connect(("127.0.0.1", port)));
    for connection in serving.join().expect("the proxy") {
        connection.join().expect("a connection");
    }
    let known = std::mem::take(&mut *lock(&shared.known));
    Met {
        ran: Ran {
            code: status.code().unwrap_or(-1),
            out,
            err,
        },
        writes: known.writes,
        point: known.point,
    }
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    let mut pipe = pipe.expect("a pipe");
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("what it says");
        bytes
    })
}

fn said(reader: JoinHandle<Vec<u8>>) -> String {
    String::from_utf8_lossy(&reader.join().expect("what it says")).into_owned()
}

impl Shared {
    fn serve(self: &Arc<Self>, listener: &TcpListener) -> Vec<JoinHandle<()>> {
        let mut connections = Vec::new();
        loop {
            let (client, _) = listener.accept().expect("a connection");
            if *self.is_dead.read().unwrap_or_else(PoisonError::into_inner) {
                return connections;
            }
            let shared = self.clone();
            connections.push(std::thread::spawn(move || {
                // A peer that is gone is what this is about.
                let _ = shared.pass(client);
            }));
        }
    }

    /// One request: every answer closes its connection.
    fn pass(&self, mut client: TcpStream) -> std::io::Result<()> {
        let Some(mut request) = Request::read(&mut client)? else {
            return Ok(());
        };
        let is_it = self.meet(&request);
        if is_it == Some(false) {
            self.kill();
            return Ok(());
        }
        request.set("connection", "close");
        request.set("x-moto-account-id", &self.account);
        let mut moto = {
            let is_dead = self.is_dead.read().unwrap_or_else(PoisonError::into_inner);
            if *is_dead {
                return Ok(());
            }
            let mut moto = TcpStream::connect(("127.0.0.1", self.moto))?;
            moto.write_all(&request.bytes())?;
            moto
        };
        let mut answer = Vec::new();
        moto.read_to_end(&mut answer)?;
        if is_it == Some(true) {
            self.kill();
            return Ok(());
        }
        client.write_all(&answer)?;
        client.shutdown(Shutdown::Write)
    }

    /// Counts a call. When it is the one at which the process dies: whether it takes effect before.
    fn meet(&self, request: &Request) -> Option<bool> {
        let action = request.action();
        if is_read(action.split_once(':').map_or(&action, |(_, operation)| operation)) {
            return None;
        }
        let mut known = lock(&self.known);
        known.writes += 1;
        let number = known.writes;
        let of = known.of.entry(action.clone()).or_default();
        *of += 1;
        let place = self.place.as_ref()?;
        let is_it = match place.call {
            Call::Number(wanted) => number == wanted,
            Call::Of(wanted, nth) => action == wanted && *of == nth,
        };
        is_it.then(|| {
            let words = if place.after {
                "after it took effect"
            } else {
                "before it was sent"
            };
            known.point = Some(format!("call {number}, {action} {}, {words}", request.resource()));
            place.after
        })
    }

    /// By its own id, with the signal that no process hears. When this returns it is no more, and nothing that it sent is
    /// passed on.
    fn kill(&self) {
        let mut is_dead = self.is_dead.write().unwrap_or_else(PoisonError::into_inner);
        let mut child = lock(&self.child);
        let child = child.as_mut().expect("a process that calls");
        child.kill().expect("killed");
        child.wait().expect("gone");
        *is_dead = true;
    }

    /// Its end, by itself or not.
    fn end(&self) -> std::process::ExitStatus {
        let status = lock(&self.child).as_mut().expect("a process").wait().expect("its end");
        *self.is_dead.write().unwrap_or_else(PoisonError::into_inner) = true;
        status
    }
}
