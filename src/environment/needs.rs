//! What an environment needs from outside: variables, credentials, a certificate, an image. Names only, never values.

use std::path::PathBuf;

use serde::Serialize;

use super::{Environment, rules};

/// The secret in which the password of a database server of ours is kept, within the environment.
pub const MASTER_PASSWORD: &str = "database-password";

/// Something that must be there before a run can end well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Need {
    pub name: String,
    /// `variable`, `variable (generated)`, `credentials`, `certificate`, `image`, ...
    pub kind: String,
    /// `None` where only the service can tell.
    pub present: Option<bool>,
    /// The section or file that asks for it.
    pub needed_by: String,
}

/// Where variables and files are looked up, so that a test need not change the process.
pub(super) trait Surroundings {
    fn variable(&self, name: &str) -> Option<String>;
    fn file(&self, path: &str) -> Option<String>;
}

/// This process and this machine.
struct Here;

impl Surroundings for Here {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(path).ok()
    }
}

impl Need {
    /// A variable that someone else needs too: the secret of a client.
    pub fn variable(name: impl Into<String>, needed_by: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: "variable".into(),
            present: None,
            needed_by: needed_by.into(),
        }
    }
}

impl Environment {
    /// Everything that the environment needs, in the order of the file, then `extra` (the secrets of clients). Of the
    /// extra ones the presence is found out here.
    pub fn needs(&self, extra: &[Need]) -> Vec<Need> {
        self.needs_in(extra, &Here)
    }

    pub(super) fn needs_in(&self, extra: &[Need], here: &dyn Surroundings) -> Vec<Need> {
        let mut needs = Vec::new();
        let mut push = |name: &str, kind: &str, present: Option<bool>, needed_by: &str| {
            needs.push(Need {
                name: name.to_owned(),
                kind: kind.to_owned(),
                present,
                needed_by: needed_by.to_owned(),
            });
        };
        let variable = |name: &str, generated: bool| match here.variable(name) {
            Some(value) if !value.is_empty() => ("variable", Some(true)),
            _ if generated => ("variable (generated)", Some(true)),
            _ => ("variable", Some(false)),
        };
        let sandbox = self.aws.is_sandbox();
        if !sandbox {
            let name = self.aws.profile.as_deref().unwrap_or("AWS credentials");
            let present = credentials(self.aws.profile.as_deref(), here);
            push(name, "credentials", Some(present), "aws");
        }
        if let Some(address) = &self.address {
            match &address.certificate {
                Some(arn) => push(arn, "certificate", None, "address.certificate"),
                None => push(&address.host, "certificate", None, "address.host"),
            }
            if let Some(zone) = &address.zone {
                push(zone, "hosted zone", None, "address.zone");
            }
        }
        let kind = if sandbox { "image (simulated)" } else { "image" };
        push(&self.ecs.image, kind, sandbox.then_some(true), "ecs.image");
        for (variable_of_container, source) in &self.ecs.secrets {
            let by = format!("ecs.secrets.{variable_of_container}");
            if rules::is_arn(source) {
                push(source, "secret", None, &by);
            } else {
                let (kind, present) = variable(source, sandbox);
                push(source, kind, present, &by);
            }
        }
        if self.database.has_login() {
            for (name, by) in [
                (&self.database.user, "database.user"),
                (&self.database.password, "database.password"),
            ] {
                let (kind, present) = variable(name, self.database.is_sandbox());
                push(name, kind, present, by);
            }
        } else {
            let name = format!("{}-{}-{MASTER_PASSWORD}", self.project, self.name);
            push(&name, "secret (generated once)", Some(true), "database");
        }
        if let Some(authority) = &self.database.authority {
            let file = self.root.join(authority);
            let present = here
                .file(&file.to_string_lossy())
                .is_some_and(|text| text.contains("-----BEGIN CERTIFICATE"));
            push(
                authority,
                "certificate authorities",
                Some(present),
                "database.authority",
            );
        }
        for need in extra {
            if need.kind == "variable" {
                let (kind, present) = variable(&need.name, self.is_database_embedded());
                push(&need.name, kind, present, &need.needed_by);
            } else {
                push(&need.name, &need.kind, need.present, &need.needed_by);
            }
        }
        needs
    }
}

/// Whether the SDK's default chain would find credentials on this machine: variables, a profile in the shared files, a
/// container's or a web identity's. Whether they are good is known only when they are used.
/// Source: AWS SDKs and Tools Reference Guide, "Standardized credential providers".
fn credentials(profile: Option<&str>, here: &dyn Surroundings) -> bool {
    let set = |name: &str| here.variable(name).is_some_and(|value| !value.is_empty());
    if profile.is_none() {
        let keys = set("AWS_ACCESS_KEY_ID") && set("AWS_SECRET_ACCESS_KEY");
        let container = set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || set("AWS_CONTAINER_CREDENTIALS_FULL_URI");
        if keys || container || set("AWS_WEB_IDENTITY_TOKEN_FILE") {
            return true;
        }
    }
    let from_variable = here.variable("AWS_PROFILE");
    let profile = profile.or(from_variable.as_deref()).unwrap_or("default");
    let home = here
        .variable("HOME")
        .or_else(|| here.variable("USERPROFILE"))
        .unwrap_or_default();
    let file = |variable: &str, name: &str| {
        let path = here.variable(variable).unwrap_or_else(|| {
            let path = PathBuf::from(&home).join(".aws").join(name);
            path.to_string_lossy().into_owned()
        });
        here.file(&path).unwrap_or_default()
    };
    let has = |text: &str, section: &str| {
        text.lines()
            .filter_map(|line| line.trim().strip_prefix('[')?.split_once(']'))
            .any(|(name, _)| name.split_whitespace().eq(section.split_whitespace()))
    };
    let config = file("AWS_CONFIG_FILE", "config");
    has(&file("AWS_SHARED_CREDENTIALS_FILE", "credentials"), profile)
        || has(&config, &format!("profile {profile}"))
        || (profile == "default" && has(&config, "default"))
}
