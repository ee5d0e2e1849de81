//! The migration files of a directory.

use std::path::{Path, PathBuf};

use super::checksum::checksum;
use crate::error::{Error, Location, Result, nearest};
use crate::mssql::lexer::{Kind, Token, lex};

/// A migration as it stands in its file.
#[derive(Clone, Debug)]
pub struct Migration {
    /// The number at the beginning of the file's name.
    pub version: u64,
    /// The file's name: `0001_tables.sql`.
    pub name: String,
    /// The file as a person would name it, for errors.
    pub file: String,
    pub text: String,
    /// See [`checksum`].
    pub checksum: String,
    /// `false` with `-- iacsh: no-transaction` in the header.
    pub transactional: bool,
}

impl Migration {
    /// A line of the file.
    pub fn at(&self, line: usize) -> Location {
        location(&self.file, &self.text, line, 0)
    }
}

/// A place in a text of the user's, with the text of its line.
pub(super) fn location(file: &str, text: &str, line: usize, column: usize) -> Location {
    let text = text
        .lines()
        .nth(line.saturating_sub(1))
        .map(|text| text.trim_start_matches('\u{feff}').to_owned());
    Location {
        file: file.to_owned(),
        line,
        column,
        text,
    }
}

/// Whether the files of a directory could be run: names, numbers, headers, and that every string and comment ends.
/// Needs no connection. What is wrong is [`crate::error::Exit::Invalid`], all of it at once.
pub fn check(directory: &Path) -> Result<()> {
    read(directory).map(|_| ())
}

/// The migrations of a directory, in the order of their versions. Files that do not end in `.sql` are not looked at.
pub fn read(directory: &Path) -> Result<Vec<Migration>> {
    let unreadable = |error: std::io::Error| {
        Error::invalid(format!(
            "the migrations in {} cannot be read: {error}",
            directory.display()
        ))
    };
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("sql"))
        {
            paths.push(path);
        }
    }
    paths.sort();
    let mut migrations: Vec<Migration> = Vec::new();
    let mut errors = Vec::new();
    for path in &paths {
        match read_one(path) {
            Ok(migration) => migrations.push(migration),
            Err(found) => errors.extend(found),
        }
    }
    migrations.sort_by_key(|migration| migration.version);
    for pair in migrations.windows(2) {
        if let [first, second] = pair
            && first.version == second.version
        {
            errors.push(
                Error::invalid(format!("{} and {} have the same number", first.file, second.file))
                    .hint("give the newer one the next free number"),
            );
        }
    }
    if paths.is_empty() {
        errors.push(
            Error::invalid(format!("there is no migration in {}", directory.display()))
                .hint("a migration is called like `0001_tables.sql`"),
        );
    }
    Error::all(errors).map_or(Ok(migrations), Err)
}

/// One file, or all that is wrong with it.
fn read_one(path: &Path) -> Result<Migration, Vec<Error>> {
    let file = path.display().to_string();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let version = version(&name).ok_or_else(|| {
        let error = Error::invalid(format!("{file} is not named like a migration"));
        vec![error.hint("call it like `0001_tables.sql` or `V1__tables.sql`: the number gives the order")]
    })?;
    let bytes = std::fs::read(path).map_err(|error| vec![Error::invalid(format!("{file} cannot be read: {error}"))])?;
    let text = decode(bytes)
        .ok_or_else(|| vec![Error::invalid(format!("{file} is neither UTF-8 nor UTF-16")).hint("save it as UTF-8")])?;
    let transactional = check_text(&file, &text)?;
    let checksum = checksum(&text);
    Ok(Migration {
        version,
        name,
        file,
        text,
        checksum,
        transactional,
    })
}

/// UTF-8, or UTF-16 with a byte order mark, as SQL Server Management Studio saves it.
fn decode(bytes: Vec<u8>) -> Option<String> {
    let units = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        if rest.len().is_multiple_of(2) {
            String::from_utf16(&units).ok()
        } else {
            None
        }
    };
    match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => units(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => units(rest, u16::from_be_bytes),
        _ => String::from_utf8(bytes).ok(),
    }
}

/// `0001_tables.sql` and `V1__tables.sql` have the version 1.
fn version(name: &str) -> Option<u64> {
    let stem = &name[..name.len().checked_sub(".sql".len())?];
    let stem = stem.strip_prefix(['V', 'v']).unwrap_or(stem);
    let (number, rest) = stem.split_once('_')?;
    let rest = rest.strip_prefix('_').unwrap_or(rest);
    if rest.is_empty() || number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // The history's column is a bigint.
    number.parse::<i64>().ok().and_then(|number| u64::try_from(number).ok())
}

