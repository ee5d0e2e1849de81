//! What a role may do: its policies, put together.
//!
//! An explicit deny wins; else an allow is needed, in the role's policies and (where it has one) in its permissions
//! boundary. The sandbox lets every call of its users pass. What it does decide is what a service does in a role's name:
//! whether ECS may take the role at all, and whether it may then pull the image, read the secrets and open the log.
//!
//! Source: IAM user guide, *Policy evaluation logic*; the words of refusals: *Troubleshoot access denied error messages*.

use super::super::call::{Call, Fault};
use super::statement::{self, Context, Match, Statement};
use super::{policy, role};

/// Policies of one role, read for decisions.
pub struct Rights {
    sources: Vec<Source>,
    boundary: Option<Vec<Statement>>,
}

/// One policy.
struct Source {
    id: String,
    kind: &'static str,
    statements: Vec<Statement>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Allowed,
    ExplicitDeny,
    ImplicitDeny,
    /// The permissions boundary does not allow it.
    Bounded,
}

/// A decision, with what it came from.
pub struct Verdict {
    pub decision: Decision,
    /// Id and kind of the policies whose statements decided.
    pub matched: Vec<(String, &'static str)>,
    /// Keys of conditions that the sandbox could not judge: their statements were left out.
    pub unknown: Vec<String>,
}

impl Rights {
    /// The rights of a role, by its ARN or name. `None`: there is no such role.
    pub fn of_role(call: &Call<'_>, arn: &str) -> Result<Option<Self>, Fault> {
        let Some(role) = role::by_arn(call, arn)? else {
            return Ok(None);
        };
        let mut rights = Self {
            sources: Vec::new(),
            boundary: None,
        };
        for (name, document) in role.inline_policies() {
            rights.add(name, "role", document);
        }
        for arn in role.attached_policies() {
            let kind = if arn.starts_with("arn:aws:iam::aws:") {
                "aws-managed"
            } else {
                "user-managed"
            };
            if let Some(document) = policy::document_of(call, arn)? {
                rights.add(policy::name_of(arn), kind, &document);
            }
        }
        if let Some(arn) = role.boundary() {
            let document = policy::document_of(call, arn)?.unwrap_or_default();
            rights.boundary = Some(statement::read(&document));
        }
        Ok(Some(rights))
    }

    /// Those of one who may do everything: the sandbox's own user.
    pub fn everything() -> Self {
        let mut rights = Self {
            sources: Vec::new(),
            boundary: None,
        };
        let document = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
        rights.add("AdministratorAccess", "aws-managed", document);
        rights
    }

    /// Puts another policy beside the others.
    pub fn add(&mut self, id: &str, kind: &'static str, document: &str) {
        self.sources.push(Source {
            id: id.to_owned(),
            kind,
            statements: statement::read(document),
        });
    }

    /// Puts a boundary in the place of the role's own.
    pub fn bound(&mut self, document: &str) {
        self.boundary = Some(statement::read(document));
    }

    pub fn decide(&self, action: &str, resource: &str, context: &Context) -> Verdict {
        let mut verdict = Verdict {
            decision: Decision::ImplicitDeny,
            matched: Vec::new(),
            unknown: Vec::new(),
        };
        let (mut allowed, mut denied) = (Vec::new(), Vec::new());
        for source in &self.sources {
            for statement in &source.statements {
                match statement.applies(action, resource, context) {
                    Match::Yes if statement.allows => allowed.push((source.id.clone(), source.kind)),
                    Match::Yes => denied.push((source.id.clone(), source.kind)),
                    Match::Unknown(keys) => verdict.unknown.extend(keys),
                    Match::No => (),
                }
            }
        }
        let within = self.boundary.as_ref().is_none_or(|boundary| {
            let mut allows = false;
            for statement in boundary {
                match statement.applies(action, resource, context) {
                    Match::Yes if !statement.allows => return false,
                    Match::Yes => allows = true,
                    Match::Unknown(keys) => verdict.unknown.extend(keys),
                    Match::No => (),
                }
            }
            allows
        });
        (verdict.decision, verdict.matched) = match (denied.is_empty(), allowed.is_empty()) {
            (false, _) => (Decision::ExplicitDeny, denied),
            (true, true) => (Decision::ImplicitDeny, Vec::new()),
            (true, false) if !within => (Decision::Bounded, allowed),
            (true, false) => (Decision::Allowed, allowed),
        };
        verdict
    }

    /// `None` when it may; else AWS's words, from `User: ...` on. `session` is the ARN of the one who asks.
    pub fn refusal(&self, session: &str, action: &str, resource: &str, context: &Context) -> Option<String> {
        let verdict = self.decide(action, resource, context);
        let why = match verdict.decision {
            Decision::Allowed => return None,
            Decision::ExplicitDeny => "with an explicit deny in an identity-based policy".to_owned(),
            Decision::ImplicitDeny => format!("because no identity-based policy allows the {action} action"),
            Decision::Bounded => format!("because no permissions boundary allows the {action} action"),
        };
        let left_out = match verdict.unknown.as_slice() {
            [] => String::new(),
            keys => format!(
                " (not in the sandbox: conditions on {}; their statements do not count)",
                keys.join(", ")
            ),
        };
        Some(format!(
            "User: {session} is not authorized to perform: {action} on resource: {resource} {why}{left_out}"
        ))
    }
}

/// Whether a service (`ecs-tasks.amazonaws.com`) may take a role. `false` also when the role is not there.
///
/// A trust policy often says for which account's tasks it is meant (*Task IAM role*, "confused deputy"), so these keys
/// are known: `aws:SourceAccount` and `aws:SourceArn`.
pub fn trusts(call: &Call<'_>, arn: &str, service: &str) -> Result<bool, Fault> {
    let Some(role) = role::by_arn(call, arn)? else {
        return Ok(false);
    };
    let source = service.split(['-', '.']).next().unwrap_or_default();
    let mut context = context(call);
    context.insert("aws:sourceaccount".to_owned(), vec![call.account.to_owned()]);
    context.insert("aws:sourcearn".to_owned(), vec![call.arn(source, "*")]);
    let mut allowed = false;
    for statement in statement::read(role.trust()) {
        match statement.trusts(service, &context) {
            Match::Yes if !statement.allows => return Ok(false),
            Match::Yes => allowed = true,
            Match::No | Match::Unknown(_) => (),
        }
    }
    Ok(allowed)
}

/// What is known of every request that is made here in a role's name.
pub fn context(call: &Call<'_>) -> Context {
    [
        ("aws:requestedregion", call.region),
        ("aws:principalaccount", call.account),
        ("aws:resourceaccount", call.account),
        ("aws:securetransport", "true"),
        ("aws:viaawsservice", "false"),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), vec![value.to_owned()]))
    .collect()
}
