//! Listeners. Each has a default rule, and more of them in order of priority; see [`super::rule`].

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::acm::{self, Usable};
use super::super::answers::{answer, hex, only};
use super::super::call::{Answer, Call, Fault};
use super::super::tags;
use super::rule::Rule;
use super::{listener_attributes, load_balancer, paged, target_group, validation, wanted_tags};

const KIND: &str = "elb/listener";
/// What `CreateListener` takes when the call names no policy: "The default is ELBSecurityPolicy-2016-08".
const SSL_POLICY: &str = "ELBSecurityPolicy-2016-08";

#[derive(Clone, Serialize, Deserialize)]
pub struct Listener {
    pub arn: String,
    pub load_balancer: String,
    pub port: i64,
    pub protocol: String,
    certificates: Vec<Value>,
    /// The ARNs of its certificate list: those beside the default one, of which the client's host name chooses.
    #[serde(default)]
    more_certificates: Vec<String>,
    ssl_policy: Option<String>,
    /// The default rule is the last one; its actions are the listener's default actions.
    pub default: Rule,
    pub rules: Vec<Rule>,
}

pub fn create(call: &Call<'_>) -> Answer {
    only(
        call,
        &[
            "LoadBalancerArn",
            "Protocol",
            "Port",
            "SslPolicy",
            "Certificates",
            "DefaultActions",
            "Tags",
        ],
    )?;
    let balancer = load_balancer::existing(call)?;
    let protocol = protocol(call.text("Protocol"))?;
    let port = port(call)?;
    let siblings = of(call, &balancer.arn)?;
    if siblings.iter().any(|other| other.port == port) {
        return Err(duplicate());
    }
    let actions = check_actions(call, call.list("DefaultActions"), &balancer.arn)?;
    let certificates = certificates_of(call, &protocol)?;
    let wanted = wanted_tags(call)?;
    let rest = balancer
        .arn
        .split_once(":loadbalancer/")
        .map(|(_, rest)| rest)
        .unwrap_or_default();
    let id = hex(16);
    let default = Rule::default_of(
        call.arn(
            "elasticloadbalancing",
            &format!("listener-rule/{rest}/{id}/{}", hex(16)),
        ),
        actions,
    );
    let listener = Listener {
        arn: call.arn("elasticloadbalancing", &format!("listener/{rest}/{id}")),
        load_balancer: balancer.arn,
        port,
        ssl_policy: (protocol == "HTTPS").then(|| policy_or_default(call.text("SslPolicy"))),
        protocol,
        certificates,
        more_certificates: Vec::new(),
        default,
        rules: Vec::new(),
    };
    save(call, &listener)?;
    tags::put(call, &listener.arn, &wanted)?;
    answer(json!({ "Listeners": [listener.view()] }))
}

pub fn describe(call: &Call<'_>) -> Answer {
    let (balancer, arns) = (call.text("LoadBalancerArn"), call.texts("ListenerArns"));
    let listeners = if balancer.is_empty() {
        if arns.is_empty() {
            return Err(validation(
                "You must specify either listener ARNs or a load balancer ARN",
            ));
        }
        arns.iter()
            .map(|arn| existing(call, arn))
            .collect::<Result<Vec<_>, _>>()?
    } else {
        load_balancer::existing(call)?;
        of(call, balancer)?
    };
    paged(
        call,
        "Listeners",
        listeners,
        |listener| listener.arn.clone(),
        Listener::view,
    )
}

pub fn modify(call: &Call<'_>) -> Answer {
    only(
        call,
        &[
            "ListenerArn",
            "Port",
            "Protocol",
            "SslPolicy",
            "Certificates",
            "DefaultActions",
        ],
    )?;
    let mut listener = existing(call, call.text("ListenerArn"))?;
    if call.input.contains_key("Port") {
        listener.port = port(call)?;
        let siblings = of(call, &listener.load_balancer)?;
        if siblings
            .iter()
            .any(|other| other.arn != listener.arn && other.port == listener.port)
        {
            return Err(duplicate());
        }
    }
    let before = listener.protocol.clone();
    if call.input.contains_key("Protocol") {
        listener.protocol = protocol(call.text("Protocol"))?;
    }
    if !call.list("Certificates").is_empty() || before != listener.protocol {
        listener.certificates = certificates_of(call, &listener.protocol)?;
    }
    if listener.protocol != "HTTPS" {
        listener.more_certificates.clear();
    }
    listener.ssl_policy = (listener.protocol == "HTTPS").then(|| match call.text("SslPolicy") {
        "" => listener.ssl_policy.unwrap_or_else(|| SSL_POLICY.to_owned()),
        policy => policy.to_owned(),
    });
    if !call.list("DefaultActions").is_empty() {
        listener.default.actions = check_actions(call, call.list("DefaultActions"), &listener.load_balancer)?;
    }
    save(call, &listener)?;
    answer(json!({ "Listeners": [listener.view()] }))
}

