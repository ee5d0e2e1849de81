//! Where an instance is put: its subnets and zones, its security groups, its network interfaces, its name in the network.
//!
//! Source: RDS API reference, `CreateDBInstance`; *Working with a DB instance in a VPC*.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::answers::{hex, random};
use super::super::call::{Call, Fault};
use super::super::durations;
use super::super::ec2::{gateway, security_group};
use super::super::interfaces::{self, InterfaceSpec};
use super::instance::{Instance, State, save};
use super::settings::Settings;
use super::subnet_group::{self, SubnetGroup};
use super::{combination, engine, invalid, parameter_group};

/// What all instances of an account and region have in common.
const REGION: &str = "rds/region";

#[derive(Serialize, Deserialize)]
struct Region {
    mark: String,
    /// The key `aws/rds` of KMS.
    key: String,
}

/// Makes an instance with these settings where the call says, its network interfaces, and its folder's name.
pub fn place(call: &Call<'_>, id: String, settings: Settings, takes: Duration) -> Result<Instance, Fault> {
    let subnets = subnet_group::chosen(call)?;
    let parameter_group = parameter_group::choose(
        call,
        call.text("DBParameterGroupName"),
        &engine::family(&settings.engine, &settings.version),
    )?;
    let groups = check_groups(call, &call.texts("VpcSecurityGroupIds"), &subnets.vpc)?;
    let public = call.flag("PubliclyAccessible");
    if public && gateway::of_vpc(call, &subnets.vpc)?.is_none() {
        return Err(Fault::new(
            "InvalidVPCNetworkStateFault",
            "Cannot create a publicly accessible DBInstance. The specified VPC has no internet gateway attached. Update \
             the VPC and then try again",
        ));
    }
    let (first, second) = zones(call, &subnets, settings.multi_az)?;
    let resource = format!("db-{}", random(26, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"));
    let takes = match settings.multi_az {
        true => takes.max(call.usual(durations::DATABASE_CREATE_MULTI_AZ)),
        false => takes,
    };
    let instance = Instance {
        arn: call.arn("rds", &format!("db:{id}")),
        folder: resource.clone(),
        resource,
        mark: region(call)?.mark,
        state: State::Creating,
        until: call.after(takes),
        created: None,
        origin: None,
        settings,
        parameter_group,
        reboot_needed: false,
        subnet_group: subnets.name.clone(),
        vpc: subnets.vpc.clone(),
        zone: first.1.clone(),
        second_zone: second.as_ref().map(|place| place.1.clone()),
        groups,
        public,
        protected: call.flag("DeletionProtection"),
        keep_backups: false,
        roles: Vec::new(),
        pending: BTreeMap::new(),
        pending_from: None,
        applying: BTreeMap::new(),
        next_password: None,
        outage: false,
        id,
    };
    for (subnet, _) in std::iter::once(&first).chain(&second) {
        instance.attach(call, subnet)?;
    }
    save(call, &instance)?;
    Ok(instance)
}

/// The subnet and zone of the instance, and those of its standby.
#[expect(clippy::type_complexity, reason = "two places of a subnet group")]
fn zones(
    call: &Call<'_>,
    subnets: &SubnetGroup,
    multi_az: bool,
) -> Result<((String, String), Option<(String, String)>), Fault> {
    let wanted = call.text("AvailabilityZone");
    if multi_az && !wanted.is_empty() {
        return Err(combination(
            "Requesting a specific availability zone is not valid for Multi-AZ instances.",
        ));
    }
    let first = match wanted {
        "" => subnets.subnets.get(rand::random_range(0..subnets.subnets.len().max(1))),
        zone => subnets.subnets.iter().find(|(_, other)| other == zone),
    };
    let Some(first) = first else {
        return Err(Fault::new(
            "InvalidVPCNetworkStateFault",
            format!(
                "Cannot create a database instance because the DB subnet group {} has no subnet in the availability zone \
                 {wanted}.",
                subnets.name
            ),
        ));
    };
    let second = subnets.subnets.iter().find(|(_, zone)| *zone != first.1);
    Ok((first.clone(), second.filter(|_| multi_az).cloned()))
}

/// The security groups, which must be of that VPC; its default group when none is named.
pub fn check_groups(call: &Call<'_>, ids: &[String], vpc: &str) -> Result<Vec<String>, Fault> {
    if ids.is_empty() {
        return Ok(security_group::default_of(call, vpc)?
            .into_iter()
            .map(|group| group.group_id)
            .collect());
    }
    for id in ids {
        let group = security_group::get(call, id).map_err(|fault| match fault.status {
            500 => fault,
            _ => invalid(&format!("Invalid security group , groupId= {id}, groupName=.")),
        })?;
        if group.vpc_id != vpc {
            return Err(combination(&format!(
                "The DB instance and EC2 security group are in different VPCs. The DB instance is in {vpc} and the EC2 \
                 security group is in {}",
                group.vpc_id
            )));
        }
    }
    Ok(ids.to_vec())
}

impl Instance {
    /// A network interface in a subnet.
    pub fn attach(&self, call: &Call<'_>, subnet: &str) -> Result<(), Fault> {
        let spec = InterfaceSpec {
            subnet,
            groups: &self.groups,
            description: "RDSNetworkInterface",
            owner: &self.owner(),
        };
        interfaces::attach(call, spec)
            .map(|_| ())
            .map_err(|fault| match fault.status {
                500 => fault,
                _ => Fault::new("InvalidVPCNetworkStateFault", fault.message),
            })
    }
}

/// The key `aws/rds` of KMS, which encrypts when no other is named.
pub fn key(call: &Call<'_>) -> Result<String, Fault> {
    region(call).map(|region| region.key)
}

fn region(call: &Call<'_>) -> Result<Region, Fault> {
    if let Some(found) = call.store.get::<Region>(REGION, "")? {
        return Ok(found);
    }
    let uuid = uuid::Uuid::new_v4();
    let made = Region {
        mark: format!("c{}", hex(11)),
        key: call.arn("kms", &format!("key/{uuid}")),
    };
    call.store.put(REGION, "", "", &made)?;
    Ok(made)
}
