//! Sandboxes that were put aside: everything a sandbox holds under a name, to go back to.
//!
//! They lie in the sandbox's own folder, below `saved/`, and a reset leaves them. Saving works while others use the
//! sandbox: all its SQLite files are held against writing for as long as it takes to copy them, so that the copy is of
//! one moment. Loading needs the sandbox for itself.
//!
//! Killed in the middle, a save leaves the earlier copy or the new one, and a load leaves the sandbox as it was or as it
//! is to be: each is prepared under another name and takes effect with one renaming, and what comes behind that is
//! finished by whoever opens the sandbox next ([`finish`]).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::{LOCK_FILE, Sandbox, lock_file, on_disk};
use crate::error::{Error, Exit, Result, nearest};

/// The folder of the saved ones.
pub(super) const SAVED: &str = "saved";
/// A load being prepared; of no use when it stays behind.
const PREPARED: &str = "load.new";
/// A load that has taken effect: what is in the sandbox goes, then this comes.
const LOADING: &str = "load";
/// What was in the sandbox is out of the way, and this comes.
const MOVING: &str = "load.moving";
/// What was in the sandbox before.
const REPLACED: &str = "load.replaced";
/// Describes a saved sandbox, within its folder.
const MANIFEST: &str = "manifest.json";
/// How long a save waits for writers: a transaction of the SQL Server can be long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A saved sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    #[serde(skip)]
    pub name: String,
    /// When, in seconds since 1970.
    pub at: i64,
    /// Bytes.
    pub size: u64,
    /// The program that did it.
    pub version: String,
}

