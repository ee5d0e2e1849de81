//! The parameters of SQL Server that a DB parameter group holds.
//!
//! Source: *Server configuration options* (SQL Server reference): ranges, and which need a restart; *Working with parameters on
//! your RDS for SQL Server DB instance*; *Configuring SQL Server security protocols and ciphers* and *Using SSL with a
//! Microsoft SQL Server DB instance* for those that begin with `rds.`. RDS has about 70 more that only it may set or nobody
//! does.

pub struct Parameter {
    pub name: &'static str,
    /// `None`: the engine decides.
    pub default: Option<&'static str>,
    pub kind: Kind,
    /// A range, or a list.
    pub allowed: &'static str,
    /// Takes effect with the next start of the server only.
    pub is_static: bool,
    pub modifiable: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Integer,
    Boolean,
    Text,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Text => "string",
        }
    }
}

/// A whole number that takes effect at once.
const fn dynamic(name: &'static str, default: &'static str, allowed: &'static str) -> Parameter {
    Parameter {
        name,
        default: Some(default),
        kind: Kind::Integer,
        allowed,
        is_static: false,
        modifiable: true,
    }
}

/// A whole number that takes effect with a restart.
const fn fixed(name: &'static str, default: &'static str, allowed: &'static str) -> Parameter {
    Parameter {
        is_static: true,
        ..dynamic(name, default, allowed)
    }
}

/// On or off, at once.
const fn switch(name: &'static str, default: &'static str) -> Parameter {
    Parameter {
        kind: Kind::Boolean,
        ..dynamic(name, default, "0,1")
    }
}

/// On or off, with a restart.
const fn fixed_switch(name: &'static str, default: &'static str) -> Parameter {
    Parameter {
        is_static: true,
        ..switch(name, default)
    }
}

/// A word of a list, with a restart.
const fn word(name: &'static str, default: &'static str, allowed: &'static str) -> Parameter {
    Parameter {
        kind: Kind::Text,
        ..fixed(name, default, allowed)
    }
}

/// One that RDS keeps to itself.
const fn own(parameter: Parameter) -> Parameter {
    Parameter {
        modifiable: false,
        ..parameter
    }
}

/// A trace flag: nothing unless it is set.
const fn flag(name: &'static str) -> Parameter {
    Parameter {
        default: None,
        ..fixed_switch(name, "0")
    }
}

