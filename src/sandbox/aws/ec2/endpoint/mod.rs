//! VPC endpoints: the way from private subnets to AWS's services without the internet.
//!
//! Source: EC2 API reference, `CreateVpcEndpoint`, `ModifyVpcEndpoint`, `DeleteVpcEndpoints`, `VpcEndpoint`; AWS PrivateLink
//! guide, "Access an AWS service using an interface VPC endpoint" and "Gateway endpoints for Amazon S3". The words of
//! refusals are those that users report (ansible-collections/amazon.aws 576; hashicorp/terraform-provider-aws 17269, 37783).

mod listing;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::call::{Answer, Call, Fault};
use super::super::interfaces::{self, InterfaceSpec};
use super::super::{answers, durations};
use super::endpoint_service::{self as service, Service};
use super::{new_id, route_table, security_group, subnet, tags, vpc};

pub use listing::describe;
use listing::shown;

pub const KIND: &str = "ec2/vpc-endpoint";

/// "If this parameter is not specified, we attach a default policy that allows full access to the service."
const FULL_ACCESS: &str = r#"{"Statement":[{"Action":"*","Effect":"Allow","Principal":"*","Resource":"*"}]}"#;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Endpoint {
    pub id: String,
    pub vpc: String,
    /// `com.amazonaws.REGION.logs`
    pub service: String,
    pub is_gateway: bool,
    /// Of a gateway endpoint.
    pub tables: Vec<String>,
    /// Of an interface endpoint.
    pub subnets: Vec<String>,
    pub groups: Vec<String>,
    pub private_dns: bool,
    policy: String,
    /// The first label of its names in DNS.
    base: String,
    /// The client token of the call that made it.
    token: String,
    /// Milliseconds since 1970, as all moments here.
    created: i64,
    available_at: i64,
    #[serde(default)]
    deletion: Option<Deletion>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Deletion {
    deleted_at: i64,
    gone_at: i64,
}

impl Endpoint {
    /// `None` when it is not even listed any more.
    pub fn state(&self, now: i64) -> Option<&'static str> {
        match self.deletion {
            Some(deletion) if now >= deletion.gone_at => None,
            Some(deletion) if now >= deletion.deleted_at => Some("deleted"),
            Some(_) => Some("deleting"),
            None if now < self.available_at => Some("pending"),
            None => Some("available"),
        }
    }

    /// Whether it still holds its VPC and its routes.
    fn is_there(&self, now: i64) -> bool {
        self.state(now).is_some_and(|state| state != "deleted")
    }
}

/// The endpoints of a VPC that are not deleted.
pub fn of_vpc(call: &Call<'_>, vpc: &str) -> Result<Vec<Endpoint>, Fault> {
    let mut endpoints: Vec<Endpoint> = call.store.children(KIND, vpc)?;
    endpoints.retain(|endpoint| endpoint.is_there(call.now));
    Ok(endpoints)
}

/// The endpoints through which the tasks of a VPC get to a service (`ecr.api`) at a moment: those that are available
/// then, interface endpoints only with the service's own name in DNS.
pub fn serving(call: &Call<'_>, vpc: &str, suffix: &str, at: i64) -> Result<Vec<Endpoint>, Fault> {
    let service = format!("com.amazonaws.{}.{suffix}", call.region);
    let mut endpoints: Vec<Endpoint> = call.store.children(KIND, vpc)?;
    endpoints.retain(|endpoint| {
        endpoint.service == service
            && endpoint.state(at) == Some("available")
            && (endpoint.is_gateway || endpoint.private_dns)
    });
    Ok(endpoints)
}

/// The routes that endpoints keep in a route table: prefix list and endpoint.
pub fn routes(call: &Call<'_>, vpc: &str, table: &str) -> Result<Vec<(String, String)>, Fault> {
    let mut found = Vec::new();
    for endpoint in of_vpc(call, vpc)? {
        if endpoint.deletion.is_none() && endpoint.tables.iter().any(|other| other == table) {
            found.push((
                service::find(call, &endpoint.service)?.prefix_list(call.region),
                endpoint.id,
            ));
        }
    }
    Ok(found)
}

