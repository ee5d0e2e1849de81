//! Route tables, their routes and associations.
//!
//! Source: EC2 API reference, `CreateRouteTable`, `CreateRoute`, `AssociateRouteTable`, `ReplaceRouteTableAssociation`;
//! VPC user guide, "Route tables" (the main route table, the local route, blackhole routes).

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::call::{Answer, Call, Fault};
use super::filters::{self, Listing};
use super::subnet::Subnet;
use super::vpc::{self, Vpc};
use super::{cidr, endpoint, gateway, in_use, interface, nat, new_id, subnet, tags};

pub const KIND: &str = "ec2/route-table";

/// The parameters of CreateRoute and ReplaceRoute.
pub const ROUTE: &[&str] = &[
    "RouteTableId",
    "DestinationCidrBlock",
    "GatewayId",
    "NatGatewayId",
    "NetworkInterfaceId",
];

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Table {
    pub id: String,
    pub vpc: String,
    /// The block of the VPC, to which the local route leads.
    pub local: Ipv4Net,
    pub routes: Vec<Route>,
    pub associations: Vec<Association>,
    /// The client token of the call that made it.
    pub token: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Route {
    pub destination: Ipv4Net,
    pub target: Target,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    Gateway(String),
    Nat(String),
    Interface(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Association {
    /// `rtbassoc-...`
    pub id: String,
    /// `None`: the table is the VPC's main one.
    pub subnet: Option<String>,
}

impl Table {
    pub fn is_main(&self) -> bool {
        self.associations.iter().any(|association| association.subnet.is_none())
    }
}

/// The table, or `InvalidRouteTableID.NotFound`.
pub fn get(call: &Call<'_>, id: &str) -> Result<Table, Fault> {
    call.store.get(KIND, id)?.ok_or_else(|| {
        Fault::new(
            "InvalidRouteTableID.NotFound",
            format!("The routeTable ID '{id}' does not exist"),
        )
    })
}

/// The tables of one VPC.
pub fn of_vpc(call: &Call<'_>, vpc: &str) -> Result<Vec<Table>, Fault> {
    call.store.children(KIND, vpc)
}

fn save(call: &Call<'_>, table: &Table) -> Result<(), Fault> {
    let associations: Vec<String> = table.associations.iter().map(|one| one.id.clone()).collect();
    call.store
        .entry(KIND, &table.id)
        .parent(&table.vpc)
        .links(&associations)
        .put(table)
}

fn empty(vpc: &Vpc, token: &str) -> Table {
    Table {
        id: new_id("rtb"),
        vpc: vpc.vpc_id.clone(),
        local: vpc.cidr_block,
        routes: Vec::new(),
        associations: Vec::new(),
        token: token.to_owned(),
    }
}

/// Makes the main table of a new VPC.
pub fn create_main(call: &Call<'_>, vpc: &Vpc) -> Result<(), Fault> {
    let mut table = empty(vpc, "");
    table.associations.push(Association {
        id: new_id("rtbassoc"),
        subnet: None,
    });
    save(call, &table)
}

/// Deletes a table with its tags, whatever depends on it.
pub fn forget(call: &Call<'_>, table: &Table) -> Result<(), Fault> {
    call.store.delete(KIND, &table.id)?;
    tags::clear(call, "route-table", &table.id)
}

/// Ends the association of a subnet that is being deleted.
pub fn forget_subnet(call: &Call<'_>, subnet: &Subnet) -> Result<(), Fault> {
    for mut table in of_vpc(call, &subnet.vpc_id)? {
        let before = table.associations.len();
        table
            .associations
            .retain(|association| association.subnet.as_ref() != Some(&subnet.subnet_id));
        if table.associations.len() != before {
            save(call, &table)?;
        }
    }
    Ok(())
}

pub fn create(call: &Call<'_>) -> Answer {
    let vpc = vpc::get(call, call.text("VpcId"))?;
    let token = call.text("ClientToken");
    let earlier = of_vpc(call, &vpc.vpc_id)?
        .into_iter()
        .find(|table| !token.is_empty() && table.token == token);
    let table = match earlier {
        // A retry of the call whose answer was lost.
        Some(table) => table,
        None => {
            let table = empty(&vpc, token);
            tags::on_create(call, "route-table", &table.id)?;
            save(call, &table)?;
            table
        }
    };
    Ok(json!({ "RouteTable": shown(call, &table)?, "ClientToken": token }))
}

pub fn delete(call: &Call<'_>) -> Answer {
    let table = get(call, call.text("RouteTableId"))?;
    if !table.associations.is_empty() {
        return Err(in_use("routeTable", &table.id));
    }
    endpoint::forget_table(call, &table.vpc, &table.id)?;
    forget(call, &table)?;
    Ok(json!({}))
}

pub fn associate(call: &Call<'_>) -> Answer {
    let mut table = get(call, call.text("RouteTableId"))?;
    if call.text("SubnetId").is_empty() {
        return Err(Fault::new(
            "MissingParameter",
            "The request must contain the parameter subnetId or gatewayId",
        ));
    }
    let subnet = subnet::get(call, call.text("SubnetId"))?;
    if subnet.vpc_id != table.vpc {
        return Err(different_networks(&table.id, &format!("subnet {}", subnet.subnet_id)));
    }
    let taken = |table: &Table| {
        table
            .associations
            .iter()
            .any(|one| one.subnet.as_ref() == Some(&subnet.subnet_id))
    };
    if of_vpc(call, &table.vpc)?.iter().any(taken) {
        return Err(Fault::new(
            "Resource.AlreadyAssociated",
            format!(
                "the specified association for route table {} conflicts with an existing association",
                table.id
            ),
        ));
    }
    let id = new_id("rtbassoc");
    table.associations.push(Association {
        id: id.clone(),
        subnet: Some(subnet.subnet_id),
    });
    save(call, &table)?;
    Ok(json!({ "AssociationId": id, "AssociationState": { "State": "associated" } }))
}

pub fn disassociate(call: &Call<'_>) -> Answer {
    let (mut table, association) = by_association(call, call.text("AssociationId"))?;
    if association.subnet.is_none() {
        return Err(Fault::new(
            "InvalidParameterValue",
            format!(
                "cannot disassociate the main route table association {}",
                association.id
            ),
        ));
    }
    table.associations.retain(|one| one.id != association.id);
    save(call, &table)?;
    Ok(json!({}))
}

pub fn replace_association(call: &Call<'_>) -> Answer {
    let (mut from, association) = by_association(call, call.text("AssociationId"))?;
    let id = new_id("rtbassoc");
    from.associations.retain(|one| one.id != association.id);
    save(call, &from)?;
    // Read after the other was written: both can be the same table.
    let mut to = get(call, call.text("RouteTableId"))?;
    if to.vpc != from.vpc {
        return Err(different_networks(&to.id, &format!("route table {}", from.id)));
    }
    to.associations.push(Association {
        id: id.clone(),
        subnet: association.subnet,
    });
    save(call, &to)?;
    Ok(json!({ "NewAssociationId": id, "AssociationState": { "State": "associated" } }))
}

fn by_association(call: &Call<'_>, id: &str) -> Result<(Table, Association), Fault> {
    let tables: Vec<Table> = call.store.linked(KIND, id)?;
    tables
        .into_iter()
        .find_map(|table| {
            let association = table
                .associations
                .iter()
                .find(|association| association.id == id)
                .cloned()?;
            Some((table, association))
        })
        .ok_or_else(|| {
            Fault::new(
                "InvalidAssociationID.NotFound",
                format!("The association ID '{id}' does not exist"),
            )
        })
}

pub fn create_route(call: &Call<'_>) -> Answer {
    let mut table = get(call, call.text("RouteTableId"))?;
    let destination = destination(call)?;
    if destination == table.local || table.routes.iter().any(|route| route.destination == destination) {
        return Err(Fault::new(
            "RouteAlreadyExists",
            format!("The route identified by {destination} already exists."),
        ));
    }
    let target = target(call, &table)?;
    table.routes.push(Route { destination, target });
    save(call, &table)?;
    Ok(json!({ "Return": true }))
}

pub fn replace_route(call: &Call<'_>) -> Answer {
    let mut table = get(call, call.text("RouteTableId"))?;
    let destination = destination(call)?;
    let target = target(call, &table)?;
    let Some(route) = table.routes.iter_mut().find(|route| route.destination == destination) else {
        return Err(Fault::new(
            "InvalidParameterValue",
            format!("There is no route defined for '{destination}' in the route table. Use CreateRoute instead."),
        ));
    };
    route.target = target;
    save(call, &table)?;
    Ok(json!({}))
}

pub fn delete_route(call: &Call<'_>) -> Answer {
    let mut table = get(call, call.text("RouteTableId"))?;
    let destination = destination(call)?;
    if destination == table.local {
        return Err(Fault::new(
            "InvalidParameterValue",
            format!("cannot remove local route {destination} in route table {}", table.id),
        ));
    }
    let before = table.routes.len();
    table.routes.retain(|route| route.destination != destination);
    if table.routes.len() == before {
        return Err(Fault::new(
            "InvalidRoute.NotFound",
            format!(
                "no route with destination-cidr-block {destination} in route table {}",
                table.id
            ),
        ));
    }
    save(call, &table)?;
    Ok(json!({}))
}

fn destination(call: &Call<'_>) -> Result<Ipv4Net, Fault> {
    match call.text("DestinationCidrBlock") {
        "" => Err(Fault::new(
            "MissingParameter",
            "The request must contain the parameter destinationCidrBlock or destinationIpv6CidrBlock",
        )),
        text => cidr(text, "destinationCidrBlock"),
    }
}

/// What a route leads to: exactly one, and in the table's VPC.
fn target(call: &Call<'_>, table: &Table) -> Result<Target, Fault> {
    match (
        call.text("GatewayId"),
        call.text("NatGatewayId"),
        call.text("NetworkInterfaceId"),
    ) {
        (id, "", "") if !id.is_empty() => {
            if gateway::get(call, id)?.vpc.as_ref() != Some(&table.vpc) {
                return Err(different_networks(&table.id, &format!("network gateway {id}")));
            }
            Ok(Target::Gateway(id.to_owned()))
        }
        ("", id, "") if !id.is_empty() => {
            let nat = nat::get(call, id)?;
            if nat.vpc != table.vpc {
                return Err(different_networks(&table.id, &format!("NAT gateway {id}")));
            }
            Ok(Target::Nat(nat.id))
        }
        ("", "", id) if !id.is_empty() => {
            let interface = interface::get(call, id)?;
            if interface.vpc != table.vpc {
                return Err(different_networks(&table.id, &format!("interface {id}")));
            }
            Ok(Target::Interface(interface.id))
        }
        ("", "", "") => Err(Fault::new(
            "MissingParameter",
            "The request must contain exactly one target of the route",
        )),
        _ => Err(Fault::new(
            "InvalidParameterCombination",
            "The request must contain exactly one target of the route",
        )),
    }
}

fn different_networks(table: &str, other: &str) -> Fault {
    Fault::new(
        "InvalidParameterValue",
        format!("route table {table} and {other} belong to different networks"),
    )
}

pub fn describe(call: &Call<'_>) -> Answer {
    filters::kept(call, KIND, "VpcId", &LISTING, |table| shown(call, table).map(Some))
}

const LISTING: Listing = Listing {
    answer: "RouteTables",
    ids: "RouteTableIds",
    id: "RouteTableId",
    missing: ("InvalidRouteTableID.NotFound", "The routeTable ID '{}' does not exist"),
    filters: &[
        ("association.main", "Associations.Main"),
        (
            "association.route-table-association-id",
            "Associations.RouteTableAssociationId",
        ),
        ("association.route-table-id", "Associations.RouteTableId"),
        ("association.subnet-id", "Associations.SubnetId"),
        ("owner-id", "OwnerId"),
        ("route.destination-cidr-block", "Routes.DestinationCidrBlock"),
        ("route.destination-prefix-list-id", "Routes.DestinationPrefixListId"),
        ("route.gateway-id", "Routes.GatewayId"),
        ("route.nat-gateway-id", "Routes.NatGatewayId"),
        ("route.origin", "Routes.Origin"),
        ("route.state", "Routes.State"),
        ("route-table-id", "RouteTableId"),
        ("vpc-id", "VpcId"),
    ],
};

fn shown(call: &Call<'_>, table: &Table) -> Answer {
    let mut routes = vec![json!({
        "DestinationCidrBlock": table.local,
        "GatewayId": "local",
        "Origin": "CreateRouteTable",
        "State": "active",
    })];
    for route in &table.routes {
        let (member, id) = match &route.target {
            Target::Gateway(id) => ("GatewayId", id),
            Target::Nat(id) => ("NatGatewayId", id),
            Target::Interface(id) => ("NetworkInterfaceId", id),
        };
        routes.push(json!({
            "DestinationCidrBlock": route.destination,
            member: id,
            "Origin": "CreateRoute",
            "State": if leads_somewhere(call, table, &route.target)? { "active" } else { "blackhole" },
        }));
    }
    for (list, endpoint) in endpoint::routes(call, &table.vpc, &table.id)? {
        routes.push(json!({
            "DestinationPrefixListId": list,
            "GatewayId": endpoint,
            "Origin": "CreateRoute",
            "State": "active",
        }));
    }
    let associations: Vec<Value> = table
        .associations
        .iter()
        .map(|association| {
            json!({
                "RouteTableAssociationId": association.id,
                "RouteTableId": table.id,
                "SubnetId": association.subnet,
                "Main": association.subnet.is_none(),
                "AssociationState": { "State": "associated" },
            })
        })
        .collect();
    Ok(json!({
        "RouteTableId": table.id,
        "VpcId": table.vpc,
        "OwnerId": call.account,
        "Routes": routes,
        "Associations": associations,
        "PropagatingVgws": [],
        "Tags": tags::shown(call, "route-table", &table.id)?,
    }))
}

/// Whether what a route leads to is still there. When it is not, the route stays, as a blackhole.
fn leads_somewhere(call: &Call<'_>, table: &Table, target: &Target) -> Result<bool, Fault> {
    Ok(match target {
        Target::Gateway(id) => {
            let gateway: Option<gateway::Gateway> = call.store.get(gateway::KIND, id)?;
            gateway.is_some_and(|gateway| gateway.vpc.as_ref() == Some(&table.vpc))
        }
        Target::Nat(id) => {
            let nat: Option<nat::Nat> = call.store.get(nat::KIND, id)?;
            nat.is_some_and(|nat| matches!(nat.state(call.now), Some("pending" | "available")))
        }
        Target::Interface(id) => interface::get(call, id).is_ok(),
    })
}
