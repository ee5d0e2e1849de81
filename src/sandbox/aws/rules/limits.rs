//! Limits by rule, as the quotas that users meet; and what is not seen yet.

use rusqlite::params;

use super::super::call::{Call, Fault};
use super::{Effect, Listed, in_force, nouns};

/// Refuses a call that made more than a rule allows. It is asked when the call is done, and a fault undoes the call.
pub fn check(call: &Call<'_>) -> Result<(), Fault> {
    for listed in in_force(call)? {
        let Effect::Limit { noun, most } = &listed.rule.effect else {
            continue;
        };
        if listed.rule.service != call.service {
            continue;
        }
        let Some(noun) = nouns::NOUNS
            .iter()
            .find(|known| known.service == call.service && known.noun == noun)
        else {
            continue;
        };
        let Some(limit) = noun.limit.filter(|limit| limit.calls.contains(&call.operation)) else {
            continue;
        };
        let (parent, all) = match limit.within {
            "" => ("", true),
            member => (call.text(member), false),
        };
        let counts = match limit.counts {
            "" => "TRUE",
            counts => counts,
        };
        // Counting ends where the answer is known.
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM document WHERE account = ?1 AND region = ?2 AND kind = ?3
             AND (?4 OR parent = ?5) AND {counts} LIMIT ?6)"
        );
        let enough = i64::try_from(*most).unwrap_or(i64::MAX).saturating_add(1);
        let store = call.store;
        let count: i64 = store
            .row(
                &sql,
                params![store.account, store.region, noun.kind, all, parent, enough],
            )?
            .unwrap_or_default();
        if count >= enough {
            return Err(Fault::new(limit.code, limit.message.replace("{}", &most.to_string())));
        }
    }
    Ok(())
}

/// Hides from a reading call what rules say is not seen yet.
pub fn hide(call: &Call<'_>) -> Result<(), Fault> {
    let mut hidden = Vec::new();
    for (kinds, time) in in_force(call)?.iter().filter_map(eventually) {
        hidden.extend(kinds.into_iter().map(|kind| (kind.to_owned(), call.now - time)));
    }
    // A call hides once, before its service begins.
    let _ = call.store.scope.hidden.set(hidden);
    Ok(())
}

/// For how long the Tagging API is behind for a resource, in milliseconds; 0 where no rule says so.
pub fn lag(call: &Call<'_>, arn: &str) -> Result<i64, Fault> {
    let mut parts = arn.splitn(6, ':').skip(2);
    let service = parts.next().unwrap_or_default();
    let resource = parts.nth(2).unwrap_or_default();
    let kind = resource.split(['/', ':']).next().unwrap_or_default();
    let same = |known: &str| {
        let (of, name) = known.split_once('/').unwrap_or_default();
        // ARNs write `natgateway` and `targetgroup`.
        let plain = name.replace('-', "");
        (of == service || (of == "elb" && service == "elasticloadbalancing"))
            && (name == kind || plain == kind || (kind == "elastic-ip" && name == "address"))
    };
    let lags = in_force(call)?
        .iter()
        .filter_map(eventually)
        .filter(|(kinds, _)| kinds.iter().any(|kind| same(kind)));
    Ok(lags.map(|(_, time)| time).max().unwrap_or_default())
}

fn eventually(listed: &Listed) -> Option<(Vec<&'static str>, i64)> {
    let Effect::Eventually { noun, time } = &listed.rule.effect else {
        return None;
    };
    Some((nouns::kinds(noun).ok()?, i64::try_from(*time).unwrap_or(i64::MAX / 2)))
}
