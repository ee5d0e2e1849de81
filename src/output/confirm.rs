//! Questions to the person at the terminal.

use rustyline::Editor;
use rustyline::config::{Behavior, Config};
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;

use super::{Printer, paint, style};
use crate::error::{Error, Result};

/// Where answers come from. The editor reads the terminal itself, so that Ctrl-C is an answer and a redirected standard
/// output stays clean.
pub trait Answers {
    /// The line that was typed; `None` when there is no more.
    fn line(&mut self, prompt: &str) -> Result<Option<String>>;
}

/// The terminal.
struct Terminal;

impl Answers for Terminal {
    fn line(&mut self, prompt: &str) -> Result<Option<String>> {
        let failed = |error: ReadlineError| Error::failed(format!("the terminal cannot be read: {error}"));
        let config = Config::builder().behavior(Behavior::PreferTerm).build();
        let mut editor: Editor<(), MemHistory> = Editor::with_history(config, MemHistory::new()).map_err(failed)?;
        match editor.readline(prompt) {
            Ok(line) => Ok(Some(line)),
            Err(ReadlineError::Eof) => Ok(None),
            Err(ReadlineError::Interrupted) => Err(Error::interrupted()),
            Err(error) => Err(failed(error)),
        }
    }
}

/// One way to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The letter that is typed.
    pub key: char,
    /// The word, which can be typed too.
    pub word: &'static str,
}

impl Printer {
    /// Asks an ordinary yes-or-no question. `--yes` answers it; without a terminal an unanswered one is a failure.
    pub fn confirm(&self, question: &str, yes: bool) -> Result<bool> {
        if yes {
            self.message(&format!("{question} yes (--yes)"));
            return Ok(true);
        }
        if !self.can_ask() {
            return Err(unanswered(question).hint("`--yes` answers every ordinary question"));
        }
        self.alone(|| confirm(self, question, &mut Terminal))
    }

    /// Asks for a line of text. `None` when there is no more.
    pub fn ask(&self, prompt: &str) -> Result<Option<String>> {
        if !self.can_ask() {
            return Err(unanswered(prompt.trim_end()));
        }
        self.alone(|| Terminal.line(prompt))
    }

    /// Asks for one of several. Without a terminal it is a failure.
    pub fn choose(&self, question: &str, choices: &[Choice]) -> Result<Choice> {
        if !self.can_ask() {
            return Err(unanswered(question));
        }
        self.alone(|| choose(self, question, choices, &mut Terminal))
    }
}

fn unanswered(question: &str) -> Error {
    Error::declined(format!("there is no terminal to ask: {question}"))
}

fn confirm(printer: &Printer, question: &str, answers: &mut dyn Answers) -> Result<bool> {
    loop {
        let Some(answer) = answers.line(&format!("{question} [y/N] "))? else {
            return Ok(false);
        };
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => return Ok(true),
            "" | "n" | "no" => return Ok(false),
            _ => printer.message("yes or no?"),
        }
    }
}

fn choose(printer: &Printer, question: &str, choices: &[Choice], answers: &mut dyn Answers) -> Result<Choice> {
    let words: Vec<_> = choices
        .iter()
        .map(|Choice { key, word }| match word.strip_prefix(*key) {
            Some(rest) => format!("{}{rest}", paint(style::STRONG, format!("[{key}]"))),
            None => format!("{} {word}", paint(style::STRONG, format!("[{key}]"))),
        })
        .collect();
    loop {
        printer.message(&format!("{question} {}", words.join(", ")));
        let Some(answer) = answers.line("> ")? else {
            return Err(Error::declined(format!("not answered: {question}")));
        };
        let answer = answer.trim().to_lowercase();
        let found = choices
            .iter()
            .find(|choice| answer == choice.word || answer.chars().eq([choice.key]));
        if let Some(choice) = found {
            return Ok(*choice);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Options;
    use crate::error::Exit;
    use crate::output::printer::Written;

    struct Typed(Vec<&'static str>);

    impl Answers for Typed {
        fn line(&mut self, _: &str) -> Result<Option<String>> {
            Ok((!self.0.is_empty()).then(|| self.0.remove(0).to_owned()))
        }
    }

    #[test]
    fn a_question_is_answered_with_yes_or_no_and_asked_again_otherwise() {
        let (printer, ..) = Written::printer(&Options::default());
        for (typed, answer) in [
            (vec!["y"], true),
            (vec!["YES "], true),
            (vec!["perhaps", "yes"], true),
            (vec![""], false),
            (vec!["n"], false),
            (vec![], false),
        ] {
            assert_eq!(
                confirm(&printer, "Go on?", &mut Typed(typed.clone())).unwrap(),
                answer,
                "{typed:?}"
            );
        }
    }

    #[test]
    fn without_a_terminal_only_the_option_answers() {
        let (printer, ..) = Written::printer(&Options::default());
        assert!(printer.confirm("Delete 12 resources?", true).unwrap());
        let error = printer.confirm("Delete 12 resources?", false).unwrap_err();
        assert_eq!(error.exit(), Exit::Declined);
        assert_eq!(error.message(), "there is no terminal to ask: Delete 12 resources?");
        assert_eq!(printer.choose("Step?", &[]).unwrap_err().exit(), Exit::Declined);
    }

    #[test]
    fn a_choice_is_a_letter_or_a_word() {
        let (printer, _, err) = Written::printer(&Options::default());
        let choices = [Choice { key: 'r', word: "run" }, Choice { key: 'q', word: "quit" }];
        let chosen = |typed| choose(&printer, "Network:", &choices, &mut Typed(typed)).map(|choice| choice.word);
        assert_eq!(chosen(vec!["r"]).unwrap(), "run");
        assert_eq!(chosen(vec!["what", "Quit"]).unwrap(), "quit");
        assert_eq!(chosen(vec![]).unwrap_err().exit(), Exit::Declined);
        assert!(err.text().starts_with("Network: [r]un, [q]uit\n"));
    }
}
