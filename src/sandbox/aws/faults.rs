//! Faults by rule: what a network and a busy service do to a call, so that tests can see how a run takes it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::call::Fault;

/// Which calls a fault meets, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `ec2:CreateVpc`, `ec2:*` or `*`.
    pub call: String,
    /// So many matching calls are let through first.
    pub skip: u32,
    /// So many calls are met; `None` for all that follow.
    pub times: Option<u32>,
    pub effect: Effect,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Refused because of too many requests. The SDK tries again.
    Throttled,
    /// Refused with this error.
    Refused(Fault),
    /// Carried out after this time.
    Delayed(Duration),
    /// Carried out, but the answer never arrives: the caller cannot know.
    AnswerLost,
    /// Neither carried out nor answered.
    Unreachable,
}

/// The rules of one sandbox. They live in this process and end with it.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Rule>>);

impl Faults {
    /// Adds a rule. Of several that match, the one that was added first meets the call.
    pub fn add(&self, rule: Rule) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(rule);
    }

    /// Forgets all rules.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What meets this call, and counts it.
    pub fn meet(&self, service: &str, operation: &str) -> Option<Effect> {
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let matching = |rule: &&mut Rule| match rule.call.split_once(':') {
            Some((of, name)) => of == service && (name == "*" || name == operation),
            None => rule.call == "*",
        };
        let rule = rules.iter_mut().filter(matching).find(|rule| rule.times != Some(0))?;
        if rule.skip > 0 {
            rule.skip -= 1;
            return None;
        }
        if let Some(times) = &mut rule.times {
            *times -= 1;
        }
        Some(rule.effect.clone())
    }
}

/// What a service answers to too many requests.
pub fn throttled() -> Fault {
    Fault::new("ThrottlingException", "Rate exceeded")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_skips_meets_and_ends() {
        let faults = Faults::default();
        let effect = Effect::Throttled;
        faults.add(Rule {
            call: "ec2:CreateVpc".into(),
            skip: 1,
            times: Some(2),
            effect: effect.clone(),
        });
        let met: Vec<bool> = (0..5).map(|_| faults.meet("ec2", "CreateVpc").is_some()).collect();
        assert_eq!(met, [false, true, true, false, false]);
        assert_eq!(faults.meet("ec2", "DeleteVpc"), None);
        faults.add(Rule {
            call: "ec2:*".into(),
            skip: 0,
            times: None,
            effect,
        });
        assert!(faults.meet("ec2", "DeleteVpc").is_some() && faults.meet("ecs", "DeleteVpc").is_none());
    }
}
