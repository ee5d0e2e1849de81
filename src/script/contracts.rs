//! Who publishes a contract and who looks it up, and `contracts::list`, which sets that beside what is published.
//!
//! The texts of `scripts/` and of the libraries are read, not run: a name counts where it is written out, in
//! `publish("NAME", ...)` or `lookup("NAME")`, in the script itself or in a library's function that it calls, however
//! many calls away.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::lex::{Kind, Token, items, tokens};
use super::stdlib;
use crate::error::Result;
use crate::map;
use crate::resource::tags::{CHANGED_BY, CREATED_AT, CREATED_BY, SECTION};
use crate::resource::{Engine, Verb};
use crate::value::Value;

/// What a piece of a script does: a function, or what stands outside of all functions.
#[derive(Debug, Default)]
struct Piece {
    publishes: BTreeSet<String>,
    looks_up: BTreeSet<String>,
    /// The alias of a library, empty for the file itself; the function's name; the number of its arguments.
    calls: Vec<(String, String, usize)>,
}

/// A function by its name and the number of its parameters, which tell it from others of that name.
type Key = (String, usize);

/// One file.
#[derive(Debug, Default)]
struct Text {
    outside: Piece,
    functions: HashMap<Key, Piece>,
    /// Alias to library.
    imports: HashMap<String, String>,
}

/// What the scripts of a project do with contracts.
#[derive(Debug, Default)]
pub struct Contracts {
    /// By contract, the scripts that publish it.
    publishers: BTreeMap<String, BTreeSet<String>>,
    /// By contract, the scripts that look it up.
    readers: BTreeMap<String, BTreeSet<String>>,
}

impl Contracts {
    /// Reads the texts of a project. One that cannot be read has no contracts: a run of it tells why.
    pub fn read(root: &Path) -> Self {
        let mut libraries: HashMap<String, Text> = stdlib::names()
            .map(|name| (name.to_owned(), Text::read(stdlib::text(name).unwrap_or_default())))
            .collect();
        // The project's own come before the embedded ones.
        libraries.extend(texts(&root.join("stdlib")).map(|(name, text)| (name, Text::read(&text))));
        let mut found = Self::default();
        for (name, text) in texts(&root.join("scripts")) {
            let script = format!("scripts/{name}.rhai");
            let (publishes, looks_up) = Text::read(&text).all(&libraries);
            let note = |book: &mut BTreeMap<String, BTreeSet<String>>, names: BTreeSet<String>| {
                for name in names {
                    book.entry(name).or_default().insert(script.clone());
                }
            };
            note(&mut found.publishers, publishes);
            note(&mut found.readers, looks_up);
        }
        found
    }

    /// The scripts that publish a contract, sorted.
    pub fn publishers(&self, name: &str) -> Vec<String> {
        self.publishers.get(name).into_iter().flatten().cloned().collect()
    }

    fn readers(&self, name: &str) -> Vec<String> {
        self.readers.get(name).into_iter().flatten().cloned().collect()
    }

    /// Every contract that a script names, sorted.
    fn names(&self) -> BTreeSet<&String> {
        self.publishers.keys().chain(self.readers.keys()).collect()
    }
}

/// The scripts in a folder: name without `.rhai`, and text.
fn texts(folder: &Path) -> impl Iterator<Item = (String, String)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let file = entry.file_name().into_string().ok()?;
        let name = file.strip_suffix(".rhai")?.to_owned();
        Some((name, std::fs::read_to_string(entry.path()).ok()?))
    })
}