pub fn delete(call: &Call<'_>) -> Answer {
    let listener = existing(call, call.text("ListenerArn"))?;
    remove(call, &listener)?;
    answer(json!({}))
}

pub fn certificates(call: &Call<'_>) -> Answer {
    let listener = existing(call, call.text("ListenerArn"))?;
    let default = listener.certificates.iter();
    let default = default.map(|one| json!({ "CertificateArn": one["CertificateArn"], "IsDefault": true }));
    let certificates: Vec<_> = default.chain(listener.more_certificates.iter().map(of_list)).collect();
    answer(json!({ "Certificates": certificates }))
}

fn of_list(arn: &String) -> Value {
    json!({ "CertificateArn": arn, "IsDefault": false })
}

/// "If the certificate in already in the certificate list, the call is successful but the certificate is not added
/// again."
pub fn add_certificates(call: &Call<'_>) -> Answer {
    only(call, &["ListenerArn", "Certificates"])?;
    let mut listener = existing(call, call.text("ListenerArn"))?;
    if listener.protocol != "HTTPS" {
        return Err(validation("A certificate cannot be specified for HTTP listeners"));
    }
    for certificate in call.list("Certificates") {
        let arn = usable(call, certificate)?;
        if !listener.more_certificates.contains(&arn) {
            listener.more_certificates.push(arn);
        }
    }
    // Elastic Load Balancing quotas: "Certificates per Application Load Balancer (excluding default certificates): 25".
    let all = of(call, &listener.load_balancer)?;
    let others = all.iter().filter(|other| other.arn != listener.arn);
    let count = others.map(|other| other.more_certificates.len()).sum::<usize>();
    if count + listener.more_certificates.len() > 25 {
        return Err(Fault::new(
            "TooManyCertificates",
            "You've reached the limit on the number of certificates per load balancer.",
        ));
    }
    save(call, &listener)?;
    answer(json!({ "Certificates": listener.more_certificates.iter().map(of_list).collect::<Vec<_>>() }))
}

pub fn remove_certificates(call: &Call<'_>) -> Answer {
    only(call, &["ListenerArn", "Certificates"])?;
    let mut listener = existing(call, call.text("ListenerArn"))?;
    for certificate in call.list("Certificates") {
        let arn = certificate["CertificateArn"].as_str().unwrap_or_default();
        let is_listed = listener.more_certificates.iter().any(|one| one == arn);
        if !is_listed && listener.certificates.iter().any(|one| one["CertificateArn"] == arn) {
            return Err(Fault::new(
                "OperationNotPermitted",
                "The default certificate of a listener cannot be removed",
            ));
        }
        listener.more_certificates.retain(|one| one != arn);
    }
    save(call, &listener)?;
    answer(json!({}))
}

pub fn remove(call: &Call<'_>, listener: &Listener) -> Result<(), Fault> {
    for rule in listener.all_rules() {
        tags::clear(call, &rule.arn)?;
    }
    tags::clear(call, &listener.arn)?;
    listener_attributes::forget(call, listener)?;
    call.store.delete(KIND, &listener.arn).map(|_| ())
}

impl Listener {
    /// All rules, the default one last.
    pub fn all_rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().chain(std::iter::once(&self.default))
    }

    fn view(&self) -> Value {
        json!({
            "ListenerArn": self.arn,
            "LoadBalancerArn": self.load_balancer,
            "Port": self.port,
            "Protocol": self.protocol,
            "Certificates": Some(&self.certificates).filter(|certificates| !certificates.is_empty()),
            "SslPolicy": self.ssl_policy,
            "DefaultActions": self.default.actions,
        })
    }
}

