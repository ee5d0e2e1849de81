//! Progress: a line for each piece of running work on a terminal, plain lines elsewhere.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::{Printer, paint, plain, style};
use crate::resource::chain::Chain;
use crate::resource::progress::Progress;
use crate::resource::runs::{Usual, Work};
use crate::secret::mask;

/// How often one piece of work says that it still waits, where there is no terminal.
const BETWEEN: Duration = Duration::from_secs(10);

/// Progress through a printer. With `--json` only failures are told.
pub struct Told {
    printer: Printer,
    running: Mutex<HashMap<String, Running>>,
    /// How long things took in earlier runs, read when it is needed first.
    usual: LazyLock<Usual, Box<dyn FnOnce() -> Usual + Send>>,
}

struct Running {
    since: Instant,
    /// When it last said that it waits.
    said: Instant,
    work: Work,
    line: Option<ProgressBar>,
}

impl Told {
    /// `usual` tells how long things took in earlier runs; it is asked once something has to be waited for.
    pub fn new(printer: Printer, usual: impl FnOnce() -> Usual + Send + 'static) -> Self {
        Self {
            printer,
            running: Mutex::new(HashMap::new()),
            usual: LazyLock::new(Box::new(usual)),
        }
    }

    /// ` of about 8 min`, where earlier runs tell it.
    fn estimate(&self, label: &str, work: Work) -> String {
        let kind = label.split('/').next().unwrap_or_default();
        let usual = self.usual.get(&(work, kind.to_owned()));
        usual
            .map(|usual| format!(" of about {}", about(*usual)))
            .unwrap_or_default()
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn quiet(&self) -> bool {
        self.printer.json()
    }

    fn start(&self, label: &str, now: Instant) {
        let line = self.printer.lines().map(|lines| {
            let line = lines.add(ProgressBar::new_spinner().with_style(spinner()));
            line.set_message(plain(&mask(label)));
            line.enable_steady_tick(Duration::from_millis(120));
            line
        });
        let running = Running {
            since: now,
            said: now,
            work: Work::Creating,
            line,
        };
        let before = self.running().insert(label.to_owned(), running);
        self.take_away(before);
    }

    fn take_away(&self, running: Option<Running>) {
        if let Some(Running { line: Some(line), .. }) = running {
            line.finish_and_clear();
            if let Some(lines) = self.printer.lines() {
                lines.remove(&line);
            }
        }
    }

    fn wait(&self, label: &str, reason: &str, now: Instant) {
        let mut all = self.running();
        let Some(running) = all.get_mut(label) else { return };
        if let Some(line) = &running.line {
            let reason = paint(style::FAINT, plain(&mask(reason)));
            line.set_message(format!("{} {reason}", plain(&mask(label))));
            line.set_prefix(self.estimate(label, running.work));
        } else if !self.quiet() && now.duration_since(running.said) >= BETWEEN {
            running.said = now;
            let (waited, work) = (human(now.duration_since(running.since)), running.work);
            drop(all);
            let estimate = self.estimate(label, work);
            self.printer
                .line(&format!("  {}: {} ({waited}{estimate})", plain(label), plain(reason)));
        }
    }
}

impl Progress for Told {
    fn started(&self, label: &str) {
        self.start(label, Instant::now());
    }

    fn removing(&self, label: &str) {
        if let Some(running) = self.running().get_mut(label) {
            running.work = Work::Deleting;
        }
    }

    fn waiting(&self, label: &str, reason: &str) {
        self.wait(label, reason, Instant::now());
    }

    fn finished(&self, label: &str, outcome: &str, took: Duration, ok: bool) {
        let running = self.running().remove(label);
        self.take_away(running);
        // What stays as it is would bury what changes.
        if ok && (self.quiet() || (outcome == "unchanged" && self.printer.verbose() == 0)) {
            return;
        }
        let sign = match ok {
            true => paint(style::GOOD, "ok"),
            false => paint(style::ERROR, "failed"),
        };
        let took = paint(style::FAINT, format!("({})", human(took)));
        self.printer
            .line(&format!("{sign} {} {} {took}", plain(label), plain(outcome)));
    }

    fn note(&self, text: &str) {
        self.printer.message(&plain(text));
    }

    fn warn(&self, text: &str) {
        self.printer.warn(text);
    }

