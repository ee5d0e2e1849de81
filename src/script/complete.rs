//! Completion at the prompt: from names and values that are known already. It calls nothing and waits for nothing.

use super::help::COMMON;
use super::lex::{self, Kind};
use super::preflight;
use super::prompt::Prompt;
use super::stdlib;
use super::values::Thing;
use crate::repl::Candidate;
use crate::resource::Handle;
use crate::schema;

const KEYWORDS: &[&str] = &[
    "let", "const", "if", "else", "for", "in", "while", "loop", "fn", "return", "import", "true", "false", "try",
    "catch", "throw",
];

impl Prompt {
    /// What could stand at a byte of the line, and where what it would replace begins.
    pub(super) fn complete(&self, line: &str, position: usize) -> (usize, Vec<Candidate>) {
        let before = line.get(..position).unwrap_or(line);
        if let Some(quote) = before.rfind("import \"").map(|at| at + "import \"".len())
            && !before[quote..].contains('"')
        {
            let names = stdlib::names().map(|name| (name.to_owned(), name.to_owned()));
            return (quote, matching(&before[quote..], names));
        }
        let start = before
            .rfind(|c: char| !c.is_alphanumeric() && c != '_')
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        let (word, rest) = (&before[start..], &before[..start]);
        if let Some(owner) = rest.strip_suffix('.') {
            return (start, matching(word, self.fields(owner).into_iter().map(same)));
        }
        if let Some(owner) = rest.strip_suffix("::") {
            let module = owner
                .rsplit(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
                .unwrap_or_default();
            let functions = self
                .functions_of(module)
                .into_iter()
                .map(|name| (name.clone(), format!("{name}(")));
            return (start, matching(word, functions));
        }
        if let Some(options) = self.options(rest) {
            let keys = options.into_iter().map(|(key, about)| (about, format!("{key}: ")));
            return (start, matching(word, keys));
        }
        (start, matching(word, self.names()))
    }

    fn names(&self) -> impl Iterator<Item = (String, String)> {
        let mut names: Vec<(String, String)> = Vec::new();
        names.extend(self.scope.iter().map(|(name, ..)| same(name.to_owned())));
        let functions = self.defined.iter().map(|function| function.name.as_str());
        let common = COMMON.iter().filter_map(|(form, _)| form.split('(').next());
        names.extend(
            functions
                .chain(common)
                .map(|name| (name.to_owned(), format!("{name}("))),
        );
        let modules = self.shell.shared.modules().iter().chain(self.imported.keys());
        names.extend(modules.map(|name| same(format!("{name}::"))));
        names.extend(KEYWORDS.iter().map(|word| same((*word).to_owned())));
        names.into_iter()
    }

    fn functions_of(&self, module: &str) -> Vec<String> {
        if let Some(script) = self.imported.get(module) {
            return preflight::public(script)
                .into_iter()
                .map(|function| function.name)
                .collect();
        }
        let functions = self.shell.shared.functions().iter();
        let names = functions.filter_map(|function| function.name.strip_prefix(module)?.strip_prefix("::"));
        names.map(str::to_owned).collect()
    }

    /// The fields of what stands before a dot: a variable, or a field of one.
    fn fields(&self, owner: &str) -> Vec<String> {
        let begin = owner
            .rfind(|c: char| !c.is_alphanumeric() && c != '_' && c != '.')
            .map_or(0, |at| at + owner[at..].chars().next().map_or(1, char::len_utf8));
        let mut path = owner[begin..].split('.');
        let Some(mut value) = path
            .next()
            .and_then(|name| self.scope.get(name))
            .map(|value| value.flatten_clone())
        else {
            return Vec::new();
        };
        for key in path {
            let next = value.read_lock::<rhai::Map>().and_then(|map| map.get(key).cloned());
            match next {
                Some(next) => value = next.flatten(),
                None => return Vec::new(),
            }
        }
        if let Some(map) = value.read_lock::<rhai::Map>() {
            return map.keys().map(ToString::to_string).collect();
        }
        let thing = value.read_lock::<Thing>();
        match thing.as_ref().and_then(|thing| thing.0.downcast::<Handle>()) {
            Some(handle) => {
                let outputs = handle.about.outputs.iter().map(|output| output.name.to_owned());
                std::iter::once("name".to_owned()).chain(outputs).collect()
            }
            None => Vec::new(),
        }
    }

    /// The keys of the option map that the text ends in, each with what is shown of it.
    fn options(&self, text: &str) -> Option<Vec<(String, String)>> {
        let tokens: Vec<_> = lex::tokens(text, 0)
            .filter(|token| token.kind != Kind::Comment)
            .collect();
        let mut open = Vec::new();
        for (number, token) in tokens.iter().enumerate() {
            match token.kind {
                Kind::Open => open.push(number),
                Kind::Close => {
                    open.pop();
                }
                _ => {}
            }
        }
        let map = *open.last()?;
        // A key follows `#{` or a comma; anything else is a value.
        if tokens.get(map)?.text != "#{" || !matches!(tokens.last()?.text, "#{" | ",") {
            return None;
        }
        let call = map.checked_sub(1)?;
        let function = tokens.get(call.checked_sub(1)?)?.text.strip_prefix("ensure_")?;
        let module = tokens.get(call.checked_sub(4)?)?.text;
        let kinds = self.shell.shared.engine.kinds().iter();
        let kind = kinds
            .map(|kind| kind.about())
            .find(|about| about.module == module && about.noun == function)?;
        let schema = self.shell.shared.engine.schema(kind.kind)?;
        let given = &text[tokens.get(map)?.start..];
        let fields = schema::fields(schema).into_iter();
        let free = fields.filter(|field| !lex::tokens(given, 0).any(|token| token.text == field.name));
        Some(
            free.map(|field| (field.name.clone(), format!("{}: {}", field.name, field.kind)))
                .collect(),
        )
    }
}

fn same(name: String) -> (String, String) {
    (name.clone(), name)
}

/// Those that begin with what is typed, in order, each once.
fn matching(word: &str, names: impl Iterator<Item = (String, String)>) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = names
        .filter(|(_, replacement)| replacement.starts_with(word))
        .map(|(display, replacement)| Candidate { display, replacement })
        .collect();
    found.sort_by(|one, other| one.replacement.cmp(&other.replacement));
    found.dedup();
    found
}