/// The target groups that an action forwards to.
pub fn targets(action: &Value) -> Vec<String> {
    let one = action["TargetGroupArn"].as_str().map(str::to_owned);
    let many = action["ForwardConfig"]["TargetGroups"].as_array().into_iter().flatten();
    one.into_iter()
        .chain(many.filter_map(|group| group["TargetGroupArn"].as_str().map(str::to_owned)))
        .collect()
}

/// Checks actions, and answers them as the service keeps them: redirects with all their parts, forwards with their
/// ForwardConfig.
pub fn check_actions(call: &Call<'_>, actions: &[Value], load_balancer: &str) -> Result<Vec<Value>, Fault> {
    let invalid = |message: &str| Fault::new("InvalidLoadBalancerAction", message);
    if actions.is_empty() {
        return Err(validation("You must specify an action"));
    }
    let mut kept = Vec::new();
    for (place, action) in actions.iter().enumerate() {
        let mut action = action.clone();
        match action["Type"].as_str().unwrap_or_default() {
            "forward" => {
                let groups = targets(&action);
                if groups.is_empty() {
                    return Err(validation("An action of type forward must specify a target group"));
                }
                for arn in &groups {
                    let group = target_group::find(call, arn)?.ok_or_else(|| target_group::not_found(arn))?;
                    let used = load_balancer::of_target_group(call, arn)?;
                    if used.iter().any(|other| other != load_balancer) {
                        return Err(Fault::new(
                            "TargetGroupAssociationLimit",
                            format!(
                                "The following target groups cannot be associated with more than one load balancer: {}",
                                group.arn
                            ),
                        ));
                    }
                }
                if action["ForwardConfig"].is_null() {
                    action["ForwardConfig"] = json!({
                        "TargetGroups": groups.iter().map(|arn| json!({ "TargetGroupArn": arn, "Weight": 1 })).collect::<Vec<_>>(),
                        "TargetGroupStickinessConfig": { "Enabled": false },
                    });
                } else if groups.len() == 1 {
                    action["TargetGroupArn"] = json!(groups.first());
                }
            }
            "redirect" => {
                let config = &action["RedirectConfig"];
                let code = config["StatusCode"].as_str().unwrap_or_default();
                if !matches!(code, "HTTP_301" | "HTTP_302") {
                    return Err(invalid(
                        "A redirect action must have the status code HTTP_301 or HTTP_302",
                    ));
                }
                let part = |name: &str, default: &str| config[name].as_str().unwrap_or(default).to_owned();
                let parts = json!({
                    "Protocol": part("Protocol", "#{protocol}"),
                    "Port": part("Port", "#{port}"),
                    "Host": part("Host", "#{host}"),
                    "Path": part("Path", "/#{path}"),
                    "Query": part("Query", "#{query}"),
                    "StatusCode": code,
                });
                let same = parts["Protocol"] == "#{protocol}"
                    && parts["Port"] == "#{port}"
                    && parts["Host"] == "#{host}"
                    && parts["Path"] == "/#{path}";
                if same {
                    return Err(invalid(
                        "The redirect configuration is not valid because it creates a loop.",
                    ));
                }
                action["RedirectConfig"] = parts;
            }
            "fixed-response" => {
                let code = action["FixedResponseConfig"]["StatusCode"].as_str().unwrap_or_default();
                if !code.parse::<u16>().is_ok_and(|code| (200..600).contains(&code)) {
                    return Err(invalid(
                        "A fixed-response action must have a status code of 2XX, 4XX or 5XX",
                    ));
                }
            }
            other => {
                return Err(Fault::new(
                    "UnsupportedOperation",
                    format!("not in the sandbox: listener actions of type {other}"),
                ));
            }
        }
        if actions.len() > 1 && action["Order"].is_null() {
            action["Order"] = json!(place + 1);
        }
        kept.push(action);
    }
    // Only an authentication may come before the one action that answers, and the sandbox has none.
    if kept.len() > 1 {
        return Err(Fault::new(
            "TooManyActions",
            "You can have only one action of type forward, redirect or fixed-response.",
        ));
    }
    Ok(kept)
}

fn certificates_of(call: &Call<'_>, protocol: &str) -> Result<Vec<Value>, Fault> {
    let given = call.list("Certificates");
    match protocol {
        "HTTPS" => match given {
            [] => Err(validation("A certificate must be specified for HTTPS listeners")),
            [one] => Ok(vec![json!({ "CertificateArn": usable(call, one)? })]),
            _ => Err(Fault::new(
                "TooManyCertificates",
                "You can specify only one default certificate.",
            )),
        },
        _ if !given.is_empty() || !call.text("SslPolicy").is_empty() => Err(validation(
            "A certificate or SSL policy cannot be specified for HTTP listeners",
        )),
        _ => Ok(Vec::new()),
    }
}