/// Ends the route in a table that is being deleted.
pub fn forget_table(call: &Call<'_>, vpc: &str, table: &str) -> Result<(), Fault> {
    for mut endpoint in of_vpc(call, vpc)? {
        if endpoint.tables.iter().any(|other| other == table) {
            endpoint.tables.retain(|other| other != table);
            save(call, &endpoint)?;
        }
    }
    Ok(())
}

fn save(call: &Call<'_>, endpoint: &Endpoint) -> Result<(), Fault> {
    call.store.put(KIND, &endpoint.id, &endpoint.vpc, endpoint)
}

/// The endpoint, or `InvalidVpcEndpointId.NotFound`.
fn get(call: &Call<'_>, id: &str) -> Result<Endpoint, Fault> {
    call.store
        .get(KIND, id)?
        .filter(|endpoint: &Endpoint| endpoint.state(call.now).is_some())
        .ok_or_else(|| missing(id))
}

fn missing(id: &str) -> Fault {
    Fault::new(
        "InvalidVpcEndpointId.NotFound",
        format!("The Vpc Endpoint Id '{id}' does not exist"),
    )
}

pub fn create(call: &Call<'_>) -> Answer {
    let vpc = vpc::get(call, call.text("VpcId"))?;
    if call.text("ServiceName").is_empty() {
        return Err(Fault::new(
            "MissingParameter",
            "The request must contain the parameter ServiceName",
        ));
    }
    let service = service::find(call, call.text("ServiceName"))?;
    let kind = match call.text("VpcEndpointType") {
        "" => "Gateway",
        kind => kind,
    };
    if kind != service.kind() {
        return Err(invalid(format!(
            "Endpoint type ({kind}) does not match available service types ([{}]).",
            service.kind()
        )));
    }
    let token = call.text("ClientToken");
    let all: Vec<Endpoint> = call.store.children(KIND, &vpc.vpc_id)?;
    if let Some(earlier) = all.iter().find(|one| !token.is_empty() && one.token == token) {
        // A retry of the call whose answer was lost.
        if earlier.service != call.text("ServiceName") {
            return Err(Fault::new(
                "IdempotentParameterMismatch",
                "The client token was used before with other parameters.",
            ));
        }
        return Ok(json!({ "VpcEndpoint": shown(call, earlier)?, "ClientToken": token }));
    }
    let mut endpoint = Endpoint {
        id: new_id("vpce"),
        vpc: vpc.vpc_id.clone(),
        service: service.name(call.region),
        is_gateway: service.is_gateway,
        tables: Vec::new(),
        subnets: Vec::new(),
        groups: Vec::new(),
        private_dns: !service.is_gateway && call.input.get("PrivateDnsEnabled") != Some(&json!(false)),
        policy: policy(call)?.unwrap_or_else(|| FULL_ACCESS.to_owned()),
        base: String::new(),
        token: token.to_owned(),
        created: call.now,
        available_at: match service.is_gateway {
            true => call.now,
            false => call.after(call.usual(durations::ENDPOINT_CREATE)),
        },
        deletion: None,
    };
    endpoint.base = format!(
        "{}-{}",
        endpoint.id,
        answers::random(8, b"0123456789abcdefghijklmnopqrstuvwxyz")
    );
    refuse_strangers(
        call,
        &endpoint,
        ["RouteTableIds", "SubnetIds", "SecurityGroupIds", "PrivateDnsEnabled"],
    )?;
    save(call, &endpoint)?;
    if service.is_gateway {
        add_tables(call, &mut endpoint, service, &call.texts("RouteTableIds"))?;
    } else {
        check_private_dns(call, &endpoint, service)?;
        endpoint.groups = groups(call, &vpc.vpc_id, &call.texts("SecurityGroupIds"))?;
        if endpoint.groups.is_empty() {
            let default = security_group::default_of(call, &vpc.vpc_id)?;
            endpoint.groups.extend(default.map(|group| group.group_id));
        }
        add_subnets(call, &mut endpoint, &call.texts("SubnetIds"))?;
    }
    tags::on_create(call, "vpc-endpoint", &endpoint.id)?;
    save(call, &endpoint)?;
    let mut shown = shown(call, &endpoint)?;
    if !service.is_gateway {
        shown["State"] = "pending".into();
    }
    Ok(json!({ "VpcEndpoint": shown, "ClientToken": token }))
}

