//! Clusters.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::answers::{answer, echo, only};
use super::super::call::{Answer, Call, Fault};
use super::super::tags;
use super::{includes, invalid, missing, name_in, paged, paged_of, service, task, wanted_tags};

const KIND: &str = "ecs/cluster";

/// What a call sets and an answer shows.
const SETTINGS: &[&str] = &[
    "settings",
    "configuration",
    "capacityProviders",
    "defaultCapacityProviderStrategy",
    "serviceConnectDefaults",
];

#[derive(Clone, Serialize, Deserialize)]
pub struct Cluster {
    pub name: String,
    pub arn: String,
    status: String,
    members: Map<String, Value>,
}

/// Idempotent by its name: an active cluster of that name is answered as it is.
pub fn create(call: &Call<'_>) -> Answer {
    let mut known = vec!["clusterName", "tags"];
    known.extend(SETTINGS);
    only(call, &known)?;
    let name = match call.text("clusterName") {
        "" => "default",
        name => name,
    };
    if name.len() > 255 || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
        return Err(invalid("Identifier for cluster is invalid."));
    }
    if let Some(cluster) = find(call, name)?.filter(|cluster| cluster.status == "ACTIVE") {
        return answer(json!({ "cluster": cluster.view(call, true, true)? }));
    }
    check_providers(&call.texts("capacityProviders"))?;
    let wanted = wanted_tags(call)?;
    let mut members = echo(call, SETTINGS);
    members
        .entry("settings")
        .or_insert_with(|| json!([{ "name": "containerInsights", "value": "disabled" }]));
    let cluster = Cluster {
        name: name.to_owned(),
        arn: call.arn("ecs", &format!("cluster/{name}")),
        status: "ACTIVE".to_owned(),
        members,
    };
    // What an inactive cluster of the name left behind is not the new one's.
    service::forget(call, name)?;
    save(call, &cluster)?;
    tags::clear(call, &cluster.arn)?;
    tags::put(call, &cluster.arn, &wanted)?;
    answer(json!({ "cluster": cluster.view(call, true, true)? }))
}

pub fn describe(call: &Call<'_>) -> Answer {
    let mut asked = call.texts("clusters");
    if asked.is_empty() {
        asked.push("default".to_owned());
    }
    let (mut clusters, mut failures) = (Vec::new(), Vec::new());
    for id in &asked {
        match find(call, name_in(id))? {
            Some(cluster) => clusters.push(cluster.view(call, includes(call, "TAGS"), includes(call, "SETTINGS"))?),
            None => failures.push(missing(&call.arn("ecs", &format!("cluster/{}", name_in(id))))),
        }
    }
    answer(json!({ "clusters": clusters, "failures": failures }))
}

pub fn list(call: &Call<'_>) -> Answer {
    paged_of(
        call,
        "clusterArns",
        (KIND, ""),
        100,
        |cluster: &Cluster| cluster.status == "ACTIVE",
        |cluster| &cluster.arn,
    )
}

pub fn update(call: &Call<'_>) -> Answer {
    only(
        call,
        &["cluster", "settings", "configuration", "serviceConnectDefaults"],
    )?;
    let mut cluster = existing(call)?;
    cluster
        .members
        .extend(echo(call, &["settings", "configuration", "serviceConnectDefaults"]));
    save(call, &cluster)?;
    answer(json!({ "cluster": cluster.view(call, true, true)? }))
}

pub fn put_capacity_providers(call: &Call<'_>) -> Answer {
    let mut cluster = existing(call)?;
    check_providers(&call.texts("capacityProviders"))?;
    cluster
        .members
        .extend(echo(call, &["capacityProviders", "defaultCapacityProviderStrategy"]));
    save(call, &cluster)?;
    answer(json!({ "cluster": cluster.view(call, true, true)? }))
}

