//! Foreign peers: found on the machine, else installed into the virtual environment `.venv`. One that is not to be had is
//! reported as skipped, by its name. The unit tests use this file too.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

pub const MOTO: &str = "moto[server]==5.2.1";

/// Says that a test did not run. It goes past the capture of the test harness, so that it is seen.
pub fn skipped(test: &str, peer: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {peer} is missing ({why})");
}

/// The virtual environment into which peers from PyPI are installed.
fn environment() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv")
}

/// Installs a peer. Several tests may need one at once: they queue.
fn install(requirement: &str) -> Result<(), String> {
    static QUEUE: Mutex<()> = Mutex::new(());
    let _turn = QUEUE.lock().unwrap_or_else(PoisonError::into_inner);
    let step = |command: &mut Command| -> Result<(), String> {
        let output = command.output().map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr)
                .lines()
                .last()
                .unwrap_or_default()
                .to_owned()),
        }
    };
    let folder = environment();
    if !folder.join("bin/pip").exists() {
        step(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    }
    step(Command::new(folder.join("bin/pip")).args(["install", "--quiet", requirement]))
}

fn works(program: impl AsRef<OsStr>, args: &[&str]) -> bool {
    let ran = Command::new(program)
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    ran.is_ok_and(|status| status.success())
}

/// The program `moto_server`.
fn moto_program() -> Result<&'static Path, &'static str> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        if works("moto_server", &["--help"]) {
            return Ok("moto_server".into());
        }
        let program = environment().join("bin/moto_server");
        if !program.exists() {
            install(MOTO)?;
        }
        Ok(program)
    });
    program.as_deref().map_err(String::as_str)
}

/// A Python that can import a module: the machine's, else the one into which `requirement` was installed. `None` after
/// saying that the test was skipped.
#[allow(dead_code, reason = "only the integration tests need it")]
pub fn python(test: &str, requirement: &str, module: &str) -> Option<PathBuf> {
    let import = ["-c".to_owned(), format!("import {module}")];
    let import = import.each_ref().map(String::as_str);
    let own = environment().join("bin/python");
    for python in [PathBuf::from("python3"), own.clone()] {
        if works(&python, &import) {
            return Some(python);
        }
    }
    match install(requirement) {
        Ok(()) => Some(own),
        Err(why) => {
            skipped(test, requirement, &why);
            None
        }
    }
}

/// A `PATH` on which a program of a peer is: this one, or with the virtual environment in front. `None` after saying that
/// the test was skipped.
#[allow(dead_code, reason = "only the integration tests need it")]
pub fn path_with(test: &str, program: &str, requirement: &str) -> Option<OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if works(program, &["--version"]) {
        return Some(path);
    }
    let folder = environment().join("bin");
    if !folder.join(program).exists()
        && let Err(why) = install(requirement)
    {
        skipped(test, requirement, &why);
        return None;
    }
    let folders = std::iter::once(folder).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).ok()
}

/// A moto server on a free port of loopback. It ends with this value.
pub struct Moto {
    child: Child,
    pub port: u16,
}

impl Moto {
    /// `None` after saying that the test was skipped.
    pub fn start(test: &str) -> Option<Self> {
        let program = match moto_program() {
            Ok(program) => program,
            Err(why) => {
                skipped(test, MOTO, why);
                return None;
            }
        };
        Some(Self::listening(Command::new(program)))
    }

    /// With what it lacks put in: see the script. For a Python that can import `moto.server`.
    #[allow(dead_code, reason = "only the integration tests need it")]
    pub fn repaired(python: &Path) -> Self {
        let mut command = Command::new(python);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/neighbours/server.py"));
        Self::listening(command)
    }

    fn listening(mut command: Command) -> Self {
        // Taken and given back: the port is free unless somebody takes it within the next second.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .map(|a| a.port());
        let port = port.expect("a free port");
        let mut child = command
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .env("MOTO_ECS_SERVICE_RUNNING", "1")
            .env("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("moto starts");
        // Read, so that its log does not fill the pipe.
        if let Some(stderr) = child.stderr.take() {
            std::thread::spawn(move || BufReader::new(stderr).lines().for_each(drop));
        }
        let end = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "moto does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { child, port }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