impl Sandbox {
    /// Puts a copy of everything in the sandbox aside under a name. It replaces a copy of that name.
    ///
    /// # Errors
    /// A name that is none; no sandbox; a writer that does not end within half a minute.
    pub fn save(dir: &Path, name: &str) -> Result<Saved> {
        check_name(name)?;
        there_is_one(dir)?;
        // No reset and no load meanwhile. Everybody else may go on.
        let lock = lock_file(dir)?;
        lock.try_lock_shared().map_err(|_| busy(dir))?;
        let saved = dir.join(SAVED);
        fs::create_dir_all(&saved).map_err(|error| on_disk(&saved, &error))?;
        // One save of a name at a time; a lock, too, ends with its process.
        let own = lock_at(&saved.join(format!(".{name}.lock")))?;
        own.try_lock().map_err(|_| busy(dir))?;
        recover(&saved, name)?;
        let new = saved.join(format!(".{name}.new"));
        remove(&new)?;
        let size = copy_all(dir, &new)?;
        let manifest = Saved {
            name: name.to_owned(),
            at: seconds(),
            size,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let text = serde_json::to_string(&manifest).map_err(|error| Error::failed(error.to_string()))?;
        write(&new.join(MANIFEST), text.as_bytes())?;
        sync_folder(&new)?;
        let (place, old) = (saved.join(name), saved.join(format!(".{name}.old")));
        if place.exists() {
            rename(&place, &old)?;
        }
        rename(&new, &place)?;
        sync_folder(&saved)?;
        remove(&old)?;
        Ok(manifest)
    }

    /// Makes the sandbox what was saved under a name; what is in it is lost.
    ///
    /// # Errors
    /// Nothing of that name; with exit code 75 while anybody has the sandbox open.
    pub fn load(dir: &Path, name: &str) -> Result<Saved> {
        check_name(name)?;
        let known = Self::saved(dir)?;
        let Some(saved) = known.iter().find(|saved| saved.name == name) else {
            let error = Error::invalid(format!("no sandbox was saved as `{name}`"));
            let names = || known.iter().map(|saved| saved.name.as_str());
            return Err(match (nearest(name, names()), known.is_empty()) {
                (Some(near), _) => error.hint(format!("did you mean `{near}`?")),
                (None, true) => error.hint("`iacsh sandbox save NAME` saves one"),
                (None, false) => error.hint(format!("there are: {}", names().collect::<Vec<_>>().join(", "))),
            });
        };
        let lock = lock_file(dir)?;
        alone(dir, &lock)?;
        finish(dir)?;
        let prepared = dir.join(PREPARED);
        copy_files(&dir.join(SAVED).join(name), &prepared, &[MANIFEST])?;
        // From here on it is done, whoever finishes it.
        rename(&prepared, &dir.join(LOADING))?;
        sync_folder(dir)?;
        finish(dir)?;
        Ok(saved.clone())
    }

    /// The saved sandboxes, by name.
    pub fn saved(dir: &Path) -> Result<Vec<Saved>> {
        let folder = dir.join(SAVED);
        let mut found = Vec::new();
        for path in entries(&folder)? {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            // A save that was killed between its two renamings left the earlier one under another name.
            let (name, path) = match name.strip_prefix('.').and_then(|name| name.strip_suffix(".old")) {
                Some(name) if !folder.join(name).exists() => {
                    recover(&folder, name)?;
                    (name, folder.join(name))
                }
                _ => (name, path.clone()),
            };
            let Ok(text) = fs::read_to_string(path.join(MANIFEST)) else {
                continue;
            };
            if check_name(name).is_err() {
                continue;
            }
            let manifest: Saved = serde_json::from_str(&text)
                .map_err(|error| Error::failed(format!("{}: {error}", path.join(MANIFEST).display())))?;
            found.push(Saved {
                name: name.to_owned(),
                ..manifest
            });
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        found.dedup_by(|one, other| one.name == other.name);
        Ok(found)
    }
}

/// Whether a load was begun and not finished.
pub(super) fn is_pending(dir: &Path) -> bool {
    [PREPARED, LOADING, MOVING, REPLACED]
        .iter()
        .any(|name| dir.join(name).exists())
}

/// Finishes a load that was interrupted, or takes away what it prepared in vain. The sandbox's lock must be held
/// exclusively.
pub(super) fn finish(dir: &Path) -> Result<()> {
    let [prepared, loading, moving, replaced] = [PREPARED, LOADING, MOVING, REPLACED].map(|name| dir.join(name));
    remove(&prepared)?;
    if loading.exists() {
        fs::create_dir_all(&replaced).map_err(|error| on_disk(&replaced, &error))?;
        for path in entries(dir)?.iter().filter(|path| is_content(path)) {
            move_into(path, &replaced)?;
        }
        sync_folder(dir)?;
        rename(&loading, &moving)?;
        sync_folder(dir)?;
    }
    if moving.exists() {
        for path in entries(&moving)? {
            move_into(&path, dir)?;
        }
        sync_folder(dir)?;
        remove(&moving)?;
    }
    remove(&replaced)
}

/// Whether a path in the sandbox's folder is what it holds, and not how it is kept.
pub(super) fn is_content(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    ![LOCK_FILE, SAVED, PREPARED, LOADING, MOVING, REPLACED].contains(&name)
}

/// Letters, digits, `-`, `_` and `.`, a letter or digit first.
fn check_name(name: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let right = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(allowed) && name.len() <= 64;
    match right {
        true => Ok(()),
        false => Err(Error::usage(format!("`{name}` is no name of a saved sandbox"))
            .hint("names have letters, digits, `-`, `_` and `.`, a letter or digit first, 64 at most")),
    }
}

/// Copies what the sandbox holds, of one moment; the bytes.
fn copy_all(dir: &Path, to: &Path) -> Result<u64> {
    let (mut files, mut databases) = (Vec::new(), Vec::new());
    for path in entries(dir)?.into_iter().filter(|path| is_content(path)) {
        walk(&path, &mut |path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_beside = ["-wal", "-shm", "-journal"].iter().any(|end| name.ends_with(end));
            match name.ends_with(".sqlite") {
                true => databases.push(path.to_owned()),
                false if !is_beside => files.push(path.to_owned()),
                false => {}
            }
        })?;
    }
    // Always in the same order, so that two saves cannot wait for each other.
    databases.sort();
    let held = databases.iter().map(|path| hold(path)).collect::<Result<Vec<_>>>()?;
    let mut size = 0;
    let place = |path: &Path| to.join(path.strip_prefix(dir).unwrap_or(path));
    for path in &databases {
        size += copy_database(path, &place(path))?;
    }
    for path in &files {
        size += copy_file(path, &place(path))?;
    }
    drop(held);
    Ok(size)
}

/// Keeps writers of a SQLite file out until the connection is dropped. Readers go on.
fn hold(path: &Path) -> Result<Connection> {
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(PATIENCE)?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(connection)
    };
    open().map_err(|error| in_database(path, &error))
}