impl Text {
    fn read(text: &str) -> Self {
        let tokens: Vec<Token<'_>> = tokens(text, 0).filter(|token| token.kind != Kind::Comment).collect();
        let mut read = Self::default();
        // The function that the tokens are in, and the depth of brackets at which it ends.
        let mut inside: Option<(Key, usize)> = None;
        let mut depth = 0usize;
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close => {
                    depth = depth.saturating_sub(1);
                    if token.text == "}" && inside.as_ref().is_some_and(|(_, end)| *end == depth) {
                        inside = None;
                    }
                }
                Kind::Word if token.text == "fn" => {
                    if let (Some(name), Some(open)) = (tokens.get(at + 1), tokens.get(at + 2)) {
                        let key = (name.text.to_owned(), items(text, open.start).len());
                        inside = Some((key, depth));
                        // The name in front of the parameters is no call.
                        at += 1;
                    }
                }
                Kind::Word if token.text == "import" => read.import(&tokens[at..]),
                Kind::Word if tokens.get(at + 1).is_some_and(|open| open.text == "(") => {
                    let piece = match &inside {
                        Some((key, _)) => read.functions.entry(key.clone()).or_default(),
                        None => &mut read.outside,
                    };
                    piece.call(text, &tokens, at);
                }
                _ => {}
            }
            at += 1;
        }
        read
    }

    /// `import "redis" as cache`.
    fn import(&mut self, tokens: &[Token<'_>]) {
        let words: Vec<_> = tokens.iter().take(4).map(|token| token.text).collect();
        if let [_, path, "as", alias] = words[..]
            && let Some(path) = written(path)
        {
            self.imports.insert(alias.to_owned(), path.to_owned());
        }
    }

    /// What the script publishes and looks up, with all that it calls.
    fn all(&self, libraries: &HashMap<String, Text>) -> (BTreeSet<String>, BTreeSet<String>) {
        let (mut publishes, mut looks_up) = (BTreeSet::new(), BTreeSet::new());
        let mut seen: HashSet<(*const Text, &Key)> = HashSet::new();
        let mut left: Vec<(&Text, &Piece)> = vec![(self, &self.outside)];
        while let Some((text, piece)) = left.pop() {
            publishes.extend(piece.publishes.iter().cloned());
            looks_up.extend(piece.looks_up.iter().cloned());
            for (alias, name, arguments) in &piece.calls {
                let of = match alias.as_str() {
                    "" => Some(text),
                    alias => text.imports.get(alias).and_then(|library| libraries.get(library)),
                };
                let key = (name.clone(), *arguments);
                if let Some(of) = of
                    && let Some((key, piece)) = of.functions.get_key_value(&key)
                    && seen.insert((std::ptr::from_ref(of), key))
                {
                    left.push((of, piece));
                }
            }
        }
        (publishes, looks_up)
    }
}

impl Piece {
    /// Notes the call whose name is at that place.
    fn call(&mut self, text: &str, tokens: &[Token<'_>], at: usize) {
        let (name, open) = (tokens[at].text, tokens[at + 1].start);
        let arguments = items(text, open);
        let before = |back: usize| {
            at.checked_sub(back)
                .and_then(|at| tokens.get(at))
                .map(|token| token.text)
        };
        let alias = match (before(1), before(2), before(3)) {
            (Some(":"), Some(":"), Some(alias)) => alias,
            _ => "",
        };
        let first = arguments.first().and_then(|(begin, end)| written(&text[*begin..*end]));
        match (alias, name, first) {
            ("", "publish", Some(first)) => drop(self.publishes.insert(first.to_owned())),
            ("", "lookup", Some(first)) => drop(self.looks_up.insert(first.to_owned())),
            _ => self.calls.push((alias.to_owned(), name.to_owned(), arguments.len())),
        }
    }
}

/// The text that a literal writes out.
fn written(literal: &str) -> Option<&str> {
    let inner = literal.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains(['"', '\\'])).then_some(inner)
}

/// `contracts::list`, for the project in that folder.
pub fn verb(root: &Path) -> Verb {
    let root: Arc<PathBuf> = Arc::new(root.to_owned());
    Verb::reads(
        "contracts",
        "list",
        "What the scripts hand on to each other: each contract with its value, the section that published it, who and when, \
         the scripts that publish it and those that look it up. `state` is `published`; `missing`, when a script looks up \
         what is not there; `not published`, when none that does has run; `left over`, when no script publishes it by a \
         name that is written out.",
    )
    .run(move |cx, _| {
        let root = root.clone();
        async move { list(&cx.engine, &Contracts::read(&root)).await }
    })
}

