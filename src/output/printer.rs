//! The one place that writes to standard output and standard error.

use std::cell::Cell;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anstream::{AutoStream, ColorChoice};
use indicatif::{MultiProgress, ProgressDrawTarget};

use super::table::{self, Shape};
use super::{error, json, paint, plain, style};
use crate::cli::{Color, Options};
use crate::error::{Error, Location, Result};
use crate::secret::mask;
use crate::value::Value;

/// The most rows of a table at the prompt.
const ROWS_AT_PROMPT: usize = 50;

thread_local! {
    /// Whether this thread has the terminal to itself: what it prints is not held back.
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Decides what is printed, where, and how. Cheap to clone.
#[derive(Clone)]
pub struct Printer(Arc<Inner>);

struct Inner {
    out: Stream,
    err: Stream,
    json: bool,
    verbose: u8,
    /// The lines of running work, on a terminal.
    lines: Option<MultiProgress>,
    /// What other threads print while one has the terminal to itself.
    held: Mutex<Option<Vec<Held>>>,
    /// Two questions at once would be one too many: the second waits.
    alone: Mutex<()>,
}

/// Something that is printed later.
struct Held {
    to_out: bool,
    text: String,
}

struct Stream {
    writer: Mutex<Box<dyn Write + Send>>,
    color: bool,
    terminal: bool,
    /// The reader went away. That is a quiet end of the output, not of the work.
    closed: AtomicBool,
}

impl Stream {
    fn new(writer: Box<dyn Write + Send>, color: bool, terminal: bool) -> Self {
        Self {
            writer: Mutex::new(writer),
            color,
            terminal,
            closed: AtomicBool::new(false),
        }
    }

    fn write(&self, text: &str) -> io::Result<()> {
        self.write_unmasked(&mask(text))
    }

    fn write_unmasked(&self, text: &str) -> io::Result<()> {
        if self.closed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let written = match self.color {
            true => writer.write_all(text.as_bytes()),
            false => write!(writer, "{}", anstream::adapter::strip_str(text)),
        };
        match written.and_then(|()| writer.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed.store(true, Ordering::Relaxed);
                Ok(())
            }
            written => written,
        }
    }
}

