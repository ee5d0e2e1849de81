//! T-SQL as tokens: the one lexer that everything which reads T-SQL stands on.
//!
//! Splitting at `GO`, finding `$(Name)` and running statements all fail in the same way when a comment, a string or an
//! identifier is misread, so this is done once. The lexer never fails: what is not closed at the end of the text is a
//! token with [`Token::closed`] `false`, and a character that belongs nowhere is an [`Kind::Operator`]. The tokens, one
//! after the other, are the text.
//!
//! Sources: Transact-SQL reference, "Constants", "Database Identifiers", "Slash Star (Block Comment)" (nested comments)
//! and "sqlcmd: Use with scripting variables".

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Blanks, line ends, and a byte order mark.
    Space,
    /// `-- to the end of the line`, without the line end.
    LineComment,
    /// `/* which /* nests */ */`
    BlockComment,
    /// A keyword or an ordinary identifier: `SELECT`, `dbo`, `#temp`, `$action`.
    Word,
    /// `"quoted"`, an identifier as long as `QUOTED_IDENTIFIER` is on.
    Quoted,
    /// `[bracketed]`
    Bracketed,
    /// `'text'` or `N'text'`
    Text,
    /// `1`, `1.5`, `.5`, `1.5E-3`, `$9.99`
    Number,
    /// `0x0AFF`
    Binary,
    /// `@variable` or `@@ROWCOUNT`
    Variable,
    /// `$(Name)`, a scripting variable of sqlcmd.
    Scripting,
    /// Everything else, the longest operator first: `<=`, `+=`, `::`, `(`, `;`
    Operator,
}

/// A piece of the text. Lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: Kind,
    /// The text as it stands there, with its quotes.
    pub text: &'a str,
    /// Where it begins, in bytes.
    pub offset: usize,
    pub line: usize,
    pub column: usize,
    /// `false` for a string, comment or identifier that the text ends in.
    pub closed: bool,
}

impl Token<'_> {
    /// Blanks and comments.
    pub fn is_trivia(&self) -> bool {
        matches!(self.kind, Kind::Space | Kind::LineComment | Kind::BlockComment)
    }

    /// Whether this is that keyword. Quoted and bracketed names are never keywords.
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// Whether this is that operator.
    pub fn is_operator(&self, operator: &str) -> bool {
        self.kind == Kind::Operator && self.text == operator
    }

    /// A word, a quoted or a bracketed name.
    pub fn is_name(&self) -> bool {
        matches!(self.kind, Kind::Word | Kind::Quoted | Kind::Bracketed)
    }

    /// What the token stands for: the content of a string or a name without its quotes, the name of a scripting
    /// variable, else the text itself.
    pub fn value(&self) -> String {
        let content = |text: &str, quote: char| {
            let text = if self.closed {
                text.strip_suffix(quote).unwrap_or(text)
            } else {
                text
            };
            let doubled: String = [quote, quote].iter().collect();
            text.replace(&doubled, &quote.to_string())
        };
        match self.kind {
            Kind::Text => content(
                self.text.trim_start_matches(['N', 'n']).trim_start_matches_one('\''),
                '\'',
            ),
            Kind::Quoted => content(self.text.trim_start_matches_one('"'), '"'),
            Kind::Bracketed => content(self.text.trim_start_matches_one('['), ']'),
            Kind::Scripting => {
                let name = self.text.strip_prefix("$(").unwrap_or(self.text);
                name.strip_suffix(')').unwrap_or(name).to_owned()
            }
            _ => self.text.to_owned(),
        }
    }
}

/// One character less, where `trim_start_matches` would take all.
trait TrimOne {
    fn trim_start_matches_one(&self, character: char) -> &str;
}

impl TrimOne for str {
    fn trim_start_matches_one(&self, character: char) -> &str {
        self.strip_prefix(character).unwrap_or(self)
    }
}

/// The tokens of a text, in order. See the module's page.
pub fn lex(text: &str) -> Lexer<'_> {
    Lexer {
        text,
        offset: 0,
        line: 1,
        column: 1,
    }
}

/// The iterator behind [`lex`].
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    text: &'a str,
    offset: usize,
    line: usize,
    column: usize,
}

