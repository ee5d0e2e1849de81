//! The policies of an environment, made from what kinds and verbs say of themselves. No call is sent.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_config::SdkConfig;

use crate::aws::calls::Calls;
use crate::aws::policy::{self, Document, Facts, Wide};
use crate::aws::ssm::lease;
use crate::aws::{self, Aws, preflight};
use crate::environment::{Environment, NetworkPlan};
use crate::resource::Mode;
use crate::resource::preflight::Preflight;
use crate::resource::progress::Progress;

/// The policies for all that iacsh can do in an environment; with `plan` for what a plan reads, with `adopts` also for
/// taking over what was made by other means.
pub fn policies(environment: &Environment, plan: bool, adopts: bool) -> (Vec<Document>, Vec<Wide>) {
    let facts = Facts {
        adopts,
        ..facts(environment)
    };
    policy::documents(&facts, actions(), plan)
}

/// Every action that a kind or a verb lists.
fn actions() -> BTreeSet<&'static str> {
    // Clients are made when they are called first, and here none is.
    let aws = Aws::new(&SdkConfig::builder().build(), "", false, Calls::default(), Mode::Apply);
    let kinds = aws::kinds(&aws);
    let of_kinds = kinds.iter().flat_map(|kind| kind.about().actions.iter().copied());
    let verbs = aws::verbs(&aws);
    let of_verbs = verbs.iter().flat_map(|verb| verb.actions.iter().copied());
    of_kinds.chain(of_verbs).chain(lease::ACTIONS).collect()
}

/// What is asked before the first write.
pub(super) fn preflight(environment: &Environment, aws: &Aws, progress: Arc<dyn Progress>) -> Preflight {
    let (facts, aws) = (Arc::new(facts(environment)), aws.clone());
    Arc::new(move |actions| {
        let (facts, aws, progress) = (facts.clone(), aws.clone(), progress.clone());
        Box::pin(async move { preflight::check(&aws, &facts, &actions, |text| progress.note(text)).await })
    })
}

/// Whose resources they are.
pub(super) fn facts(environment: &Environment) -> Facts {
    let region = environment.aws.region.clone();
    let account = environment.aws.account.clone();
    let account = account.unwrap_or_else(|| match environment.aws.is_sandbox() {
        true => crate::sandbox::aws::ACCOUNT.to_owned(),
        false => "*".to_owned(),
    });
    let partition = crate::s3::partition(&region).to_owned();
    let given = match environment.network.plan() {
        NetworkPlan::Make { .. } => Vec::new(),
        NetworkPlan::Use {
            vpc,
            public_subnets,
            private_subnets,
        } => {
            let arn = |kind: &str, id: &str| format!("arn:{partition}:ec2:{region}:{account}:{kind}/{id}");
            let subnets = public_subnets.iter().chain(&private_subnets);
            let subnets = subnets.map(|id| arn("subnet", id));
            std::iter::once(arn("vpc", &vpc)).chain(subnets).collect()
        }
    };
    let address = environment.address.as_ref();
    // An id has no dot; a name is looked up in a run.
    let zone = address
        .and_then(|address| address.zone.clone())
        .filter(|zone| !zone.contains('.'));
    Facts {
        partition,
        region,
        account,
        project: environment.project.clone(),
        environment: environment.name.clone(),
        given,
        host: address.map(|address| address.host.clone()),
        zone,
        adopts: false,
    }
}