impl Printer {
    /// The printer of this process.
    pub fn new(options: &Options) -> Self {
        let (out, err) = (io::stdout(), io::stderr());
        let choose = |auto: ColorChoice| match options.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => auto != ColorChoice::Never,
        };
        let out_color = choose(AutoStream::choice(&out));
        let err_color = choose(AutoStream::choice(&err));
        let (out_terminal, err_terminal) = (out.is_terminal(), err.is_terminal());
        let lines =
            (err_terminal && !options.json).then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
        Self(Arc::new(Inner {
            out: Stream::new(Box::new(out), out_color, out_terminal),
            err: Stream::new(Box::new(err), err_color, err_terminal),
            json: options.json,
            verbose: options.verbose,
            lines,
            held: Mutex::new(None),
            alone: Mutex::new(()),
        }))
    }

    /// A printer that writes elsewhere, as to no terminal.
    pub fn to(options: &Options, out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        let color = options.color == Color::Always;
        Self(Arc::new(Inner {
            out: Stream::new(out, color, false),
            err: Stream::new(err, color, false),
            json: options.json,
            verbose: options.verbose,
            lines: None,
            held: Mutex::new(None),
            alone: Mutex::new(()),
        }))
    }

    /// Whether results are JSON.
    pub fn json(&self) -> bool {
        self.0.json
    }

    pub fn verbose(&self) -> u8 {
        self.0.verbose
    }

    /// Whether a terminal shows colours.
    pub fn colors(&self) -> bool {
        self.0.err.color
    }

    /// Whether a person can be asked: both ends of the conversation are terminals.
    pub fn can_ask(&self) -> bool {
        self.0.err.terminal && io::stdin().is_terminal()
    }

    /// Whether the reader of standard output went away.
    pub fn is_closed(&self) -> bool {
        self.0.out.closed.load(Ordering::Relaxed)
    }

    /// Columns of the terminal that standard output is, else `COLUMNS`, else 100.
    pub fn width(&self) -> usize {
        width(
            self.0
                .out
                .terminal
                .then(|| terminal_size::terminal_size_of(io::stdout()))
                .flatten(),
        )
    }

    /// The result of a run: a table, or with `--json` a document.
    pub fn result(&self, value: &Value) -> Result<()> {
        self.value(value, None)
    }

    /// The result of a line at the prompt: a long table is cut, and says so.
    pub fn result_at_prompt(&self, value: &Value) -> Result<()> {
        self.value(value, Some(ROWS_AT_PROMPT))
    }

    fn value(&self, value: &Value, rows: Option<usize>) -> Result<()> {
        if self.0.json {
            return self.out(&format!("{}\n", json::document(value)));
        }
        let width = self.width();
        match table::render(value, Shape { width, rows }) {
            text if text.is_empty() && matches!(value, Value::Null) => Ok(()),
            text => self.out(&format!("{text}\n")),
        }
    }

    /// The value as a table, as wide as the terminal.
    pub fn table(&self, value: &Value) -> String {
        table::render(
            value,
            Shape {
                width: self.width(),
                rows: None,
            },
        )
    }

    /// A JSON document on standard output.
    pub fn document(&self, json: &serde_json::Value) -> Result<()> {
        self.out(&format!("{}\n", json::pretty(json)))
    }

    /// Text of iacsh's own on standard output, as the help. It may hold colour codes.
    pub fn show(&self, text: &str) -> Result<()> {
        self.out(text)
    }

    /// Text on standard output that shows secrets because its reader asked for them, as the keys of a server.
    pub fn reveal(&self, text: &str) -> Result<()> {
        (self.0.out.write_unmasked(text))
            .map_err(|error| Error::failed(format!("standard output cannot be written: {error}")))
    }

    /// What a script prints: standard output, or standard error when that is to hold one JSON document.
    pub fn print(&self, text: &str) -> Result<()> {
        let text = format!("{}\n", plain(text));
        match self.0.json {
            true => self.err(&text),
            false => self.out(&text),
        }
    }

    /// A heading among results.
    pub fn heading(&self, title: &str) -> Result<()> {
        self.print_styled(&format!("\n{}", paint(style::STRONG, plain(title))))
    }

    fn print_styled(&self, text: &str) -> Result<()> {
        match self.0.json {
            true => self.err(&format!("{text}\n")),
            false => self.out(&format!("{text}\n")),
        }
    }

    /// A step before it runs: its title, what the script's author says of it, and its code.
    pub fn step(&self, title: &str, about: &str, code: &str, at: Option<&Location>) {
        let mut text = format!("\n{}", paint(style::STRONG, plain(title)));
        if let Some(at) = at {
            text.push_str(&format!("  {}", paint(style::FAINT, at)));
        }
        for line in about.lines() {
            text.push_str(&format!("\n{}", plain(line)));
        }
        for line in code.lines() {
            text.push_str(&format!("\n    {}", paint(style::PLACE, plain(line))));
        }
        self.message(&text);
    }

    /// A message on standard error. It may hold colour codes; `--json` leaves it out.
    pub fn message(&self, text: &str) {
        if !self.0.json {
            self.quietly_err(&format!("{text}\n"));
        }
    }

    /// Something that may be wrong.
    pub fn warn(&self, text: &str) {
        self.message(&format!("{} {}", paint(style::WARNING, "warning:"), plain(text)));
    }

    /// An error, also with `--json`.
    pub fn error(&self, error: &Error) {
        let width = width(
            self.0
                .err
                .terminal
                .then(|| terminal_size::terminal_size_of(io::stderr()))
                .flatten(),
        );
        self.quietly_err(&format!("{}\n", error::render(error, width)));
    }

    /// One line of progress, on standard error also with `--json`.
    pub(super) fn line(&self, text: &str) {
        self.quietly_err(&format!("{text}\n"));
    }

    pub(super) fn lines(&self) -> Option<&MultiProgress> {
        self.0.lines.as_ref()
    }

    /// Runs `f` with the terminal to itself. The lines of running work are taken away; what other threads print is held
    /// back and printed afterwards. Their work goes on.
    pub fn alone<T>(&self, f: impl FnOnce() -> T) -> T {
        if ALONE.get() {
            return f();
        }
        let _alone = self.0.alone.lock().unwrap_or_else(PoisonError::into_inner);
        *self.held() = Some(Vec::new());
        if let Some(lines) = &self.0.lines {
            // A terminal that cannot be cleared shows old lines; there is nothing to be done about it.
            lines.clear().ok();
            lines.set_draw_target(ProgressDrawTarget::hidden());
        }
        ALONE.set(true);
        // Set back also when `f` panics.
        let after = After(self);
        let result = f();
        drop(after);
        result
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<Vec<Held>>> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn out(&self, text: &str) -> Result<()> {
        self.write(true, text)
            .map_err(|error| Error::failed(format!("standard output cannot be written: {error}")))
    }

    fn err(&self, text: &str) -> Result<()> {
        self.write(false, text)
            .map_err(|error| Error::failed(format!("standard error cannot be written: {error}")))
    }

    /// Messages have nowhere else to go: that they cannot be written ends no run.
    fn quietly_err(&self, text: &str) {
        self.write(false, text).ok();
    }

    fn write(&self, to_out: bool, text: &str) -> io::Result<()> {
        if !ALONE.get()
            && let Some(held) = self.held().as_mut()
        {
            let text = text.to_owned();
            held.push(Held { to_out, text });
            return Ok(());
        }
        let stream = if to_out { &self.0.out } else { &self.0.err };
        match &self.0.lines {
            Some(lines) if stream.terminal && !ALONE.get() => lines.suspend(|| stream.write(text)),
            _ => stream.write(text),
        }
    }
}