/// Two characters that are one operator.
const PAIRS: [&str; 16] = [
    "<>", "<=", ">=", "!=", "!<", "!>", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "::", "||",
];

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let rest = self.text.get(self.offset..).filter(|rest| !rest.is_empty())?;
        let (kind, length, closed) = scan(rest);
        // `scan` counts whole characters; should it ever not, the rest is one token rather than a panic.
        let text = rest.get(..length).filter(|text| !text.is_empty()).unwrap_or(rest);
        let token = Token {
            kind,
            text,
            offset: self.offset,
            line: self.line,
            column: self.column,
            closed,
        };
        self.offset += text.len();
        match text.rfind('\n') {
            Some(last) => {
                self.line += text.matches('\n').count();
                self.column = 1 + text[last + 1..].chars().count();
            }
            None => self.column += text.chars().filter(|character| *character != '\u{feff}').count(),
        }
        Some(token)
    }
}

/// The first token of a text that is not empty: what it is, its length in bytes, and whether it is closed.
fn scan(rest: &str) -> (Kind, usize, bool) {
    let mut characters = rest.chars();
    let Some(first) = characters.next() else {
        return (Kind::Space, 0, true);
    };
    let second = characters.next().unwrap_or('\0');
    match first {
        _ if is_space(first) => (Kind::Space, length_while(rest, is_space), true),
        '-' if second == '-' => (Kind::LineComment, rest.find(['\r', '\n']).unwrap_or(rest.len()), true),
        '/' if second == '*' => block_comment(rest),
        '\'' => quoted(rest, 1, '\'', Kind::Text),
        'N' | 'n' if second == '\'' => quoted(rest, 2, '\'', Kind::Text),
        '"' => quoted(rest, 1, '"', Kind::Quoted),
        '[' => quoted(rest, 1, ']', Kind::Bracketed),
        '0' if second == 'x' || second == 'X' => (
            Kind::Binary,
            2 + length_while(&rest[2..], |character| character.is_ascii_hexdigit()),
            true,
        ),
        '0'..='9' => (Kind::Number, number(rest), true),
        '.' if second.is_ascii_digit() => (Kind::Number, number(rest), true),
        '@' => (Kind::Variable, length_while(rest, is_word_part), true),
        '$' if second == '(' => match scripting(rest) {
            Some(length) => (Kind::Scripting, length, true),
            None => (Kind::Operator, 1, true),
        },
        '$' if second.is_ascii_digit() => (Kind::Number, 1 + number(&rest[1..]), true),
        '$' if is_word_start(second) => (Kind::Word, length_while(rest, is_word_part), true),
        _ if is_word_start(first) => (Kind::Word, length_while(rest, is_word_part), true),
        _ => {
            let pair = PAIRS.iter().any(|pair| rest.starts_with(pair));
            (Kind::Operator, if pair { 2 } else { first.len_utf8() }, true)
        }
    }
}

/// Control characters count as blanks: SQL Server skips them too.
fn is_space(character: char) -> bool {
    character.is_whitespace() || character.is_control() || character == '\u{feff}'
}

fn is_word_start(character: char) -> bool {
    character.is_alphabetic() || character == '_' || character == '#'
}

fn is_word_part(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '#' | '@' | '$')
}

fn length_while(text: &str, accept: impl Fn(char) -> bool) -> usize {
    text.find(|character| !accept(character)).unwrap_or(text.len())
}

/// Text between `quote`s, in which a doubled one stands for one.
fn quoted(rest: &str, skip: usize, quote: char, kind: Kind) -> (Kind, usize, bool) {
    let bytes = rest.as_bytes();
    let mut at = skip;
    while let Some(found) = rest[at..].find(quote) {
        at += found + 1;
        if bytes.get(at) != Some(&(quote as u8)) {
            return (kind, at, true);
        }
        at += 1;
    }
    (kind, rest.len(), false)
}

fn block_comment(rest: &str) -> (Kind, usize, bool) {
    let mut depth = 0usize;
    let mut bytes = rest.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        let next = bytes.peek().map(|(_, byte)| *byte);
        match (byte, next) {
            (b'/', Some(b'*')) => {
                depth += 1;
                bytes.next();
            }
            (b'*', Some(b'/')) => {
                depth -= 1;
                bytes.next();
                if depth == 0 {
                    return (Kind::BlockComment, at + 2, true);
                }
            }
            _ => {}
        }
    }
    (Kind::BlockComment, rest.len(), false)
}

