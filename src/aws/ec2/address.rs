//! The elastic IP address.

use std::time::Duration;

use aws_sdk_ec2::types::{Address as Described, DomainType, ResourceType};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{filter, found_after, is_throttled, once, ours, read_tags, retag, specification};
use crate::aws::error::Call;
use crate::aws::{Aws, named};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{About, Change, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags};
use crate::value::Map;

/// An elastic IP address. Destroy leaves it, because partners have it on their lists of allowed addresses.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name in this environment.
    pub name: String,
}

/// What EC2 says of an address.
#[derive(Clone, Debug)]
pub struct State {
    public_ip: String,
    /// The network interface that uses it.
    used_by: Option<String>,
}

static ABOUT: About = About {
    kind: "address",
    module: "ec2",
    noun: "address",
    plural: "addresses",
    help: "Ensures an elastic IP address, which destroy leaves. It costs money by the hour, also while it is not used.",
    retention: Retention::Retained,
    gone_before: &["nat-gateway"],
    outputs: &[
        OutputField::text("id", "The allocation id, as `eipalloc-0123456789abcdef0`."),
        OutputField::text("allocation_id", "The same."),
        OutputField::text("public_ip", "The address, as `203.0.113.10`."),
    ],
    create_limit: Duration::from_secs(60),
    delete_limit: Duration::from_secs(300),
    actions: &[
        "ec2:AllocateAddress",
        "ec2:CreateTags",
        "ec2:DeleteTags",
        "ec2:DescribeAddresses",
        "ec2:ReleaseAddress",
    ],
};

/// See [`Spec`].
pub struct Address(pub Aws);

fn live(name: String, address: &Described) -> Live<State> {
    Live {
        id: address.allocation_id().unwrap_or_default().to_owned(),
        name,
        tags: read_tags(address.tags()),
        state: State {
            public_ip: address.public_ip().unwrap_or_default().to_owned(),
            used_by: address.network_interface_id().map(str::to_owned),
        },
    }
}

impl Kind for Address {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, scope: &Scope, name: &str, _: &Spec) -> Result<()> {
        named::check_tag(&scope.physical(name))
    }

    /// DescribeAddresses has no pages.
    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let call = self.0.ec2.describe_addresses().set_filters(Some(ours(scope)));
        let answer = call.send().await.call("ec2:DescribeAddresses")?;
        let ours = answer.addresses().iter().filter_map(|address| {
            let tags = read_tags(address.tags());
            Some(live(scope.name_of(ABOUT.kind, &tags)?.to_owned(), address))
        });
        Ok(ours.collect())
    }

    fn needs_intent(&self) -> bool {
        true
    }

    /// Why this is safe: the tags are in the call, which is sent once; see the service's page.
    async fn create(&self, cx: &Context<'_>, name: &str, _: &Spec) -> Result<Live<State>> {
        let tags = specification(ResourceType::ElasticIp, &cx.tags);
        let call = self
            .0
            .ec2
            .allocate_address()
            .domain(DomainType::Vpc)
            .tag_specifications(tags);
        let answer = call.customize().config_override(once()).send().await;
        match answer.call("ec2:AllocateAddress") {
            Ok(answer) => Ok(Live {
                id: answer.allocation_id.unwrap_or_default(),
                name: name.to_owned(),
                tags: cx.tags.clone(),
                state: State {
                    public_ip: answer.public_ip.unwrap_or_default(),
                    used_by: None,
                },
            }),
            Err(error) if error.code() == "AddressLimitExceeded" => {
                Err(error
                    .hint("release an address that is not used, or ask for a higher quota of elastic IP addresses"))
            }
            Err(error) => found_after(self, cx, name, error).await,
        }
    }

    fn changes(&self, _: &Spec, _: &Live<State>) -> Vec<Change> {
        Vec::new()
    }

    async fn update(&self, _: &Context<'_>, _: &Spec, _: &Live<State>, _: &[Change]) -> Result<()> {
        Ok(())
    }

    async fn refresh(&self, before: &Live<State>) -> Result<Option<Live<State>>> {
        let by_id = filter("allocation-id", [before.id.as_str()]);
        let call = self.0.ec2.describe_addresses().filters(by_id);
        let answer = call.send().await.call("ec2:DescribeAddresses")?;
        Ok(answer
            .addresses()
            .first()
            .map(|address| live(before.name.clone(), address)))
    }

    fn readiness(&self, _: &Live<State>) -> Readiness {
        Readiness::Ready
    }

    async fn delete(&self, _: &Context<'_>, live: &Live<State>) -> Result<()> {
        let call = self.0.ec2.release_address().allocation_id(&live.id);
        super::absent_is_fine(call.send().await.call("ec2:ReleaseAddress"))
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        map! {
            "id" => live.id.as_str(), "allocation_id" => live.id.as_str(),
            "public_ip" => live.state.public_ip.as_str(),
        }
    }

    fn row(&self, live: &Live<State>) -> Map {
        map! {
            "id" => live.id.as_str(), "public_ip" => live.state.public_ip.as_str(),
            "used_by" => live.state.used_by.clone().unwrap_or_default(),
        }
    }

    async fn reference(&self, options: &Map) -> Result<Live<State>> {
        let id = named::reference_id("address", "eipalloc-", options)?;
        let by_id = filter("allocation-id", [id.as_str()]);
        let answer = self.0.ec2.describe_addresses().filters(by_id).send().await;
        match answer.call("ec2:DescribeAddresses")?.addresses().first() {
            Some(address) => Ok(live(id, address)),
            None => Err(named::missing("address", &id, &self.0.region)),
        }
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        retag(&self.0, &live.id, set, remove).await
    }

    fn is_transient(&self, error: &Error) -> bool {
        is_throttled(error)
    }
}
