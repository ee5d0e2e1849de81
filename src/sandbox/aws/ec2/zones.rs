//! Availability zones: three in each region.
//!
//! Source: EC2 API reference, `DescribeAvailabilityZones`; AWS RAM user guide, "Availability Zone IDs" (`use1-az1`).

use serde_json::{Value, json};

use super::super::call::{Answer, Call, Fault};
use super::filters::{self, Listing};

pub struct Zone {
    pub name: String,
    pub id: String,
}

/// The zones of the call's region.
pub fn all(call: &Call<'_>) -> Vec<Zone> {
    ["a", "b", "c"]
        .iter()
        .zip(1..)
        .map(|(letter, number)| Zone {
            name: format!("{}{letter}", call.region),
            id: format!("{}-az{number}", short(call.region)),
        })
        .collect()
}

/// The zone of that name or id; when neither is given, the zones take turns.
pub fn choose(call: &Call<'_>, name: &str, id: &str, turn: usize) -> Result<Zone, Fault> {
    let mut zones = all(call);
    let index = match (name, id) {
        ("", "") => Some(turn % zones.len()),
        _ => zones
            .iter()
            .position(|zone| (name.is_empty() || zone.name == name) && (id.is_empty() || zone.id == id)),
    };
    index.map(|index| zones.swap_remove(index)).ok_or_else(|| {
        let names: Vec<String> = all(call).into_iter().map(|zone| zone.name).collect();
        let given = if name.is_empty() { id } else { name };
        Fault::new(
            "InvalidParameterValue",
            format!(
                "Value ({given}) for parameter availabilityZone is invalid. Subnets can currently only be created in \
                 the following availability zones: {}.",
                names.join(", ")
            ),
        )
    })
}

pub fn describe(call: &Call<'_>) -> Answer {
    let (names, ids) = (call.texts("ZoneNames"), call.texts("ZoneIds"));
    let zones = all(call);
    let unknown = names.iter().find(|name| !zones.iter().any(|zone| zone.name == **name));
    if let Some(unknown) = unknown.or_else(|| ids.iter().find(|id| !zones.iter().any(|zone| zone.id == **id))) {
        return Err(Fault::new(
            "InvalidParameterValue",
            format!("Invalid availability zone: [{unknown}]"),
        ));
    }
    let shown = zones
        .iter()
        .filter(|zone| (names.is_empty() || names.contains(&zone.name)) && (ids.is_empty() || ids.contains(&zone.id)))
        .map(|zone| shown(call, zone))
        .collect();
    filters::list(call, shown, &LISTING)
}

fn shown(call: &Call<'_>, zone: &Zone) -> Value {
    json!({
        "ZoneName": zone.name,
        "ZoneId": zone.id,
        "RegionName": call.region,
        "State": "available",
        "ZoneType": "availability-zone",
        "OptInStatus": "opt-in-not-required",
        "GroupName": format!("{}-zg-1", call.region),
        "NetworkBorderGroup": call.region,
        "Messages": [],
    })
}

const LISTING: Listing = Listing {
    answer: "AvailabilityZones",
    // The names were checked above; the listing has nothing to look for.
    ids: "",
    id: "ZoneName",
    missing: ("InvalidParameterValue", "Invalid availability zone: [{}]"),
    filters: &[
        ("group-name", "GroupName"),
        ("opt-in-status", "OptInStatus"),
        ("region-name", "RegionName"),
        ("state", "State"),
        ("zone-id", "ZoneId"),
        ("zone-name", "ZoneName"),
        ("zone-type", "ZoneType"),
    ],
};

/// `us-east-1` is `use1`, `ap-southeast-2` is `apse2`.
fn short(region: &str) -> String {
    let mut parts = region.split('-');
    let area = parts.next().unwrap_or_default();
    let direction = match parts.next().unwrap_or_default() {
        "northeast" => "ne",
        "northwest" => "nw",
        "southeast" => "se",
        "southwest" => "sw",
        other => other.get(..1).unwrap_or_default(),
    };
    format!("{area}{direction}{}", parts.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn zone_ids_begin_with_the_short_region() {
        assert_eq!(short("us-east-1"), "use1");
        assert_eq!(short("eu-central-1"), "euc1");
        assert_eq!(short("ap-southeast-2"), "apse2");
    }
}