/// The ARN of a certificate that can be shown.
fn usable(call: &Call<'_>, certificate: &Value) -> Result<String, Fault> {
    let arn = certificate["CertificateArn"].as_str().unwrap_or_default();
    match acm::usable(call, arn)? {
        Usable::Yes => Ok(arn.to_owned()),
        Usable::No => Err(not_found(arn)),
        // hashicorp/terraform-provider-aws 41789
        Usable::NotIssued => Err(Fault::new(
            "UnsupportedCertificate",
            format!(
                "The certificate '{arn}' must have a fully-qualified domain name, a supported signature, and a supported \
                 key size."
            ),
        )),
    }
}

fn not_found(arn: &str) -> Fault {
    Fault::new("CertificateNotFound", format!("Certificate '{arn}' not found"))
}

/// The load balancers that show a certificate.
pub fn users_of_certificate(call: &Call<'_>, arn: &str) -> Result<Vec<String>, Fault> {
    let listeners: Vec<Listener> = call.store.linked(KIND, arn)?;
    let mut users: Vec<String> = listeners
        .into_iter()
        .filter(|listener| {
            let is_default = listener.certificates.iter().any(|one| one["CertificateArn"] == arn);
            is_default || listener.more_certificates.iter().any(|one| one == arn)
        })
        .map(|listener| listener.load_balancer)
        .collect();
    users.sort();
    users.dedup();
    Ok(users)
}

fn policy_or_default(policy: &str) -> String {
    if policy.is_empty() {
        SSL_POLICY.to_owned()
    } else {
        policy.to_owned()
    }
}

fn protocol(given: &str) -> Result<String, Fault> {
    match given {
        "HTTP" | "HTTPS" => Ok(given.to_owned()),
        "" => Err(validation("A listener protocol must be specified")),
        other => Err(Fault::new(
            "UnsupportedProtocol",
            format!("Listener protocol '{other}' is not supported with a load balancer of type 'application'"),
        )),
    }
}

fn port(call: &Call<'_>) -> Result<i64, Fault> {
    call.int("Port")
        .filter(|port| (1..=65535).contains(port))
        .ok_or_else(|| validation("A listener port must be specified, between 1 and 65535"))
}

/// The listeners of a load balancer.
pub fn of(call: &Call<'_>, load_balancer: &str) -> Result<Vec<Listener>, Fault> {
    call.store.children(KIND, load_balancer)
}

/// The listeners that forward to a target group, by any of their rules.
pub fn forwarding_to(call: &Call<'_>, target_group: &str) -> Result<Vec<Listener>, Fault> {
    call.store.linked(KIND, target_group)
}

/// The listener with this rule.
pub fn with_rule(call: &Call<'_>, rule: &str) -> Result<Option<Listener>, Fault> {
    let found: Vec<Listener> = call.store.linked(KIND, rule)?;
    Ok(found
        .into_iter()
        .find(|listener| listener.all_rules().any(|known| known.arn == rule)))
}

pub fn existing(call: &Call<'_>, arn: &str) -> Result<Listener, Fault> {
    let found = call.store.get(KIND, arn)?;
    found.ok_or_else(|| Fault::new("ListenerNotFound", format!("Listener '{arn}' not found")))
}

pub fn save(call: &Call<'_>, listener: &Listener) -> Result<(), Fault> {
    let mut links: Vec<String> = listener
        .all_rules()
        .flat_map(|rule| &rule.actions)
        .flat_map(targets)
        .collect();
    links.extend(listener.all_rules().map(|rule| rule.arn.clone()));
    let certificates = listener.certificates.iter();
    links.extend(certificates.filter_map(|one| one["CertificateArn"].as_str().map(str::to_owned)));
    links.extend(listener.more_certificates.iter().cloned());
    call.store
        .entry(KIND, &listener.arn)
        .parent(&listener.load_balancer)
        .links(&links)
        .put(listener)
}

fn duplicate() -> Fault {
    Fault::new(
        "DuplicateListener",
        "A listener already exists on this port for this load balancer",
    )
}