    fn suspend(&self, f: &mut dyn FnMut()) {
        self.printer.alone(f);
    }
}

fn spinner() -> ProgressStyle {
    // A template that is wrong gives indicatif's own; a test holds it right.
    ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

const TEMPLATE: &str = "{spinner} {wide_msg} {elapsed:>5}{prefix}";

/// A time that is only about right: `8 min`, not `7 min 53 s`.
fn about(time: Duration) -> String {
    match (time.as_millis() + 500) / 1000 {
        0 => "1 s".to_owned(),
        seconds @ 1..60 => format!("{seconds} s"),
        seconds @ 60..5400 => format!("{} min", (seconds + 30) / 60),
        seconds => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}

/// `longest chain 4 min 12 s: vpc/main 2.0 s > replication-group/redis 4 min 2 s`.
pub fn chain(chain: &Chain) -> String {
    let links: Vec<_> = chain
        .links
        .iter()
        .map(|link| format!("{} {}", plain(&link.label), human(link.took)))
        .collect();
    format!("longest chain {}: {}", human(chain.took()), links.join(" > "))
}

/// A time as people say it: `350 ms`, `1.2 s`, `2 min 5 s`, `1 h 3 min`.
pub fn human(time: Duration) -> String {
    // Rounded first, so that 59.97 s is not `60.0 s`.
    let tenths = (time.as_millis() + 50) / 100;
    let seconds = (time.as_millis() + 500) / 1000;
    match seconds {
        _ if time < Duration::from_secs(1) => format!("{} ms", time.as_millis()),
        _ if tenths < 600 => format!("{}.{} s", tenths / 10, tenths % 10),
        _ if seconds < 3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Options;
    use crate::output::printer::Written;
    use crate::resource::chain::Link;

    fn told(options: &Options) -> (Told, Written) {
        let (printer, _, err) = Written::printer(options);
        let usual = || {
            Usual::from([(
                (Work::Creating, "db-instance".to_owned()),
                Duration::from_secs(14 * 60 + 20),
            )])
        };
        (Told::new(printer, usual), err)
    }

    #[test]
    fn what_earlier_runs_took_is_told_and_nothing_is_made_up() {
        let (told, err) = told(&Options::default());
        let start = Instant::now();
        for label in ["db-instance/main", "vpc/main", "db-instance/old"] {
            told.start(label, start);
        }
        told.removing("db-instance/old");
        for label in ["db-instance/main", "vpc/main", "db-instance/old"] {
            told.wait(label, "creating", start + Duration::from_secs(125));
        }
        assert_eq!(
            err.text(),
            "  db-instance/main: creating (2 min 5 s of about 14 min)\n  \
             vpc/main: creating (2 min 5 s)\n  \
             db-instance/old: creating (2 min 5 s)\n"
        );
    }

    #[test]
    fn a_chain_is_one_line() {
        let link = |label: &str, seconds| Link {
            label: label.into(),
            took: Duration::from_secs(seconds),
        };
        let links = vec![link("vpc/main", 2), link("replication-group/redis", 242)];
        assert_eq!(
            chain(&Chain { links }),
            "longest chain 4 min 4 s: vpc/main 2.0 s > replication-group/redis 4 min 2 s"
        );
    }

    #[test]
    fn without_a_terminal_a_line_for_what_is_done_and_seldom_one_for_waiting() {
        let (told, err) = told(&Options::default());
        let start = Instant::now();
        told.start("replication_group/redis", start);
        for second in 1..=25 {
            told.wait(
                "replication_group/redis",
                "available (creating)",
                start + Duration::from_secs(second),
            );
        }
        told.finished("replication_group/redis", "created", Duration::from_secs(25), true);
        told.finished("vpc/main", "unchanged", Duration::from_millis(3), true);
        told.finished("subnet/public-1", "no room", Duration::from_millis(350), false);
        assert_eq!(
            err.text(),
            "  replication_group/redis: available (creating) (10.0 s)\n  \
             replication_group/redis: available (creating) (20.0 s)\n\
             ok replication_group/redis created (25.0 s)\n\
             failed subnet/public-1 no room (350 ms)\n"
        );
    }

    #[test]
    fn json_is_quiet_but_for_failures() {
        let options = Options {
            json: true,
            ..Options::default()
        };
        let (told, err) = told(&options);
        told.started("vpc/main");
        told.note("a note");
        told.finished("vpc/main", "created", Duration::from_secs(1), true);
        told.finished("subnet/a", "no room", Duration::from_secs(90), false);
        assert_eq!(err.text(), "failed subnet/a no room (1 min 30 s)\n");
    }

    #[test]
    fn verbose_tells_what_stays() {
        let options = Options {
            verbose: 1,
            ..Options::default()
        };
        let (told, err) = told(&options);
        told.finished("vpc/main", "unchanged", Duration::from_millis(3), true);
        assert_eq!(err.text(), "ok vpc/main unchanged (3 ms)\n");
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        let table = [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1.0 s"),
            (59_949, "59.9 s"),
            (59_951, "1 min 0 s"),
            (125_000, "2 min 5 s"),
            (3_780_000, "1 h 3 min"),
        ];
        for (time, said) in table {
            assert_eq!(human(Duration::from_millis(time)), said);
        }
    }

    #[test]
    fn the_template_is_right() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }
}
