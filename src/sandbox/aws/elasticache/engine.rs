//! Engines, their versions and the families of their parameters.
//!
//! Source: *Supported engines and versions*; `DescribeCacheEngineVersions`.

use serde_json::json;

use super::super::call::{Answer, Call, Fault};
use super::{combination, paged};

pub struct Version {
    pub engine: &'static str,
    pub version: &'static str,
    pub family: &'static str,
}

/// Oldest first; the last of an engine is its default.
const VERSIONS: &[Version] = &[
    Version {
        engine: "redis",
        version: "6.0",
        family: "redis6.x",
    },
    Version {
        engine: "redis",
        version: "6.2",
        family: "redis6.x",
    },
    Version {
        engine: "redis",
        version: "7.0",
        family: "redis7",
    },
    Version {
        engine: "redis",
        version: "7.1",
        family: "redis7",
    },
    Version {
        engine: "valkey",
        version: "7.2",
        family: "valkey7",
    },
    Version {
        engine: "valkey",
        version: "8.0",
        family: "valkey8",
    },
    Version {
        engine: "valkey",
        version: "8.1",
        family: "valkey8",
    },
];

pub const FAMILIES: &[&str] = &["redis6.x", "redis7", "valkey7", "valkey8"];

/// `7.1`, `7.1.0`, `6.x`, or nothing for the default.
pub fn find(engine: &str, version: &str) -> Result<&'static Version, Fault> {
    let engine = if engine.is_empty() { "redis" } else { engine };
    let mut of_engine = VERSIONS.iter().filter(|known| known.engine == engine).peekable();
    if of_engine.peek().is_none() {
        return Err(Fault::new(
            "UnsupportedOperation",
            format!("not in the sandbox: the cache engine {engine}; it has redis and valkey"),
        ));
    }
    let mut found = of_engine.filter(|known| {
        version.is_empty()
            || known.version == version
            || version
                .strip_prefix(known.version)
                .is_some_and(|rest| rest.starts_with('.'))
            || version
                .strip_suffix(".x")
                .is_some_and(|major| known.version.split('.').next() == Some(major))
    });
    found
        .next_back()
        .ok_or_else(|| combination(&format!("Cannot find version {version} for {engine}")))
}

/// A version's numbers, to compare.
pub fn number(version: &str) -> Vec<u32> {
    version.split('.').filter_map(|part| part.parse().ok()).collect()
}

impl Version {
    /// As clusters show it: with a patch number.
    pub fn full(&self) -> String {
        format!("{}.0", self.version)
    }

    pub fn default_group(&self) -> String {
        format!("default.{}", self.family)
    }
}

pub fn describe(call: &Call<'_>) -> Answer {
    let wanted = |member: &str, value: &str| matches!(call.text(member), "") || call.text(member) == value;
    let newest = |known: &Version| {
        VERSIONS
            .iter()
            .rfind(|other| other.engine == known.engine)
            .is_some_and(|last| last.version == known.version)
    };
    let found = VERSIONS.iter().filter(|known| {
        wanted("Engine", known.engine)
            && wanted("EngineVersion", known.version)
            && wanted("CacheParameterGroupFamily", known.family)
            && (!call.flag("DefaultOnly") || newest(known))
    });
    let views = found.map(|known| {
        let view = json!({
            "Engine": known.engine,
            "EngineVersion": known.version,
            "CacheParameterGroupFamily": known.family,
            "CacheEngineDescription": if known.engine == "redis" { "Redis" } else { "Valkey" },
            "CacheEngineVersionDescription": format!("{} version {}", known.engine, known.full()),
        });
        (format!("{} {}", known.engine, known.version), view)
    });
    paged(call, "CacheEngineVersions", views.collect())
}
