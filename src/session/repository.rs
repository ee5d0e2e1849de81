//! The git repository that the scripts are in: which commit is checked out, and where it comes from.
//!
//! Its files are read: starting git would cost more than the whole start. Source: gitrepository-layout(5),
//! git-config(1), gitremote URLs in git-clone(1).

use std::path::{Path, PathBuf};

/// A repository by its folders.
pub struct Repository {
    /// Where `HEAD` is.
    folder: PathBuf,
    /// Where refs and configuration are: the same folder, but not for a linked work tree.
    common: PathBuf,
}

impl Repository {
    /// The repository of a folder: of the nearest one, from it upwards, that has a `.git`.
    pub fn find(root: &Path) -> Option<Self> {
        let git = root
            .ancestors()
            .map(|folder| folder.join(".git"))
            .find(|git| git.exists())?;
        if git.is_dir() {
            return Some(Self {
                folder: git.clone(),
                common: git,
            });
        }
        // A linked work tree, or a submodule: a file that says where the folder is.
        let text = std::fs::read_to_string(&git).ok()?;
        let folder = git.parent()?.join(text.strip_prefix("gitdir:")?.trim());
        let common = match std::fs::read_to_string(folder.join("commondir")) {
            Ok(common) => folder.join(common.trim()),
            Err(_) => folder.clone(),
        };
        Some(Self { folder, common })
    }

    /// The commit that is checked out, its first 12 digits.
    pub fn commit(&self) -> Option<String> {
        let head = std::fs::read_to_string(self.folder.join("HEAD")).ok()?;
        let commit = match head.trim().strip_prefix("ref: ") {
            None => head.trim().to_owned(),
            Some(branch) => self.commit_of(branch)?,
        };
        let is_commit = commit.len() >= 12 && commit.chars().all(|c| c.is_ascii_hexdigit());
        is_commit.then(|| commit.chars().take(12).collect())
    }

    fn commit_of(&self, branch: &str) -> Option<String> {
        if let Ok(commit) = std::fs::read_to_string(self.common.join(branch)) {
            return Some(commit.trim().to_owned());
        }
        let packed = std::fs::read_to_string(self.common.join("packed-refs")).ok()?;
        let is_branch = |line: &str| {
            let (commit, name) = line.split_once(' ')?;
            (name == branch).then(|| commit.to_owned())
        };
        packed.lines().find_map(is_branch)
    }

    /// Where it comes from: the address of `origin`, else of the first remote, without credentials and query.
    pub fn remote(&self) -> Option<String> {
        let config = std::fs::read_to_string(self.common.join("config")).ok()?;
        let remotes = remotes(&config);
        let origin = remotes.iter().find(|(name, _)| name == "origin");
        origin.or(remotes.first()).map(|(_, url)| plain(url))
    }
}

/// The remotes of a configuration, each with its first address.
fn remotes(config: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut remote = None;
    for line in config.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let name = section
                .strip_prefix("remote \"")
                .and_then(|rest| rest.split('"').next());
            remote = name.map(str::to_owned);
        } else if let Some(name) = &remote
            && let Some((key, value)) = line.split_once('=')
            && key.trim().eq_ignore_ascii_case("url")
            && !found.iter().any(|(known, _)| known == name)
        {
            found.push((name.clone(), value.trim().trim_matches('"').to_owned()));
        }
    }
    found
}

/// An address without what may be secret: user and password, query and fragment. Nothing that could be a part of a
/// password stays, so that one with unusual characters is not cut in two and shown in part.
fn plain(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        // `git@github.com:shop/infra.git`, or a path.
        let end = url.find(['/', '?', '#']).unwrap_or(url.len());
        let host = url[..end].rfind('@').map_or(0, |at| at + 1);
        let rest = &url[host..];
        return rest[..rest.find(['?', '#']).unwrap_or(rest.len())].to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or_default();
    // Behind a colon stands a port. Anything else is a password with one of `/?#` in it.
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let is_cut = host
        .rsplit_once(':')
        .is_some_and(|(before, port)| !is_port(port) && !before.ends_with(']'))
        && !host.starts_with('[');
    if is_cut {
        return format!("{scheme}://");
    }
    let path = &path[..path.find(['?', '#']).unwrap_or(path.len())];
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_no_credentials_and_no_query() {
        for (given, told) in [
            ("https://github.com/shop/infra.git", "https://github.com/shop/infra.git"),
            (
                "https://anna:hunter2@github.com/shop/infra.git",
                "https://github.com/shop/infra.git",
            ),
            (
                "https://x-token:a@b@github.com/shop/infra",
                "https://github.com/shop/infra",
            ),
            (
                "https://git.example.org:8443/a?token=hunter2#x",
                "https://git.example.org:8443/a",
            ),
            ("https://anna:hun?ter2@github.com/shop", "https://"),
            ("https://anna:hun/ter2@github.com/shop", "https://"),
            ("ssh://git@[2001:db8::1]:22/shop.git", "ssh://[2001:db8::1]:22/shop.git"),
            ("git@github.com:shop/infra.git", "github.com:shop/infra.git"),
            ("/srv/git/shop@2.git", "/srv/git/shop@2.git"),
        ] {
            assert_eq!(plain(given), told, "{given}");
        }
    }

    #[test]
    fn origin_comes_first() {
        let config = "[core]\n\turl = no\n[remote \"a\"]\n\turl = https://a\n\turl = https://b\n\
                      [remote \"origin\"]\n\tfetch = x\n\tURL = \"https://c\"\n[branch \"main\"]\n\tremote = origin\n";
        let told: Vec<_> = remotes(config);
        assert_eq!(
            told,
            [("a".into(), "https://a".into()), ("origin".into(), "https://c".into())]
        );
    }

    #[test]
    fn a_linked_work_tree_has_the_refs_of_its_repository() {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let commit = "0123456789abcdef0123456789abcdef01234567";
        write("shop/.git/worktrees/next/HEAD", "ref: refs/heads/a/next\n");
        write("shop/.git/worktrees/next/commondir", "../..\n");
        write(
            "shop/.git/packed-refs",
            &format!("# pack-refs\n{commit} refs/heads/next\n{commit} refs/heads/a/next\n"),
        );
        write("shop/.git/config", "[remote \"origin\"]\nurl = git@host:shop.git\n");
        write("next/.git", "gitdir: ../shop/.git/worktrees/next\n");
        write("next/infra/environments/a.toml", "");
        let found = Repository::find(&folder.path().join("next/infra")).unwrap();
        assert_eq!(found.commit().as_deref(), Some("0123456789ab"));
        assert_eq!(found.remote().as_deref(), Some("host:shop.git"));
    }
}
