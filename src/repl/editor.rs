//! The line editor, on rustyline: history, lines that go on, completion.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustyline::completion::{Completer, Pair};
use rustyline::config::{Behavior, Config};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter, MatchingBracketHighlighter};
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Context, Helper};

use super::{Completeness, Evaluator};
use crate::error::{Error, Result};
use crate::secret::mask;

/// How many entries the history keeps.
const HISTORY: usize = 10_000;

/// What a person did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// A whole input, of one line or several.
    Line(String),
    /// Ctrl-C: the line is thrown away.
    Cancelled,
    /// Ctrl-D, or the end of the input.
    End,
}

/// Where the prompt's lines come from.
pub trait Input {
    fn read(&mut self, prompt: &str) -> Result<Typed>;
}

/// The editor of the prompt.
pub struct Editor<E: Evaluator> {
    inner: rustyline::Editor<Assistant<E>, FileHistory>,
    /// Where the history is kept; `None` when it cannot be.
    history: Option<PathBuf>,
}

/// The commands of the prompt itself, for completion.
pub const COMMANDS: [&str; 5] = [":help", ":env", ":vars", ":time", ":quit"];

impl<E: Evaluator> Editor<E> {
    /// An editor that keeps its history in `history`. That the history cannot be read or kept is a warning, the second
    /// part of the result: the prompt works without.
    pub fn new(evaluator: Rc<RefCell<E>>, history: &Path, color: bool) -> Result<(Self, Option<String>)> {
        let config = |error: ReadlineError| Error::failed(format!("the line editor cannot start: {error}"));
        let behavior = match io::stdout().is_terminal() {
            true => Behavior::Stdio,
            // Standard output is redirected: the conversation is with the terminal itself.
            false => Behavior::PreferTerm,
        };
        let settings = Config::builder()
            .max_history_size(HISTORY)
            .and_then(|settings| settings.history_ignore_dups(true))
            .map_err(config)?
            .history_ignore_space(true)
            .completion_type(CompletionType::List)
            .behavior(behavior)
            .build();
        let mut inner = rustyline::Editor::with_config(settings).map_err(config)?;
        inner.set_helper(Some(Assistant {
            evaluator,
            color,
            brackets: MatchingBracketHighlighter::new(),
        }));
        let kept = prepare(history).and_then(|()| {
            let load = |error: ReadlineError| Error::failed(error.to_string());
            inner.load_history(history).map_err(load)
        });
        let warning = kept
            .err()
            .map(|error| format!("the history in {} is not kept: {error}", history.display()));
        let history = warning.is_none().then(|| history.to_owned());
        Ok((Self { inner, history }, warning))
    }

    /// Adds an entry, each at once: a prompt that is killed loses none. Secrets do not get into it.
    fn remember(&mut self, line: &str) {
        let added = self.inner.add_history_entry(mask(line).into_owned());
        if let (Ok(true), Some(history)) = (added, &self.history)
            && self.inner.append_history(history).is_err()
        {
            // The disk is full, or the directory is gone: the entry stays in this session.
            self.history = None;
        }
    }
}

impl<E: Evaluator> Input for Editor<E> {
    fn read(&mut self, prompt: &str) -> Result<Typed> {
        loop {
            return match self.inner.readline(prompt) {
                Ok(line) => {
                    if !line.trim().is_empty() {
                        self.remember(&line);
                    }
                    Ok(Typed::Line(line))
                }
                Err(ReadlineError::Interrupted) => Ok(Typed::Cancelled),
                Err(ReadlineError::Eof) => Ok(Typed::End),
                // The window changed its size, or a signal came: the same line again.
                Err(ReadlineError::Signal(_)) => continue,
                Err(error) => Err(Error::failed(format!("the terminal cannot be read: {error}"))),
            };
        }
    }
}