/// Refuses what belongs to the other type of endpoint.
fn refuse_strangers(
    call: &Call<'_>,
    endpoint: &Endpoint,
    [tables, subnets, groups, dns]: [&str; 4],
) -> Result<(), Fault> {
    let given = |member: &str| !call.list(member).is_empty();
    if !endpoint.is_gateway && given(tables) {
        return Err(invalid(
            "Route table IDs are only supported for Gateway type VPC Endpoint.",
        ));
    }
    if endpoint.is_gateway && given(subnets) {
        return Err(invalid(
            "Subnet IDs are only supported for Interface type VPC Endpoints.",
        ));
    }
    if endpoint.is_gateway && given(groups) {
        return Err(invalid(
            "Security group IDs are only supported for Interface type VPC Endpoints.",
        ));
    }
    if endpoint.is_gateway && call.flag(dns) {
        return Err(invalid(
            "Private DNS can only be enabled for Interface type VPC Endpoints.",
        ));
    }
    Ok(())
}

fn policy(call: &Call<'_>) -> Result<Option<String>, Fault> {
    let text = call.text("PolicyDocument");
    if text.is_empty() {
        return Ok(None);
    }
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(document)) if document.contains_key("Statement") => Ok(Some(text.to_owned())),
        _ => Err(Fault::new("InvalidPolicyDocument", "The policy document is not valid.")),
    }
}

fn check_private_dns(call: &Call<'_>, endpoint: &Endpoint, service: &Service) -> Result<(), Fault> {
    if !endpoint.private_dns {
        return Ok(());
    }
    let vpc = vpc::get(call, &endpoint.vpc)?;
    if !vpc.enable_dns_support || !vpc.enable_dns_hostnames {
        return Err(invalid(format!(
            "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for {}",
            vpc.vpc_id
        )));
    }
    let taken = of_vpc(call, &endpoint.vpc)?
        .iter()
        .any(|other| other.id != endpoint.id && other.private_dns && other.service == endpoint.service);
    if taken {
        return Err(invalid(format!(
            "private-dns-enabled cannot be set because there is already a conflicting DNS domain for {} in the VPC {}",
            service.private_name(call.region),
            vpc.vpc_id
        )));
    }
    Ok(())
}

fn groups(call: &Call<'_>, vpc: &str, ids: &[String]) -> Result<Vec<String>, Fault> {
    for id in ids {
        if security_group::get(call, id)?.vpc_id != vpc {
            return Err(invalid(format!(
                "Security group {id} and VPC {vpc} belong to different networks."
            )));
        }
    }
    Ok(ids.to_vec())
}

fn add_tables(call: &Call<'_>, endpoint: &mut Endpoint, service: &Service, ids: &[String]) -> Result<(), Fault> {
    for id in ids {
        let table = route_table::get(call, id)?;
        if table.vpc != endpoint.vpc {
            return Err(invalid(format!(
                "Route table {id} and VPC {} belong to different networks.",
                endpoint.vpc
            )));
        }
        let list = service.prefix_list(call.region);
        if routes(call, &table.vpc, id)?.iter().any(|(other, _)| *other == list) || endpoint.tables.contains(id) {
            return Err(Fault::new(
                "RouteAlreadyExists",
                format!("route table {id} already has a route with destination-prefix-list-id {list}"),
            ));
        }
        endpoint.tables.push(id.clone());
    }
    Ok(())
}

/// One subnet in each zone, with a network interface in it.
fn add_subnets(call: &Call<'_>, endpoint: &mut Endpoint, ids: &[String]) -> Result<(), Fault> {
    let mut zones = Vec::new();
    for id in &endpoint.subnets {
        zones.push(subnet::get(call, id)?.availability_zone);
    }
    for id in ids {
        let subnet = subnet::get(call, id)?;
        if subnet.vpc_id != endpoint.vpc {
            return Err(invalid(format!(
                "Subnet {id} and VPC {} belong to different networks.",
                endpoint.vpc
            )));
        }
        if zones.contains(&subnet.availability_zone) {
            return Err(Fault::new(
                "DuplicateSubnetsInSameZone",
                format!(
                    "Found another VPC endpoint subnet in the availability zone of {id}. VPC endpoint subnets should be in \
                     different availability zones supported by the VPC endpoint service."
                ),
            ));
        }
        let description = format!("VPC Endpoint Interface {}", endpoint.id);
        interfaces::attach(
            call,
            InterfaceSpec {
                subnet: id,
                groups: &endpoint.groups,
                description: &description,
                owner: &endpoint.id,
            },
        )?;
        zones.push(subnet.availability_zone);
        endpoint.subnets.push(id.clone());
    }
    Ok(())
}

