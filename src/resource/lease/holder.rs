//! Who holds a lease: a process, on a machine, of a person.

use serde::{Deserialize, Serialize};

/// See the module's page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The person.
    pub by: String,
    /// The machine's name, for people.
    pub host: String,
    /// What tells this machine's processes from those of all others: they can be asked for. Empty where they cannot.
    #[serde(default)]
    pub machine: String,
    /// The process id.
    pub process: u32,
    /// When the process began, in the system's own terms: a process id is used again.
    #[serde(default)]
    pub started: String,
    /// The run, as the journal calls it.
    pub run: String,
    /// Different for each, so that a lease is known again whose answer was lost.
    pub id: String,
}

impl Holder {
    /// This process.
    pub fn here(by: &str, run: &str) -> Self {
        let process = std::process::id();
        Self {
            by: by.to_owned(),
            host: system::host(),
            machine: system::machine(),
            process,
            started: system::started(process).unwrap_or_default(),
            run: run.to_owned(),
            id: uuid::Uuid::new_v4().simple().to_string(),
        }
    }

    /// Whether it is known that its process is no more. Of other machines nothing is known.
    pub fn is_dead(&self) -> bool {
        let is_here = !self.machine.is_empty() && !self.started.is_empty() && self.machine == system::machine();
        is_here && system::started(self.process).as_ref() != Some(&self.started)
    }

    /// `anna on laptop (process 4711)`.
    pub fn words(&self) -> String {
        format!("{} on {} (process {})", self.by, self.host, self.process)
    }
}

/// Linux: what `/proc` says. Source: proc(5).
#[cfg(target_os = "linux")]
mod system {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    pub fn host() -> String {
        read("/proc/sys/kernel/hostname")
    }

    /// The kernel's present boot, the name space of process ids (a container has its own), and the user: `/proc` may hide
    /// the processes of others.
    pub fn machine() -> String {
        let boot = read("/proc/sys/kernel/random/boot_id");
        let space = fs::read_link("/proc/self/ns/pid").map(|link| link.display().to_string());
        match (space, fs::metadata("/proc/self")) {
            (Ok(space), Ok(own)) if !boot.is_empty() => format!("{boot} {space} {}", own.uid()),
            _ => String::new(),
        }
    }

    /// When a process began, in ticks since the boot. `None` when there is none, or when it only waits to be reaped.
    pub fn started(process: u32) -> Option<String> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The second field is the name in parentheses, which may hold anything.
        let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let is_over = matches!(fields.first(), Some(&("Z" | "X" | "x")));
        fields.get(19).filter(|_| !is_over).map(|ticks| (*ticks).to_owned())
    }

    fn read(file: &str) -> String {
        fs::read_to_string(file).unwrap_or_default().trim().to_owned()
    }
}

/// macOS: what its own commands say. Source: sysctl(8), ps(1).
#[cfg(target_os = "macos")]
mod system {
    pub fn host() -> String {
        said("hostname", &[]).unwrap_or_default()
    }

    pub fn machine() -> String {
        let boot = said("/usr/sbin/sysctl", &["-n", "kern.bootsessionuuid"]);
        boot.unwrap_or_default()
    }

    pub fn started(process: u32) -> Option<String> {
        said("/bin/ps", &["-o", "lstart=", "-p", &process.to_string()])
    }

    fn said(command: &str, args: &[&str]) -> Option<String> {
        let mut command = std::process::Command::new(command);
        let output = command.args(args).env("LC_ALL", "C").output().ok()?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (output.status.success() && !said.is_empty()).then_some(said)
    }
}

/// Elsewhere nothing is known of other processes: their leases expire.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
mod system {
    pub fn host() -> String {
        let name = std::env::var("COMPUTERNAME").or_else(|_| std::env::var("HOSTNAME"));
        name.unwrap_or_else(|_| "unknown".into())
    }

    pub fn machine() -> String {
        String::new()
    }

    pub fn started(_: u32) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_says_where() {
        let here = Holder::here("anna", "run-1");
        assert!(!here.is_dead());
        assert!(here.words().starts_with("anna on ") && here.words().contains(&std::process::id().to_string()));
    }

    #[cfg(any(target_os = "linux", target_os = "macos"))]
    #[test]
    fn a_process_that_was_killed_or_whose_id_is_used_again_is_dead() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let of_child = Holder {
            process: child.id(),
            started: system::started(child.id()).unwrap(),
            ..Holder::here("anna", "run-1")
        };
        assert!(!of_child.is_dead());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(of_child.is_dead());
        // This process has another beginning than the one that had its id before.
        let before = Holder {
            started: "1".into(),
            ..Holder::here("anna", "run-1")
        };
        assert!(before.is_dead());
        let elsewhere = Holder {
            machine: "another".into(),
            ..of_child
        };
        assert!(!elsewhere.is_dead(), "of another machine nothing is known");
    }
}