/// In the order of their names.
pub const PARAMETERS: &[Parameter] = &[
    flag("1204"),
    flag("1211"),
    flag("1222"),
    flag("1224"),
    flag("2528"),
    flag("3205"),
    flag("3226"),
    flag("3625"),
    flag("4199"),
    flag("4616"),
    flag("6527"),
    flag("7806"),
    dynamic("access check cache bucket count", "0", "0-65536"),
    dynamic("access check cache quota", "0", "0-2147483647"),
    switch("ad hoc distributed queries", "0"),
    own(switch("agent xps", "1")),
    own(switch("allow updates", "0")),
    switch("backup compression default", "0"),
    dynamic("blocked process threshold (s)", "0", "0,5-86400"),
    fixed_switch("c2 audit mode", "0"),
    switch("clr enabled", "0"),
    switch("contained database authentication", "0"),
    dynamic("cost threshold for parallelism", "5", "0-32767"),
    switch("cross db ownership chaining", "0"),
    dynamic("cursor threshold", "-1", "-1-2147483647"),
    switch("database mail xps", "0"),
    dynamic("default full-text language", "1033", "0-2147483647"),
    dynamic("default language", "0", "0-9999"),
    switch("default trace enabled", "1"),
    switch("disallow results from triggers", "0"),
    own(dynamic("filestream access level", "0", "0-2")),
    fixed("fill factor (%)", "0", "0-100"),
    dynamic("ft crawl bandwidth (max)", "100", "0-32767"),
    dynamic("ft crawl bandwidth (min)", "0", "0-32767"),
    dynamic("ft notify bandwidth (max)", "100", "0-32767"),
    dynamic("ft notify bandwidth (min)", "0", "0-32767"),
    dynamic("in-doubt xact resolution", "0", "0-2"),
    dynamic("index create memory (kb)", "0", "0,704-2147483647"),
    own(fixed_switch("lightweight pooling", "0")),
    fixed("locks", "0", "0,5000-2147483647"),
    dynamic("max degree of parallelism", "0", "0-32767"),
    dynamic("max full-text crawl range", "4", "0-256"),
    dynamic("max server memory (mb)", "2147483647", "128-2147483647"),
    dynamic("max text repl size (b)", "65536", "-1-2147483647"),
    fixed("max worker threads", "0", "0,128-65535"),
    dynamic("min memory per query (kb)", "1024", "512-2147483647"),
    dynamic("min server memory (mb)", "0", "0-2147483647"),
    switch("nested triggers", "1"),
    dynamic("network packet size (b)", "4096", "512-32767"),
    own(switch("ole automation procedures", "0")),
    switch("optimize for ad hoc workloads", "0"),
    dynamic("ph timeout (s)", "60", "1-3600"),
    own(fixed_switch("priority boost", "0")),
    dynamic("query governor cost limit", "0", "0-2147483647"),
    dynamic("query wait (s)", "-1", "-1-2147483647"),
    word("rds.3des168", "default", "default,enabled,disabled"),
    word("rds.curve25519", "default", "default,enabled,disabled"),
    word("rds.diffie-hellman", "default", "default,enabled,disabled"),
    word(
        "rds.diffie-hellman-min-key-bit-length",
        "default",
        "default,1024,2048,3072,4096",
    ),
    word("rds.fips", "0", "0,1"),
    fixed_switch("rds.force_ssl", "0"),
    word("rds.rc4", "default", "default,enabled,disabled"),
    word("rds.sqlserver_audit", "none", "none,fedramp_hipaa"),
    word("rds.tls10", "default", "default,enabled,disabled"),
    word("rds.tls11", "default", "default,enabled,disabled"),
    word("rds.tls12", "default", "default"),
    dynamic("recovery interval (min)", "0", "0-32767"),
    fixed_switch("remote access", "1"),
    switch("remote admin connections", "0"),
    dynamic("remote login timeout (s)", "10", "0-2147483647"),
    switch("remote proc trans", "0"),
    dynamic("remote query timeout (s)", "600", "0-2147483647"),
    own(switch("replication xps", "0")),
    fixed_switch("scan for startup procs", "0"),
    switch("server trigger recursion", "1"),
    own(fixed_switch("set working set size", "0")),
    switch("show advanced options", "1"),
    own(switch("smo and dmo xps", "1")),
    fixed_switch("tempdb metadata memory-optimized", "0"),
    switch("transform noise words", "0"),
    dynamic("two digit year cutoff", "2049", "1753-9999"),
    fixed("user connections", "0", "0-32767"),
    dynamic("user options", "0", "0-32767"),
    own(switch("xp_cmdshell", "0")),
];

impl Parameter {
    /// Whether a value is allowed.
    pub fn takes(&self, value: &str) -> bool {
        if self.kind != Kind::Integer {
            return self.allowed.split(',').any(|allowed| allowed == value);
        }
        let Ok(number) = value.parse::<i64>() else { return false };
        self.allowed.split(',').any(|range| match bounds(range) {
            Some((least, most)) => (least..=most).contains(&number),
            None => false,
        })
    }
}

/// `5`, `0-9`, `-1-9`.
fn bounds(range: &str) -> Option<(i64, i64)> {
    let separator = range.get(1..)?.find('-').map(|at| at + 1);
    match separator {
        None => range.parse().ok().map(|number| (number, number)),
        Some(at) => Some((range.get(..at)?.parse().ok()?, range.get(at + 1..)?.parse().ok()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_allowed_and_names_are_sorted() {
        for parameter in PARAMETERS {
            if let Some(default) = parameter.default {
                assert!(parameter.takes(default), "{}", parameter.name);
            }
        }
        assert!(PARAMETERS.is_sorted_by_key(|parameter| parameter.name));
    }

    #[test]
    fn ranges_are_kept() {
        let find = |name: &str| PARAMETERS.iter().find(|parameter| parameter.name == name).unwrap();
        let wait = find("query wait (s)");
        assert!(wait.takes("-1") && wait.takes("30") && !wait.takes("-2") && !wait.takes("soon"));
        let blocked = find("blocked process threshold (s)");
        assert!(blocked.takes("0") && blocked.takes("5") && !blocked.takes("4"));
        assert!(!find("rds.force_ssl").takes("yes"));
    }
}
