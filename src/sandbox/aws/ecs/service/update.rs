//! A service is changed; what a revision is made of is rolled out.

use serde_json::json;

use super::super::super::answers::{answer, echo, only};
use super::super::super::call::{Answer, Call, Fault};
use super::super::{cluster, definition, invalid, name_in};
use super::check::{active_definition, check_load_balancers, check_settings, network, strategy};
use super::create::fill;
use super::{MEMBERS, existing_named, find, save};

pub fn update(call: &Call<'_>) -> Answer {
    let mut known = vec![
        "cluster",
        "service",
        "taskDefinition",
        "desiredCount",
        "forceNewDeployment",
    ];
    known.extend(MEMBERS);
    only(call, &known)?;
    let cluster = cluster::existing(call)?;
    let name = name_in(call.text("service"));
    let mut service = find(call, &format!("{}/{name}", cluster.name))?
        .ok_or_else(|| Fault::new("ServiceNotFoundException", "Service not found."))?;
    // "You can't update a service that's inactive", ServiceNotActiveException.
    if service.status != "ACTIVE" {
        return Err(Fault::new("ServiceNotActiveException", "Service was not ACTIVE."));
    }
    check_settings(call)?;
    if !call.list("capacityProviderStrategy").is_empty() {
        strategy(call, &cluster)?;
    }
    let definition = match call.text("taskDefinition") {
        "" => definition::existing(call, &service.definition)?,
        id => active_definition(call, id)?,
    };
    if call.input.contains_key("networkConfiguration") {
        network(call, call.input.get("networkConfiguration"))?;
    }
    check_load_balancers(call, call.list("loadBalancers"), &definition)?;
    let mut changed = call.flag("forceNewDeployment") || definition.arn != service.definition;
    for (member, value) in echo(call, MEMBERS) {
        // These are what a revision is made of: a change is rolled out.
        let rolls = matches!(
            member.as_str(),
            "networkConfiguration"
                | "loadBalancers"
                | "serviceRegistries"
                | "platformVersion"
                | "capacityProviderStrategy"
        );
        changed |= rolls && service.members.get(&member) != Some(&value);
        service.members.insert(member, value);
    }
    fill(&mut service.members);
    if let Some(desired) = call.int("desiredCount") {
        if desired < 0 {
            return Err(invalid("Desired count must not be negative."));
        }
        service.steady &= service.desired == desired;
        service.desired = desired;
    }
    if changed {
        service.definition = definition.arn.clone();
        service.roll_out(call, &definition, call.now)?;
    }
    save(call, &service)?;
    super::super::settle(call)?;
    let service = existing_named(call, &cluster.name, &service.name)?;
    answer(json!({ "service": service.view(call, true)? }))
}
