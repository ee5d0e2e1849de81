//! The section `[sandbox]`.

use super::super::model::Environment;
use super::Problems;

pub(super) fn check(environment: &Environment, problems: &mut Problems) {
    let sandbox = &environment.sandbox;
    if sandbox.time_scale > 1_000_000 {
        let message = "`time_scale` goes from 0 (at once) over 1 (as in AWS) to 1000000";
        problems.add(&["sandbox", "time_scale"], message, None);
    }
    if !sandbox.rules.is_empty() && !environment.aws.is_sandbox() {
        problems.add(
            &["sandbox", "rules"],
            "only the sandbox has rules, and this environment's AWS is another",
            None,
        );
    }
    for (place, rule) in sandbox.rules.iter().enumerate() {
        let place = place.to_string();
        let given = rule.given();
        for missing in rule.rule.needs().iter().filter(|key| !given.contains(key)) {
            let message = format!("the rule `{}` needs `{missing}`", rule.rule.name());
            problems.add(&["sandbox", "rules", &place], message, None);
        }
        for key in given {
            if !rule.rule.needs().contains(&key) && !rule.rule.takes().contains(&key) {
                let message = format!("the rule `{}` takes no `{key}`", rule.rule.name());
                problems.add(&["sandbox", "rules", &place, key], message, None);
            }
        }
        if rule.time.as_ref().is_some_and(|time| time.parse().is_none()) {
            problems.add(
                &["sandbox", "rules", &place, "time"],
                "this is no time",
                "times are written as `500ms`, `30s`, `10m`",
            );
        }
    }
}