struct After<'a>(&'a Printer);

impl Drop for After<'_> {
    fn drop(&mut self) {
        ALONE.set(false);
        let held = self.0.held().take().unwrap_or_default();
        if let Some(lines) = &self.0.0.lines {
            lines.set_draw_target(ProgressDrawTarget::stderr());
        }
        for Held { to_out, text } in held {
            self.0.write(to_out, &text).ok();
        }
    }
}

fn width(terminal: Option<(terminal_size::Width, terminal_size::Height)>) -> usize {
    match terminal {
        Some((terminal_size::Width(columns), _)) if columns > 0 => columns.into(),
        _ => std::env::var("COLUMNS")
            .ok()
            .and_then(|columns| columns.parse().ok())
            .filter(|columns| (20..=1000).contains(columns))
            .unwrap_or(table::DEFAULT_WIDTH),
    }
}

/// For tests: what was written can be read again.
#[cfg(test)]
#[derive(Clone, Default)]
pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

#[cfg(test)]
impl Written {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// A printer and what it writes to standard output and standard error.
    pub(crate) fn printer(options: &Options) -> (Printer, Written, Written) {
        let (out, err) = (Written::default(), Written::default());
        (
            Printer::to(options, Box::new(out.clone()), Box::new(err.clone())),
            out,
            err,
        )
    }
}

#[cfg(test)]
impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;
    use crate::secret::Secret;

    #[test]
    fn results_and_messages_go_different_ways() {
        let (printer, out, err) = Written::printer(&Options::default());
        printer.result(&Value::Int(3)).unwrap();
        printer.result(&Value::Null).unwrap();
        printer.print("hello \x1b[31mred").unwrap();
        printer.warn("careful");
        assert_eq!(out.text(), "3\nhello red\n");
        assert_eq!(err.text(), "warning: careful\n");
    }

    #[test]
    fn json_keeps_standard_output_to_one_document() {
        let options = Options {
            json: true,
            ..Options::default()
        };
        let (printer, out, err) = Written::printer(&options);
        printer.print("hello").unwrap();
        printer.message("working");
        printer.result(&Value::Map(map! { "a" => 1_i64 })).unwrap();
        printer.error(&Error::failed("no"));
        assert_eq!(out.text(), "{\n  \"a\": 1\n}\n");
        assert_eq!(err.text(), "hello\nerror: no\n");
    }

    #[test]
    fn nothing_that_is_written_holds_a_secret() {
        let secret = Secret::new("correct horse battery");
        let (printer, out, err) = Written::printer(&Options::default());
        printer.print(secret.expose()).unwrap();
        printer.error(&Error::failed(format!("login failed for {}", secret.expose())));
        assert_eq!(
            format!("{}{}", out.text(), err.text()),
            "********\nerror: login failed for ********\n"
        );
    }

    #[test]
    fn colour_codes_are_there_only_when_they_are_wanted() {
        for (color, codes) in [(Color::Never, false), (Color::Auto, false), (Color::Always, true)] {
            let options = Options {
                color,
                ..Options::default()
            };
            let (printer, _, err) = Written::printer(&options);
            printer.error(&Error::failed("no"));
            assert_eq!(err.text().contains('\x1b'), codes);
        }
    }

    /// A reader that went away, or a full disk.
    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_broken_pipe_is_a_quiet_end_and_a_full_disk_is_not() {
        let broken = |kind| Printer::to(&Options::default(), Box::new(Broken(kind)), Box::new(Broken(kind)));
        let printer = broken(ErrorKind::BrokenPipe);
        printer.result(&Value::Int(3)).unwrap();
        assert!(printer.is_closed());
        let error = broken(ErrorKind::StorageFull).result(&Value::Int(3)).unwrap_err();
        assert!(error.message().starts_with("standard output cannot be written"));
    }

    #[test]
    fn while_one_thread_asks_the_others_are_held_back() {
        let (printer, out, err) = Written::printer(&Options::default());
        printer.alone(|| {
            std::thread::scope(|scope| {
                let printer = printer.clone();
                scope.spawn(move || printer.message("from another thread"));
            });
            printer.alone(|| printer.print("the question").unwrap());
            assert_eq!((out.text().as_str(), err.text().as_str()), ("the question\n", ""));
        });
        assert_eq!(err.text(), "from another thread\n");
    }
}