/// The cluster stays as INACTIVE. Its stopped tasks are forgotten.
pub fn delete(call: &Call<'_>) -> Answer {
    let mut cluster = existing(call)?;
    if service::of(call, &cluster.name)?
        .iter()
        .any(|service| service.status != "INACTIVE")
    {
        return Err(Fault::new(
            "ClusterContainsServicesException",
            "The Cluster cannot be deleted while Services are active.",
        ));
    }
    if task::of(call, &cluster.name)?
        .iter()
        .any(|task| !task.stopped(call.now))
    {
        return Err(Fault::new(
            "ClusterContainsTasksException",
            "The Cluster cannot be deleted while Tasks are active.",
        ));
    }
    service::forget(call, &cluster.name)?;
    cluster.status = "INACTIVE".to_owned();
    save(call, &cluster)?;
    let view = cluster.view(call, true, true)?;
    tags::clear(call, &cluster.arn)?;
    answer(json!({ "cluster": view }))
}

/// Those of Fargate are everybody's.
pub const PROVIDERS: &[&str] = &["FARGATE", "FARGATE_SPOT"];

/// The two of Fargate, by name or ARN.
pub fn describe_providers(call: &Call<'_>) -> Answer {
    let asked: Vec<String> = call.texts("capacityProviders");
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    let names: Vec<&str> = if asked.is_empty() {
        PROVIDERS.to_vec()
    } else {
        asked.iter().map(|id| name_in(id)).collect()
    };
    for name in names {
        let arn = call.arn("ecs", &format!("capacity-provider/{name}"));
        if PROVIDERS.contains(&name) {
            found.push((
                name.to_owned(),
                json!({ "capacityProviderArn": arn, "name": name, "status": "ACTIVE", "tags": [] }),
            ));
        } else {
            failures.push(missing(&arn));
        }
    }
    let mut page = paged(call, "capacityProviders", found, 10)?;
    page["failures"] = json!(failures);
    answer(page)
}

impl Cluster {
    /// A list among its settings.
    pub fn list(&self, member: &str) -> Vec<Value> {
        self.members
            .get(member)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    }

    fn view(&self, call: &Call<'_>, tagged: bool, settings: bool) -> Result<Value, Fault> {
        let tasks = task::of(call, &self.name)?;
        let count = |states: &[&str]| {
            tasks
                .iter()
                .filter(|task| states.contains(&task.status(call.now)))
                .count()
        };
        let services = service::of(call, &self.name)?;
        let mut view = self.members.clone();
        if !settings {
            view.remove("settings");
        }
        for (member, value) in [
            ("clusterArn", json!(self.arn)),
            ("clusterName", json!(self.name)),
            ("status", json!(self.status)),
            ("registeredContainerInstancesCount", json!(0)),
            ("runningTasksCount", json!(count(&["RUNNING"]))),
            ("pendingTasksCount", json!(count(&["PROVISIONING", "PENDING"]))),
            (
                "activeServicesCount",
                json!(services.iter().filter(|service| service.status == "ACTIVE").count()),
            ),
            ("statistics", json!([])),
            (
                "tags",
                if tagged {
                    tags::to_lower_list(&tags::of(call, &self.arn)?)
                } else {
                    json!([])
                },
            ),
        ] {
            view.insert(member.to_owned(), value);
        }
        view.entry("capacityProviders").or_insert_with(|| json!([]));
        view.entry("defaultCapacityProviderStrategy")
            .or_insert_with(|| json!([]));
        Ok(Value::Object(view))
    }
}

fn check_providers(providers: &[String]) -> Result<(), Fault> {
    match providers
        .iter()
        .find(|provider| !PROVIDERS.contains(&provider.as_str()))
    {
        None => Ok(()),
        Some(other) => Err(invalid(&format!(
            "The specified capacity provider '{other}' was not found. (The sandbox has FARGATE and FARGATE_SPOT.)"
        ))),
    }
}

pub fn find(call: &Call<'_>, name: &str) -> Result<Option<Cluster>, Fault> {
    call.store.get(KIND, name)
}

/// The active cluster that the call names; without a name the one called `default`.
pub fn existing(call: &Call<'_>) -> Result<Cluster, Fault> {
    let name = match name_in(call.text("cluster")) {
        "" => "default",
        name => name,
    };
    find(call, name)?
        .filter(|cluster| cluster.status == "ACTIVE")
        .ok_or_else(|| Fault::new("ClusterNotFoundException", "Cluster not found."))
}

fn save(call: &Call<'_>, cluster: &Cluster) -> Result<(), Fault> {
    call.store.put(KIND, &cluster.name, "", cluster)
}