/// Whether the file is transactional; what the lexer alone can find wrong is an error.
fn check_text(file: &str, text: &str) -> Result<bool, Vec<Error>> {
    let mut errors = Vec::new();
    let mut transactional = true;
    let mut header = true;
    let mut line_is_blank = true;
    let tokens: Vec<Token<'_>> = lex(text).collect();
    for token in &tokens {
        let invalid = |message: String| Error::invalid(message).at(location(file, text, token.line, token.column));
        header &= token.is_trivia();
        if header && let Some(directive) = directive(token) {
            match directive {
                "no-transaction" => transactional = false,
                other => {
                    let error = invalid(format!("unknown directive {other:?}"));
                    errors.push(match nearest(other, ["no-transaction"]) {
                        Some(right) => error.hint(format!("did you mean `-- iacsh: {right}`?")),
                        None => error.hint("the only directive is `-- iacsh: no-transaction`"),
                    });
                }
            }
        }
        if !token.closed {
            let what = match token.kind {
                Kind::Text => "this string is not closed",
                Kind::BlockComment => "this comment is not closed",
                _ => "this name is not closed",
            };
            errors.push(invalid(what.to_owned()));
        }
        if line_is_blank && token.is_operator(":") {
            errors.push(
                invalid("commands of sqlcmd, such as :r and :setvar, are not supported".to_owned())
                    .hint("`$(Name)` is: its value is an option of `migrate::up`"),
            );
        }
        line_is_blank = match token.kind {
            Kind::Space => line_is_blank || token.text.contains('\n'),
            _ => false,
        };
    }
    for (index, token) in tokens.iter().enumerate().filter(|(_, token)| token.is_word("go")) {
        let on_line = |other: &&Token<'_>| other.line == token.line && !other.is_trivia();
        let alone = !tokens[..index]
            .iter()
            .rev()
            .take_while(|other| other.line == token.line)
            .any(|other| on_line(&other));
        let next = tokens[index + 1..]
            .iter()
            .find(|other| !other.is_trivia())
            .filter(on_line);
        let count = |text: &str| text.parse::<u32>().is_ok_and(|count| count > 0);
        if alone && next.is_some_and(|next| next.is_operator(";") || (next.kind == Kind::Number && !count(next.text))) {
            errors.push(
                Error::invalid("GO stands alone on its line, but for a count from 1 and comments").at(location(
                    file,
                    text,
                    token.line,
                    token.column,
                )),
            );
        }
    }
    if errors.is_empty() {
        Ok(transactional)
    } else {
        Err(errors)
    }
}

/// `no-transaction` of `-- iacsh: no-transaction`.
fn directive<'a>(token: &Token<'a>) -> Option<&'a str> {
    let comment = token
        .text
        .strip_prefix("--")
        .filter(|_| token.kind == Kind::LineComment)?;
    comment.trim().strip_prefix("iacsh:").map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(directory.path().join(name), content).unwrap();
        }
        directory
    }

    #[test]
    fn files_come_in_the_order_of_their_numbers() {
        let files = directory(&[
            ("10_c.sql", b"SELECT 1"),
            ("V2__b.sql", b"-- iacsh: no-transaction\nSELECT 1"),
            ("0001_a.sql", b"\xff\xfeS\0"),
        ]);
        let files = read(files.path()).unwrap();
        let files: Vec<_> = files
            .iter()
            .map(|file| (file.version, file.name.as_str(), file.transactional))
            .collect();
        assert_eq!(
            files,
            [(1, "0001_a.sql", true), (2, "V2__b.sql", false), (10, "10_c.sql", true)]
        );
    }

    #[test]
    fn everything_wrong_is_told_at_once_and_with_its_place() {
        let files = directory(&[
            ("1_a.sql", b"SELECT 1\nSELECT 'abc"),
            ("01_b.sql", b"SELECT 1"),
            ("2_b.sql", b"-- iacsh: no-transactoin\n:r other.sql"),
            ("3_c.sql", b"SELECT 1"),
            ("003_c.sql", b"SELECT 1"),
            ("4_d.sql", b"SELECT 1\nGO;\nGO 5\nGO 0\nSELECT [go]\n"),
            ("tables.sql", b""),
        ]);
        let error = check(files.path()).unwrap_err();
        assert_eq!(error.exit(), crate::error::Exit::Invalid);
        let all: Vec<_> = std::iter::once(&error).chain(error.others()).collect();
        let place = |part: &str| {
            all.iter()
                .find(|error| error.message().contains(part))
                .and_then(|e| e.location())
        };
        assert_eq!(
            place("string is not closed").map(|place| (place.line, place.column)),
            Some((2, 8))
        );
        assert_eq!(place("unknown directive").map(|place| place.line), Some(1));
        assert!(all.iter().any(|error| error.message().contains("same number")));
        let lines = |part: &str| {
            let found = all.iter().filter(|error| error.message().contains(part));
            found
                .filter_map(|error| error.location())
                .map(|place| place.line)
                .collect::<Vec<_>>()
        };
        assert_eq!(lines("GO stands alone"), [2, 4]);
        assert!(
            all.iter()
                .any(|error| error.message().contains("not named like a migration"))
        );
    }

    #[test]
    fn an_empty_or_missing_directory_is_invalid() {
        assert!(check(directory(&[]).path()).is_err());
        assert!(check(Path::new("/nowhere/at/all")).is_err());
    }
}