pub fn modify(call: &Call<'_>) -> Answer {
    let mut endpoint = get(call, call.text("VpcEndpointId"))?;
    if endpoint.deletion.is_some() {
        return Err(missing(&endpoint.id));
    }
    let service = service::find(call, &endpoint.service)?;
    for prefix in ["Add", "Remove"] {
        let names = ["RouteTableIds", "SubnetIds", "SecurityGroupIds"].map(|name| format!("{prefix}{name}"));
        let [tables, subnets, groups] = &names;
        refuse_strangers(call, &endpoint, [tables, subnets, groups, "PrivateDnsEnabled"])?;
    }
    let gone = call.texts("RemoveRouteTableIds");
    endpoint.tables.retain(|table| !gone.contains(table));
    let gone = call.texts("RemoveSubnetIds");
    endpoint.subnets.retain(|subnet| !gone.contains(subnet));
    for interface in interfaces::of_owner(call, &endpoint.id)? {
        if gone.contains(&interface.subnet) {
            call.store.delete(interfaces::KIND, &interface.id)?;
        }
    }
    let gone = call.texts("RemoveSecurityGroupIds");
    endpoint.groups.retain(|group| !gone.contains(group));
    for group in groups(call, &endpoint.vpc, &call.texts("AddSecurityGroupIds"))? {
        if !endpoint.groups.contains(&group) {
            endpoint.groups.push(group);
        }
    }
    if !endpoint.is_gateway && endpoint.groups.is_empty() {
        return Err(invalid("An interface endpoint needs at least one security group."));
    }
    for mut interface in interfaces::of_owner(call, &endpoint.id)? {
        interface.groups.clone_from(&endpoint.groups);
        interfaces::save(call, &interface)?;
    }
    save(call, &endpoint)?;
    add_tables(call, &mut endpoint, service, &call.texts("AddRouteTableIds"))?;
    add_subnets(call, &mut endpoint, &call.texts("AddSubnetIds"))?;
    if let Some(private) = call.input.get("PrivateDnsEnabled").and_then(Value::as_bool) {
        endpoint.private_dns = private;
        check_private_dns(call, &endpoint, service)?;
    }
    if call.flag("ResetPolicy") {
        endpoint.policy = FULL_ACCESS.to_owned();
    }
    endpoint.policy = policy(call)?.unwrap_or(endpoint.policy);
    save(call, &endpoint)?;
    Ok(json!({ "Return": true }))
}

/// What is not there is told beside what was deleted.
pub fn delete(call: &Call<'_>) -> Answer {
    let mut failed = Vec::new();
    for id in call.texts("VpcEndpointIds") {
        let found: Option<Endpoint> = call.store.get(KIND, &id)?;
        let Some(mut endpoint) = found.filter(|endpoint| endpoint.is_there(call.now)) else {
            let Fault { code, message, .. } = missing(&id);
            failed.push(json!({ "ResourceId": id, "Error": { "Code": code, "Message": message } }));
            continue;
        };
        if endpoint.deletion.is_some() {
            continue;
        }
        let deleted_at = match endpoint.is_gateway {
            true => call.now,
            false => call.after(call.usual(durations::ENDPOINT_DELETE)),
        };
        endpoint.deletion = Some(Deletion {
            deleted_at,
            gone_at: deleted_at + call.after(call.usual(durations::ENDPOINT_REMEMBERED)) - call.now,
        });
        interfaces::release_after(call, &id, call.usual(durations::ENDPOINT_DELETE))?;
        save(call, &endpoint)?;
    }
    Ok(json!({ "Unsuccessful": failed }))
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameter", message)
}