/// By SQLite's backup, which takes pages and so needs to know nothing of what is in them.
fn copy_database(from: &Path, to: &Path) -> Result<u64> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(|error| on_disk(folder, &error))?;
    }
    let copy = || -> rusqlite::Result<()> {
        let source = Connection::open(from)?;
        source.busy_timeout(PATIENCE)?;
        let mut target = Connection::open(to)?;
        rusqlite::backup::Backup::new(&source, &mut target)?.run_to_completion(1000, Duration::ZERO, None)?;
        target.close().map_err(|(_, error)| error)
    };
    copy().map_err(|error| in_database(from, &error))?;
    sync_file(to)?;
    Ok(fs::metadata(to).map_err(|error| on_disk(to, &error))?.len())
}

/// Copies a folder of files, with what the files allow to whom; names at its top that are left out.
fn copy_files(from: &Path, to: &Path, without: &[&str]) -> Result<()> {
    fs::create_dir_all(to).map_err(|error| on_disk(to, &error))?;
    for path in entries(from)? {
        if without.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        walk(&path, &mut |_| {})?;
        let mut files = Vec::new();
        walk(&path, &mut |path| files.push(path.to_owned()))?;
        for file in files {
            copy_file(&file, &to.join(file.strip_prefix(from).unwrap_or(&file)))?;
        }
    }
    sync_folder(to)
}

fn copy_file(from: &Path, to: &Path) -> Result<u64> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(|error| on_disk(folder, &error))?;
    }
    let size = match fs::copy(from, to) {
        Ok(size) => size,
        // It was a file of a moment, as those under which the vault writes a key.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !from.exists() => return Ok(0),
        Err(error) => return Err(on_disk(from, &error)),
    };
    sync_file(to)?;
    Ok(size)
}

/// Every file at or below a path.
fn walk(path: &Path, found: &mut impl FnMut(&Path)) -> Result<()> {
    if path.is_dir() {
        for path in entries(path)? {
            walk(&path, found)?;
        }
    } else {
        found(path);
    }
    Ok(())
}

/// What is in a folder; nothing, when it is not there.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<std::io::Result<_>>()
            .map_err(|error| on_disk(folder, &error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(on_disk(folder, &error)),
    }
}

/// Brings the earlier copy back, when a save was killed between its two renamings.
fn recover(saved: &Path, name: &str) -> Result<()> {
    let (place, old) = (saved.join(name), saved.join(format!(".{name}.old")));
    match (place.exists(), old.exists()) {
        (false, true) => rename(&old, &place),
        (true, true) => remove(&old),
        _ => Ok(()),
    }
}

fn there_is_one(dir: &Path) -> Result<()> {
    match dir.join(LOCK_FILE).exists() {
        true => Ok(()),
        false => Err(Error::failed(format!("there is no sandbox in {}", dir.display()))
            .hint("any command on the sandbox makes one, such as `iacsh scripts/recreate.rhai`")),
    }
}

/// Takes the sandbox for oneself. A process that is just ending, or just being started by another one that has the
/// sandbox open, holds the lock for a moment: that is not worth an error.
pub(super) fn alone(dir: &Path, lock: &fs::File) -> Result<()> {
    for _ in 0..30 {
        match lock.try_lock() {
            Ok(()) => return Ok(()),
            Err(fs::TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
            Err(fs::TryLockError::Error(error)) => return Err(on_disk(dir, &error)),
        }
    }
    Err(busy(dir))
}

fn busy(dir: &Path) -> Error {
    Error::new(
        Exit::Busy,
        format!("the sandbox {} is in use by another iacsh", dir.display()),
    )
    .hint("end the other one (a prompt, perhaps), then try again")
}

fn lock_at(path: &Path) -> Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.create(true).truncate(false).write(true);
    options.open(path).map_err(|error| on_disk(path, &error))
}