/// Makes the file of the history, for its owner's eyes only.
fn prepare(history: &Path) -> Result<()> {
    let failed = |error: io::Error| Error::failed(error.to_string());
    if let Some(directory) = history.parent() {
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(history).map_err(failed)?;
    #[cfg(unix)]
    {
        let owner = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        file.set_permissions(owner).map_err(failed)?;
    }
    drop(file);
    Ok(())
}

/// What rustyline asks while a line is typed.
struct Assistant<E: Evaluator> {
    /// Borrowed while a line is typed; the loop borrows it while one is evaluated. Never both.
    evaluator: Rc<RefCell<E>>,
    color: bool,
    brackets: MatchingBracketHighlighter,
}

impl<E: Evaluator> Validator for Assistant<E> {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        if text.trim().is_empty() || text.trim_start().starts_with(':') {
            return Ok(ValidationResult::Valid(None));
        }
        Ok(match self.evaluator.borrow().complete_input(text) {
            Completeness::Complete => ValidationResult::Valid(None),
            Completeness::Incomplete => ValidationResult::Incomplete,
        })
    }
}

impl<E: Evaluator> Completer for Assistant<E> {
    type Candidate = Pair;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let typed = line.get(..position).unwrap_or(line);
        if let Some(start) = typed.find(':')
            && typed.get(..start).is_some_and(|before| before.trim().is_empty())
            && !typed.contains("::")
            && let Some(word) = typed.get(start..)
            && !word.contains(' ')
        {
            let commands = COMMANDS.iter().filter(|command| command.starts_with(word));
            let pair = |command: &&str| Pair {
                display: (*command).to_owned(),
                replacement: (*command).to_owned(),
            };
            return Ok((start, commands.map(pair).collect()));
        }
        let (start, candidates) = self.evaluator.borrow().candidates(line, position);
        // A place outside of the line would make the editor panic.
        let start = start.min(position);
        if !line.is_char_boundary(start) {
            return Ok((position, Vec::new()));
        }
        let pairs = candidates.into_iter().map(|candidate| Pair {
            display: candidate.display,
            replacement: candidate.replacement,
        });
        Ok((start, pairs.collect()))
    }
}

impl<E: Evaluator> Highlighter for Assistant<E> {
    fn highlight<'l>(&self, line: &'l str, position: usize) -> Cow<'l, str> {
        match self.color {
            true => self.brackets.highlight(line, position),
            false => Cow::Borrowed(line),
        }
    }

    fn highlight_char(&self, line: &str, position: usize, kind: CmdKind) -> bool {
        self.color && self.brackets.highlight_char(line, position, kind)
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        match self.color {
            true => Cow::Owned(format!("\x1b[1;36m{prompt}\x1b[0m")),
            false => Cow::Borrowed(prompt),
        }
    }
}

impl<E: Evaluator> Hinter for Assistant<E> {
    type Hint = String;
}

impl<E: Evaluator> Helper for Assistant<E> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repl::prompt::tests::Adder;
    use crate::secret::Secret;

    fn editor(history: &Path) -> (Editor<Adder>, Option<String>) {
        Editor::new(Rc::new(RefCell::new(Adder::default())), history, false).unwrap()
    }

    #[test]
    fn the_history_is_kept_at_once_for_its_owner_and_without_secrets() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(".iacsh/history");
        let secret = Secret::new("correct horse");
        let (mut first, warning) = editor(&file);
        assert_eq!(warning, None);
        first.remember("let x = \"correct horse\";\nx");
        first.remember(" not this");
        drop(secret);

        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("horse") && text.contains("********"), "{text}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }

        let (second, _) = editor(&file);
        let entries: Vec<_> = second.inner.history().iter().cloned().collect();
        assert_eq!(entries, ["let x = \"********\";\nx"]);
    }

    #[test]
    fn a_history_that_cannot_be_kept_is_a_warning() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        let (mut editor, warning) = editor(&file.join("history"));
        assert!(warning.unwrap().contains("is not kept"));
        editor.remember("1");
    }

    #[test]
    fn tab_offers_commands_and_what_the_language_knows() {
        let directory = tempfile::tempdir().unwrap();
        let (editor, _) = editor(&directory.path().join("history"));
        let history = FileHistory::new();
        let offered = |line: &str| {
            let assistant = editor.inner.helper().unwrap();
            let (start, pairs) = assistant.complete(line, line.len(), &Context::new(&history)).unwrap();
            (
                start,
                pairs.into_iter().map(|pair| pair.replacement).collect::<Vec<_>>(),
            )
        };
        assert_eq!(offered(":h"), (0, vec![":help".to_owned()]));
        assert_eq!(offered("1 + su").1, ["sum"]);
        // The adder answers a place outside of the line.
        assert_eq!(offered("é").1.len(), 0);
    }
}
