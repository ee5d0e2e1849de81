//! Encryption at rest for what must not be readable in the sandbox's folder: stored secrets, and variables that were
//! generated because nobody set them.
//!
//! The cipher is ChaCha20-Poly1305 (RFC 8439) with a random nonce for each text. The key lies beside the data, readable
//! by its owner only: this keeps secrets out of searches, copies of single files and pasted output; it does not protect
//! against somebody who can read the whole folder.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, Generate, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::secret::Secret;

/// The name of the key's file.
const KEY: &str = "key";
/// The folder of the generated variables, one file each.
const VARIABLES: &str = "variables";
/// What a sealed text begins with, so that another format can follow one day.
const PREFIX: &str = "v1:";
/// Bytes of a nonce (RFC 8439, section 2.8).
const NONCE: usize = 12;

/// Seals and opens texts with the key of one sandbox folder.
pub struct Vault {
    dir: PathBuf,
    cipher: ChaCha20Poly1305,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Vault {
    /// Opens the vault of a folder; makes folder and key when they are not there. Two processes that do so at once end
    /// with the same key, because only one of them can link its file to the name.
    pub fn open(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).map_err(|error| on_disk(dir, &error))?;
        let path = dir.join(KEY);
        let text = create_once(&path, || Zeroizing::new(STANDARD.encode(Key::generate())))?;
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| not_a_key(&path))?);
        let key = Key::try_from(bytes.as_slice()).map_err(|_| not_a_key(&path))?;
        Ok(Self {
            dir: dir.to_owned(),
            cipher: ChaCha20Poly1305::new(&key),
        })
    }

    /// Encrypts a text. Sealing the same text twice gives two different results.
    pub fn seal(&self, text: &str) -> String {
        self.seal_for("", text)
    }

    /// Decrypts what [`Vault::seal`] gave.
    pub fn unseal(&self, sealed: &str) -> Result<String> {
        self.open_for("", sealed)
    }

    /// The variable of that name (`DB_PASSWORD`, `staging/DB_PASSWORD`): the one that was kept, or else a new one from `generate`, which is kept from now on.
    /// When two processes generate at once, both get the one that was written first.
    pub fn variable(&self, name: &str, generate: impl FnOnce() -> Secret) -> Result<Secret> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if !name
            .split('/')
            .all(|part| !part.is_empty() && part.bytes().all(allowed))
        {
            return Err(Error::config(format!("`{name}` is not the name of a variable"))
                .hint("names have letters, digits, `-` and `_`, and `/` between their parts"));
        }
        let path = self.dir.join(VARIABLES).join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| on_disk(folder, &error))?;
        }
        let sealed = create_once(&path, || Zeroizing::new(self.seal_for(name, generate().expose())))?;
        let text = self
            .open_for(name, &sealed)
            .map_err(|error| error.context(format!("the variable `{name}`")))?;
        Ok(Secret::new(text))
    }

    /// `purpose` is authenticated, not stored: a text that was sealed for one name does not open for another.
    fn seal_for(&self, purpose: &str, text: &str) -> String {
        let nonce = Nonce::generate();
        let payload = Payload {
            msg: text.as_bytes(),
            aad: purpose.as_bytes(),
        };
        let body = self
            .cipher
            .encrypt(&nonce, payload)
            .expect("the cipher takes every text below 256 GiB");
        let mut bytes = nonce.to_vec();
        bytes.extend(body);
        format!("{PREFIX}{}", STANDARD.encode(bytes))
    }

    fn open_for(&self, purpose: &str, sealed: &str) -> Result<String> {
        let broken = || {
            Error::failed(format!("a secret in {} cannot be decrypted", self.dir.display()))
                .hint("the key file was replaced or the data was damaged; `iacsh sandbox reset` starts anew")
        };
        let bytes = sealed
            .trim()
            .strip_prefix(PREFIX)
            .and_then(|text| STANDARD.decode(text).ok())
            .ok_or_else(broken)?;
        let (nonce, body) = bytes.split_at_checked(NONCE).ok_or_else(broken)?;
        let nonce = Nonce::try_from(nonce).map_err(|_| broken())?;
        let text = self
            .cipher
            .decrypt(
                &nonce,
                Payload {
                    msg: body,
                    aad: purpose.as_bytes(),
                },
            )
            .map_err(|_| broken())?;
        String::from_utf8(text).map_err(|_| broken())
    }
}