fn move_into(path: &Path, folder: &Path) -> Result<()> {
    let Some(name) = path.file_name() else { return Ok(()) };
    rename(path, &folder.join(name))
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|error| on_disk(from, &error))
}

fn remove(path: &Path) -> Result<()> {
    let removed = match path.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(on_disk(path, &error)),
        _ => Ok(()),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(|error| on_disk(path, &error))?;
    sync_file(path)
}

fn sync_file(path: &Path) -> Result<()> {
    fs::File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| on_disk(path, &error))
}

/// Names are kept by their folder. Only Unix lets a folder be opened for that.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> Result<()> {
    sync_file(folder)
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> Result<()> {
    Ok(())
}

fn seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn in_database(path: &Path, error: &rusqlite::Error) -> Error {
    let told = Error::failed(format!("{}: {error}", path.display()));
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy) => told
            .with_exit(Exit::Busy)
            .hint("somebody's transaction holds it; end it, then save again"),
        _ => told,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::super::testing::{Victim, acknowledge, folder, times};
    use super::*;

    fn open(dir: &Path) -> Sandbox {
        Sandbox::open(dir, Options::default()).unwrap()
    }

    /// A folder with a sandbox whose every part says the same word.
    fn say(dir: &Path, word: &str) {
        let sandbox = open(dir);
        let rules = sandbox.aws().rules();
        rules.clear().unwrap();
        let rule = super::super::aws::rules::Rule::about(word, super::super::aws::rules::Effect::BadImage);
        rules.add(rule).unwrap();
        fs::create_dir_all(dir.join("variables")).unwrap();
        fs::write(dir.join("variables/WORD"), word).unwrap();
        fs::create_dir_all(dir.join("mssql")).unwrap();
        let database = Connection::open(dir.join("mssql/master.mdf.sqlite")).unwrap();
        database
            .execute_batch("CREATE TABLE IF NOT EXISTS word (word TEXT COLLATE NOCASE); DELETE FROM word")
            .unwrap();
        database.execute("INSERT INTO word VALUES (?1)", [word]).unwrap();
    }

    fn said(dir: &Path) -> [String; 3] {
        let sandbox = open(dir);
        let rules = sandbox.aws().rules().list().unwrap();
        let database = Connection::open(dir.join("mssql/master.mdf.sqlite")).unwrap();
        [
            rules[0].rule.resource.clone().unwrap(),
            fs::read_to_string(dir.join("variables/WORD")).unwrap(),
            database
                .query_row("SELECT word FROM word", [], |row| row.get(0))
                .unwrap(),
        ]
    }

    #[test]
    fn what_was_saved_comes_back_whole_and_saving_disturbs_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        say(dir, "old");
        let user = open(dir);
        let sealed = user.vault().seal("secret");
        let saved = Sandbox::save(dir, "first").unwrap();
        assert!(saved.size > 0);
        drop(user);
        say(dir, "new");
        fs::write(dir.join("later"), "").unwrap();
        Sandbox::load(dir, "first").unwrap();
        assert_eq!(said(dir), ["old", "old", "old"]);
        assert!(!dir.join("later").exists());
        assert_eq!(open(dir).vault().unseal(&sealed).unwrap(), "secret");

        // Saved again under the name it is another; a reset leaves it; it can be loaded into what is empty.
        say(dir, "newest");
        Sandbox::save(dir, "first").unwrap();
        Sandbox::reset(dir).unwrap();
        assert_eq!(Sandbox::saved(dir).unwrap().len(), 1);
        Sandbox::load(dir, "first").unwrap();
        assert_eq!(said(dir), ["newest", "newest", "newest"]);
    }

    #[test]
    #[ignore = "a process that is killed: started by the test below"]
    fn saving_and_loading() {
        let dir = folder();
        for number in 0.. {
            Sandbox::save(&dir, "kept").unwrap();
            Sandbox::load(&dir, ["one", "other"][number % 2]).unwrap();
            acknowledge("done");
        }
    }

    #[test]
    fn killed_in_a_save_or_a_load_it_is_the_old_one_or_the_new_one() {
        let rounds = times("IACSH_CRASHES", 15);
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        say(dir, "one");
        Sandbox::save(dir, "one").unwrap();
        say(dir, "other");
        Sandbox::save(dir, "other").unwrap();
        for _ in 0..rounds {
            let mut victim = Victim::start("sandbox::saved::tests::saving_and_loading", dir);
            for _ in 0..rand::random_range(1..4) {
                victim.next().expect("it works until it is killed");
            }
            std::thread::sleep(Duration::from_micros(rand::random_range(0..30_000)));
            victim.kill();
            let [first, second, third] = said(dir);
            assert!(first == "one" || first == "other", "{first}");
            assert_eq!((&second, &third), (&first, &first));
            let names: Vec<String> = Sandbox::saved(dir)
                .unwrap()
                .into_iter()
                .map(|saved| saved.name)
                .collect();
            assert_eq!(names, ["kept", "one", "other"]);
            Sandbox::load(dir, "kept").unwrap();
            let [first, second, third] = said(dir);
            assert_eq!((&second, &third), (&first, &first));
        }
        println!("killed {rounds} times in a save or a load: each time the old one or the new one was there");
    }

    #[test]
    fn a_load_waits_for_nobody_and_a_strange_name_has_a_near_one() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        assert!(
            Sandbox::save(dir, "a")
                .unwrap_err()
                .message()
                .contains("there is no sandbox")
        );
        say(dir, "old");
        Sandbox::save(dir, "before-upgrade").unwrap();
        let user = open(dir);
        assert_eq!(Sandbox::load(dir, "before-upgrade").unwrap_err().exit(), Exit::Busy);
        drop(user);
        let error = Sandbox::load(dir, "before-upgrad").unwrap_err();
        assert_eq!(error.help(), Some("did you mean `before-upgrade`?"));
        for name in ["", ".", "..", "../a", "a/b", ".a", "a b", "-a", &"a".repeat(65)] {
            assert_eq!(Sandbox::save(dir, name).unwrap_err().exit(), Exit::Usage, "{name}");
        }
    }

    #[test]
    fn whoever_opens_the_sandbox_finishes_an_interrupted_load() {
        // The state after each of the steps of a load, as a kill leaves it.
        for step in 0..=5 {
            let dir = tempfile::tempdir().unwrap();
            let dir = dir.path();
            say(dir, "saved");
            Sandbox::save(dir, "it").unwrap();
            say(dir, "mine");
            copy_files(&dir.join(SAVED).join("it"), &dir.join(PREPARED), &[MANIFEST]).unwrap();
            if step >= 1 {
                rename(&dir.join(PREPARED), &dir.join(LOADING)).unwrap();
            }
            if step >= 2 {
                fs::create_dir_all(dir.join(REPLACED)).unwrap();
                move_into(&dir.join("key"), &dir.join(REPLACED)).unwrap();
            }
            if step >= 3 {
                for path in entries(dir).unwrap().iter().filter(|path| is_content(path)) {
                    move_into(path, &dir.join(REPLACED)).unwrap();
                }
                rename(&dir.join(LOADING), &dir.join(MOVING)).unwrap();
            }
            if step >= 4 {
                move_into(&dir.join(MOVING).join("key"), dir).unwrap();
            }
            if step >= 5 {
                for path in entries(&dir.join(MOVING)).unwrap() {
                    move_into(&path, dir).unwrap();
                }
            }
            let expected = if step == 0 { "mine" } else { "saved" };
            assert_eq!(said(dir), [expected; 3], "step {step}");
            assert!(!is_pending(dir), "step {step}");
        }
    }
}
