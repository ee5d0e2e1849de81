//! `import "redis"`: `ROOT/stdlib/redis.rhai`, else the embedded one; `import "./x"`: beside the importer.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{AST, Engine, EvalAltResult, Module, ModuleResolver, Position, Scope, Shared as Rc};

use super::engine::Shared;
use super::sources::Source;
use super::stdlib;
use crate::error::{Error, Result, nearest};

/// A script that has been read and parsed.
#[derive(Clone)]
pub struct Script {
    pub source: Arc<Source>,
    pub ast: AST,
}

/// What has been imported in this run, by name.
#[derive(Default)]
pub struct Imports {
    scripts: Mutex<HashMap<String, Script>>,
    modules: Mutex<HashMap<String, Rc<Module>>>,
}

impl Imports {
    /// Forgets everything, so that a changed file is read again.
    pub fn clear(&self) {
        self.scripts.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.modules.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Shared {
    /// Reads and parses what an import names. `from` is where the import stands.
    pub fn imported(&self, rhai: &Engine, name: &str, from: Position) -> Result<Script> {
        let (shown, path, embedded) = self.find_import(name, from)?;
        if let Some(known) = self
            .imports
            .scripts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&shown)
        {
            return Ok(known.clone());
        }
        let text = match (&path, embedded) {
            (Some(path), _) => std::fs::read_to_string(path)
                .map_err(|error| Error::invalid(format!("{shown} cannot be read: {error}")))?,
            (None, Some(text)) => text.to_owned(),
            (None, None) => return Err(Error::invalid(format!("there is no {shown}"))),
        };
        let source = self.sources.add(shown.clone(), path, text)?;
        let ast = self.parse(rhai, &source, &Scope::new())?;
        let script = Script { source, ast };
        let mut scripts = self.imports.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        scripts.insert(shown, script.clone());
        Ok(script)
    }

    /// The readable name of what an import means, its place on disk, or its embedded text.
    fn find_import(&self, name: &str, from: Position) -> Result<(String, Option<PathBuf>, Option<&'static str>)> {
        let root = &self.context.root;
        if name.starts_with("./") || name.starts_with("../") {
            let importer = self.sources.find(from).and_then(|source| source.path.clone());
            let folder = match &importer {
                Some(path) => path.parent().map(Path::to_path_buf).unwrap_or_default(),
                None => root.clone(),
            };
            let mut path = folder.join(name.trim_start_matches("./"));
            if path.extension().is_none_or(|extension| extension != "rhai") {
                path.as_mut_os_string().push(".rhai");
            }
            return match path.is_file() {
                true => Ok((self.shown(&path), Some(path), None)),
                false => Err(Error::invalid(format!(
                    "import \"{name}\": there is no {}",
                    self.shown(&path)
                ))),
            };
        }
        let plain = name.split('/').all(|part| !part.is_empty() && part != "..");
        let path = root.join("stdlib").join(format!("{name}.rhai"));
        if plain && path.is_file() {
            return Ok((format!("stdlib/{name}.rhai"), Some(path), None));
        }
        if let Some(text) = stdlib::text(name) {
            return Ok((format!("stdlib/{name}.rhai"), None, Some(text)));
        }
        let error = Error::invalid(format!("import \"{name}\": there is no stdlib/{name}.rhai"));
        Err(match nearest(name, stdlib::names()) {
            Some(near) => error.hint(format!("did you mean \"{near}\"?")),
            None => error.hint(format!("there are: {}; a file beside the script is \"./{name}\"", {
                stdlib::names().collect::<Vec<_>>().join(", ")
            })),
        })
    }

    /// A path as a person would name it: relative to the root where it is inside.
    pub fn shown(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.context.root).unwrap_or(path);
        let mut parts: Vec<std::borrow::Cow<'_, str>> = Vec::new();
        for part in inside.components() {
            match part {
                std::path::Component::CurDir => {}
                std::path::Component::ParentDir if parts.last().is_some_and(|last| last != "..") => {
                    parts.pop();
                }
                part => parts.push(part.as_os_str().to_string_lossy()),
            }
        }
        match parts.first().is_some_and(|first| first == "/") {
            true => format!("/{}", parts[1..].join("/")),
            false => parts.join("/"),
        }
    }
}

/// Rhai's view of the above.
pub struct Resolver(pub Arc<Shared>);

impl ModuleResolver for Resolver {
    fn resolve(
        &self,
        rhai: &Engine,
        _: Option<&str>,
        name: &str,
        position: Position,
    ) -> std::result::Result<Rc<Module>, Box<EvalAltResult>> {
        let script = self
            .0
            .imported(rhai, name, position)
            .map_err(|error| self.0.raise(position, error))?;
        let key = script.source.name.clone();
        let modules = &self.0.imports.modules;
        if let Some(known) = modules.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known.clone());
        }
        let module = Module::eval_ast_as_new(Scope::new(), &script.ast, rhai)
            .map_err(|error| EvalAltResult::ErrorInModule(name.to_owned(), error, position))?;
        let module = Rc::new(module);
        modules
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, module.clone());
        Ok(module)
    }
}