async fn list(engine: &Engine, contracts: &Contracts) -> Result<Value> {
    let mut rows = Vec::new();
    let published = engine.contracts().await?;
    let named = contracts.names().into_iter();
    let names: BTreeSet<&String> = published.iter().map(|contract| &contract.name).chain(named).collect();
    for name in names {
        let live = published.iter().find(|contract| contract.name == *name);
        let tag = |key: &str| live.and_then(|live| live.tags.get(key).cloned());
        let field = |key: &str| live.and_then(|live| live.row.get(key).cloned()).unwrap_or_default();
        let (publishers, readers) = (contracts.publishers(name), contracts.readers(name));
        let state = match (live, publishers.is_empty(), readers.is_empty()) {
            (Some(_), false, _) => "published",
            (Some(_), true, _) => "left over",
            (None, _, false) => "missing",
            (None, _, true) => "not published",
        };
        let at = match field("changed_at") {
            Value::Null => Value::from(tag(CREATED_AT)),
            at => at,
        };
        rows.push(Value::Map(map! {
            "name" => name.as_str(),
            "value" => field("value"),
            "state" => state,
            "section" => tag(SECTION),
            "by" => tag(CHANGED_BY).or_else(|| tag(CREATED_BY)),
            "at" => at,
            "published_by" => publishers,
            "looked_up_by" => readers,
        }));
    }
    Ok(Value::List(rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contracts(files: &[(&str, &str)]) -> Contracts {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Contracts::read(folder.path())
    }

    #[test]
    fn a_name_counts_where_it_is_written_out_and_not_in_a_comment() {
        let text = "// publish(\"a\", 1)\n/* lookup(\"b\") */\nlet x = \"publish(\\\"c\\\", 1)\";\n\
                    publish(\"d\", x);\nlet name = \"e\"; publish(name, x);\nfn f() { lookup(\"g\") }\nother::publish(\"h\", x);";
        let found = contracts(&[("scripts/one.rhai", text)]);
        assert_eq!(found.names().into_iter().collect::<Vec<_>>(), ["d"]);
        assert_eq!(found.publishers("d"), ["scripts/one.rhai"]);
    }

    #[test]
    fn calls_are_followed_through_libraries_by_name_and_number_of_arguments() {
        let library = "import \"deep\" as below;\nfn make() { if true { inner(1, [2, 3]); } }\n\
                       fn inner(a, b) { publish(\"two\", a); below::reach() }\nfn inner(a) { publish(\"one\", a) }\n";
        let found = contracts(&[
            ("stdlib/own.rhai", library),
            (
                "stdlib/deep.rhai",
                "fn reach() { lookup(\"deep\"); own() }\nfn own() { reach() }",
            ),
            (
                "scripts/a.rhai",
                "import \"own\" as mine;\nstep(\"Make\", || mine::make());",
            ),
            ("scripts/b.rhai", "import \"own\" as mine;\nmine::inner(1);"),
        ]);
        assert_eq!(found.publishers("two"), ["scripts/a.rhai"]);
        assert_eq!(found.publishers("one"), ["scripts/b.rhai"]);
        assert_eq!(found.readers("deep"), ["scripts/a.rhai"]);
    }

    #[test]
    fn the_scripts_of_this_repository_are_understood() {
        let found = Contracts::read(Path::new(env!("CARGO_MANIFEST_DIR")));
        assert_eq!(
            found.publishers("redis.endpoint"),
            ["scripts/recreate.rhai", "scripts/redis.rhai"]
        );
        assert_eq!(found.readers("redis.endpoint"), ["scripts/ecs.rhai"]);
        let of_database = ["clients", "database", "migrate", "recreate"].map(|name| format!("scripts/{name}.rhai"));
        assert_eq!(found.publishers("database.secret"), of_database);
        assert_eq!(
            found.publishers("database.endpoint"),
            ["scripts/database.rhai", "scripts/recreate.rhai"]
        );
        assert_eq!(
            found.publishers("identityserver.url"),
            ["scripts/ecs.rhai", "scripts/recreate.rhai"]
        );
    }
}
