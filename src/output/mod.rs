//! What a person or a program sees. Results go to standard output; progress, questions and messages go to standard
//! error. Everything passes [`crate::secret::mask`], and colour codes reach terminals only.

pub mod confirm;
pub mod error;
pub mod json;
pub mod plan;
pub mod printer;
pub mod progress;
pub mod table;
pub mod verdict;

pub use printer::Printer;

/// The few colours, so that they mean the same everywhere.
mod style {
    use anstyle::{AnsiColor, Style};

    pub const ERROR: Style = AnsiColor::Red.on_default().bold();
    pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
    pub const HELP: Style = AnsiColor::Cyan.on_default().bold();
    pub const PLACE: Style = AnsiColor::Blue.on_default().bold();
    pub const GOOD: Style = AnsiColor::Green.on_default();
    pub const STRONG: Style = Style::new().bold();
    pub const FAINT: Style = Style::new().dimmed();
}

/// The text in a style. The printer takes the codes out again where they do not belong.
fn paint(style: anstyle::Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Text that comes from elsewhere: control characters, which could rewrite the terminal, become spaces or are left out.
/// Line ends and tabs stay.
fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text)
        .to_string()
        .chars()
        .filter(|char| matches!(char, '\n' | '\t') || !char.is_control())
        .collect()
}