/// The content of a file that is written at most once: when it is not there, `make` gives it. The text is written in
/// full under a name of its own and then linked to the final name, which fails when another process was faster; so
/// nobody ever reads half a file, and an interruption leaves at most a file that nothing reads.
fn create_once(path: &Path, make: impl FnOnce() -> Zeroizing<String>) -> Result<Zeroizing<String>> {
    match fs::read_to_string(path) {
        Ok(text) => return Ok(Zeroizing::new(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(on_disk(path, &error)),
    }
    let own = path.with_extension(format!("{}.new", uuid::Uuid::new_v4().simple()));
    let written = write_private(&own, &make()).and_then(|()| match fs::hard_link(&own, path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    // Whatever happened, the file under its own name is of no use any more.
    let removed = fs::remove_file(&own);
    written.and(removed).map_err(|error| on_disk(path, &error))?;
    fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|error| on_disk(path, &error))
}

/// A new file that only its owner can read.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn on_disk(path: &Path, error: &std::io::Error) -> Error {
    Error::failed(format!("{}: {error}", path.display()))
}

fn not_a_key(path: &Path) -> Error {
    Error::failed(format!("{} is not a key of the sandbox", path.display()))
        .hint("`iacsh sandbox reset` makes a new sandbox with a new key; what the old key sealed is lost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_again_also_for_the_next_process() {
        let dir = tempfile::tempdir().unwrap();
        let sealed = Vault::open(dir.path()).unwrap().seal("hunter2 and more");
        assert!(!sealed.contains("hunter2"));
        assert_eq!(
            Vault::open(dir.path()).unwrap().unseal(&sealed).unwrap(),
            "hunter2 and more"
        );
    }

    #[test]
    fn another_key_and_damaged_text_are_refused() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let vault = Vault::open(one.path()).unwrap();
        let sealed = vault.seal("secret");
        assert!(Vault::open(other.path()).unwrap().unseal(&sealed).is_err());
        for text in ["", "v1:", "v1:AAAA", "plain", &sealed[..sealed.len() - 4]] {
            assert!(vault.unseal(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_variable_is_generated_once_also_in_a_race() {
        let dir = tempfile::tempdir().unwrap();
        let barrier = std::sync::Barrier::new(8);
        let values: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|number| {
                    let (dir, barrier) = (dir.path(), &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        let vault = Vault::open(dir).unwrap();
                        let secret = vault.variable("DB_PASSWORD", || Secret::new(format!("generated {number}")));
                        secret.unwrap().expose().to_owned()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
        let file = fs::read_to_string(dir.path().join("variables/DB_PASSWORD")).unwrap();
        assert!(!file.contains("generated"));
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            2,
            "nothing but the key and the variables is left"
        );
    }

    #[test]
    fn a_variable_does_not_open_under_another_name() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(dir.path()).unwrap();
        vault.variable("A", || Secret::new("the first one")).unwrap();
        fs::copy(dir.path().join("variables/A"), dir.path().join("variables/B")).unwrap();
        assert!(vault.variable("B", || Secret::new("x")).is_err());
        for name in ["", "../A", "/A", "A/", "a//b", "a b", "."] {
            assert!(vault.variable(name, || Secret::new("x")).is_err(), "{name}");
        }
        vault.variable("staging/A", || Secret::new("another one")).unwrap();
        assert_eq!(
            vault.variable("A", || Secret::new("x")).unwrap().expose(),
            "the first one"
        );
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_the_key() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        Vault::open(dir.path()).unwrap();
        assert_eq!(
            fs::metadata(dir.path().join("key")).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}