/// Digits, a fraction, an exponent. The first character is a digit or the decimal point.
fn number(rest: &str) -> usize {
    let digits = |from: usize| {
        rest.get(from..)
            .map_or(0, |rest| length_while(rest, |c| c.is_ascii_digit()))
    };
    let mut length = digits(0);
    if rest[length..].starts_with('.') {
        length += 1 + digits(length + 1);
    }
    if rest[length..].starts_with(['e', 'E']) {
        let sign = usize::from(rest[length + 1..].starts_with(['+', '-']));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    length
}

/// The length of `$(Name)` at the beginning of the text. A name begins with a letter or `_` and goes on with letters,
/// digits, `_` and `-`; `$(5)` is none.
pub fn scripting(text: &str) -> Option<usize> {
    let name = text
        .strip_prefix("$(")
        .filter(|name| name.starts_with(|c: char| c.is_alphabetic() || c == '_'))?;
    let length = length_while(name, |character| {
        character.is_alphanumeric() || matches!(character, '_' | '-')
    });
    (length > 0 && name[length..].starts_with(')')).then_some(length + 3)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kinds(text: &str) -> Vec<(Kind, &str)> {
        lex(text)
            .filter(|token| token.kind != Kind::Space)
            .map(|token| (token.kind, token.text))
            .collect()
    }

    #[test]
    fn a_statement() {
        assert_eq!(
            kinds("SELECT N'it''s', [a]]b], \"c\"\"d\" FROM #t WHERE @x>=.5e3 -- end"),
            [
                (Kind::Word, "SELECT"),
                (Kind::Text, "N'it''s'"),
                (Kind::Operator, ","),
                (Kind::Bracketed, "[a]]b]"),
                (Kind::Operator, ","),
                (Kind::Quoted, "\"c\"\"d\""),
                (Kind::Word, "FROM"),
                (Kind::Word, "#t"),
                (Kind::Word, "WHERE"),
                (Kind::Variable, "@x"),
                (Kind::Operator, ">="),
                (Kind::Number, ".5e3"),
                (Kind::LineComment, "-- end"),
            ]
        );
    }

    #[test]
    fn values_lose_their_quotes() {
        let values: Vec<_> = lex("N'it''s' N'No' '' [a]]b] \"c\"\"d\" $(Name) x")
            .filter(|token| !token.is_trivia())
            .map(|t| t.value())
            .collect();
        assert_eq!(values, ["it's", "No", "", "a]b", "c\"d", "Name", "x"]);
    }

    #[test]
    fn comments_nest() {
        assert_eq!(
            kinds("/* a /* b */ c */d"),
            [(Kind::BlockComment, "/* a /* b */ c */"), (Kind::Word, "d")]
        );
        assert_eq!(
            kinds("a--b\r\nc"),
            [(Kind::Word, "a"), (Kind::LineComment, "--b"), (Kind::Word, "c")]
        );
    }

    #[test]
    fn dollars() {
        assert_eq!(
            kinds("$(Db) $action $9.99 $(5 $argon2id$v=19"),
            [
                (Kind::Scripting, "$(Db)"),
                (Kind::Word, "$action"),
                (Kind::Number, "$9.99"),
                (Kind::Operator, "$"),
                (Kind::Operator, "("),
                (Kind::Number, "5"),
                (Kind::Word, "$argon2id$v"),
                (Kind::Operator, "="),
                (Kind::Number, "19"),
            ]
        );
    }

    #[test]
    fn what_is_not_closed_says_so() {
        for text in ["'abc", "N'abc''", "[abc", "\"abc", "/* a /* b */"] {
            let tokens: Vec<_> = lex(text).collect();
            assert!(matches!(tokens.as_slice(), [token] if !token.closed), "{text}");
        }
    }

    #[test]
    fn places_count_from_one_and_in_characters() {
        let places: Vec<_> = lex("\u{feff}ä b\r\n  'x\ny' c")
            .filter(|token| !token.is_trivia())
            .collect();
        let places: Vec<_> = places.iter().map(|token| (token.line, token.column)).collect();
        assert_eq!(places, [(1, 1), (1, 3), (2, 3), (3, 4)]);
    }

    proptest! {
        #[test]
        fn the_tokens_are_the_text(text in "(\\PC|[\\n\\r'\"\\[\\]/*$().@#-])*") {
            let mut whole = String::new();
            let mut line = 1;
            for token in lex(&text) {
                prop_assert_eq!(token.offset, whole.len());
                prop_assert_eq!(token.line, line);
                prop_assert!(!token.text.is_empty());
                line += token.text.matches('\n').count();
                whole.push_str(token.text);
                token.value();
            }
            prop_assert_eq!(whole, text);
        }
    }
}
