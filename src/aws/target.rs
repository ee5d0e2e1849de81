//! What a request is about, read from what is sent: for the journal, and for whoever counts calls by resource.
//!
//! A create call carries the identity tag `iacsh:id`, which says it best. Other calls name their resource by one member of
//! their input; the members are tried from the most exact to the least.

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use serde_json::Value;

use crate::resource::tags::ID;

/// Members that name a resource. Indexed ones are the first of a list.
const MEMBERS: [&str; 58] = [
    // ECS
    "task",
    "service",
    "serviceName",
    "family",
    "taskDefinition",
    "taskDefinitions",
    "cluster",
    "clusterName",
    // Load balancers
    "ListenerArn",
    "TargetGroupArn",
    "LoadBalancerArn",
    "ResourceArns.member.1",
    // Databases and caches
    "DBSnapshotIdentifier",
    "DBInstanceIdentifier",
    "DBSubnetGroupName",
    "DBParameterGroupName",
    "OptionGroupName",
    "ReplicationGroupId",
    "CacheSubnetGroupName",
    "CacheParameterGroupName",
    // Network
    "NatGatewayId",
    "InternetGatewayId",
    "AllocationId",
    "RouteTableId",
    "AssociationId",
    "VpcEndpointId",
    "VpcEndpointId.1",
    "GroupId",
    "SubnetId",
    "VpcId",
    "ResourceId.1",
    "GroupName",
    "ServiceName",
    // The rest
    "RoleName",
    "AWSServiceName",
    "SecretId",
    "repositoryName",
    "logGroupName",
    "resourceArn",
    "resourceARN",
    "ResourceArn",
    "ResourceARN",
    "ResourceName",
    "ResourceId",
    "resourceId",
    "CertificateArn",
    "DBClusterIdentifier",
    "SnapshotName",
    "PolicyArn",
    "PolicyName",
    "Names",
    "Name",
    "name",
    "names",
    "arn",
    "Arn",
    "ARN",
    "id",
];

/// `vpc/main`, an id, a name or an ARN; empty where nothing tells.
pub fn of(request: &HttpRequest) -> String {
    let body = request.body().bytes().unwrap_or_default();
    let found = match body.first() {
        Some(b'{') => serde_json::from_slice(body).ok().and_then(|body| of_json(&body)),
        Some(b'<') | None => None,
        Some(_) => of_form(body),
    };
    found.or_else(|| of_path(request.uri(), body)).unwrap_or_default()
}

fn of_json(body: &Value) -> Option<String> {
    let member = || {
        MEMBERS.iter().find_map(|member| match body.get(member)? {
            Value::String(text) => Some(text.clone()),
            Value::Array(items) => items.first()?.as_str().map(str::to_owned),
            _ => None,
        })
    };
    identity(body).or_else(member).filter(|text| !text.is_empty())
}

/// The identity tag, in a list of pairs or in a map.
fn identity(body: &Value) -> Option<String> {
    let tags = body.get("tags").or_else(|| body.get("Tags"))?;
    if let Some(id) = tags.get(ID) {
        return id.as_str().map(str::to_owned);
    }
    let text = |tag: &Value, small: &str, large: &str| {
        let value = tag.get(small).or_else(|| tag.get(large))?;
        value.as_str().map(str::to_owned)
    };
    let mut tags = tags.as_array()?.iter();
    let tag = tags.find(|tag| text(tag, "key", "Key").as_deref() == Some(ID))?;
    text(tag, "value", "Value")
}

fn of_form(body: &[u8]) -> Option<String> {
    let pairs: Vec<_> = form_urlencoded::parse(body).collect();
    let get = |name: &str| {
        let pair = pairs.iter().find(|(key, _)| key == name);
        pair.map(|(_, value)| value.to_string())
            .filter(|value| !value.is_empty())
    };
    let tag = pairs
        .iter()
        .find(|(key, value)| key.ends_with(".Key") && value == ID)
        .and_then(|(key, _)| get(&format!("{}.Value", key.strip_suffix(".Key")?)));
    tag.or_else(|| MEMBERS.iter().find_map(|member| get(member)))
}

/// Route 53 names the zone in its path and the record in its body.
fn of_path(uri: &str, body: &[u8]) -> Option<String> {
    let path = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let path = path.split_once('/')?.1.split('?').next()?;
    let zone = path.split("hostedzone/").nth(1)?.split('/').next()?;
    let text = std::str::from_utf8(body).unwrap_or_default();
    let record = text.split("<Name>").nth(1).and_then(|rest| rest.split('<').next());
    Some(match record {
        Some(record) => format!("{record} in {zone}"),
        None => zone.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_types::body::SdkBody;

    fn told(uri: &str, body: &str) -> String {
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_uri(uri.to_owned()).unwrap();
        of(&request)
    }

    #[test]
    fn the_identity_tag_says_it_best() {
        let form = "Action=CreateVpc&CidrBlock=10.0.0.0%2F16&TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=x\
                    &TagSpecification.1.Tag.2.Key=iacsh%3Aid&TagSpecification.1.Tag.2.Value=vpc%2Fmain";
        assert_eq!(told("https://ec2/", form), "vpc/main");
        let json = r#"{"name":"/shop/dev/a","tags":[{"key":"iacsh:id","value":"parameter/a"}]}"#;
        assert_eq!(told("https://ssm/", json), "parameter/a");
        let map = r#"{"logGroupName":"/shop","tags":{"iacsh:id":"log-group/web"}}"#;
        assert_eq!(told("https://logs/", map), "log-group/web");
    }

    #[test]
    fn else_the_most_exact_member_does() {
        let ecs = r#"{"cluster":"shop","service":"web","desiredCount":3}"#;
        assert_eq!(told("https://ecs/", ecs), "web");
        assert_eq!(
            told("https://ec2/", "Action=DeleteSubnet&SubnetId=subnet-1"),
            "subnet-1"
        );
        assert_eq!(
            told("https://ec2/", "Action=DeleteTags&ResourceId.1=vpc-1&Tag.1.Key=a"),
            "vpc-1"
        );
        let record =
            "<ChangeResourceRecordSetsRequest><Name>login.example.org.</Name></ChangeResourceRecordSetsRequest>";
        let uri = "https://route53.amazonaws.com/2013-04-01/hostedzone/Z1/rrset/";
        assert_eq!(told(uri, record), "login.example.org. in Z1");
        assert_eq!(told("https://ec2/", "Action=AllocateAddress"), "");
        assert_eq!(told("https://ssm/", "{not json"), "");
    }

    #[test]
    fn no_value_of_a_secret_is_taken_for_a_name() {
        let secret = r#"{"SecretId":"redis","SecretString":"swordfish"}"#;
        assert_eq!(told("https://secretsmanager/", secret), "redis");
        assert_eq!(told("https://ssm/", r#"{"Name":"/a","Value":"swordfish"}"#), "/a");
    }
}
