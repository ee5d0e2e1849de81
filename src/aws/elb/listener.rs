//! A port of a load balancer, and what becomes of the requests that arrive there.

use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, Certificate, Listener, ProtocolEnum, RedirectActionConfig, RedirectActionStatusCodeEnum,
};
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::Deserialize;

use super::load_balancer;
use super::target_group::Protocol;
use crate::aws::error::Call;
use crate::aws::{Aws, named};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{About, Change, Class, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags};
use crate::value::Map;

pub const KIND: &str = "listener";

/// TLS 1.2 and 1.3 with forward secrecy: what the console recommends. CreateListener's own default still takes TLS 1.0.
const SSL_POLICY: &str = "ELBSecurityPolicy-TLS13-1-2-2021-06";

fn ssl_policy() -> String {
    SSL_POLICY.into()
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What it is called in this environment.
    pub name: String,
    /// The ARN of the load balancer, one of this environment. A change replaces the listener.
    pub load_balancer: String,
    /// The TCP port.
    pub port: u16,
    /// `http` (the default) or `https`.
    #[serde(default)]
    pub protocol: Protocol,
    /// The ARN of the certificate; HTTPS needs one.
    pub certificate: Option<String>,
    /// Which TLS versions and ciphers HTTPS takes.
    #[serde(default = "ssl_policy")]
    pub ssl_policy: String,
    /// The ARN of the target group that gets the requests. Either this or `redirect_to_https`.
    pub target_group: Option<String>,
    /// Send everybody to the same address with https, on port 443.
    #[serde(default)]
    pub redirect_to_https: bool,
}

impl Spec {
    fn action(&self) -> String {
        match &self.target_group {
            Some(arn) => format!("forward to {arn}"),
            None => REDIRECT.to_owned(),
        }
    }

    fn actions(&self) -> Vec<Action> {
        let action = match &self.target_group {
            Some(arn) => Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(arn),
            None => Action::builder().r#type(ActionTypeEnum::Redirect).redirect_config(
                RedirectActionConfig::builder()
                    .protocol("HTTPS")
                    .port("443")
                    .status_code(RedirectActionStatusCodeEnum::Http301)
                    .build(),
            ),
        };
        vec![action.build()]
    }

    fn certificates(&self) -> Option<Vec<Certificate>> {
        let arn = self.certificate.as_ref()?;
        Some(vec![Certificate::builder().certificate_arn(arn).build()])
    }
}

const REDIRECT: &str = "redirect to https on port 443";

/// The default actions in words, so that any of them can be compared and shown.
fn describe(actions: &[Action]) -> String {
    let one = |action: &Action| match action.r#type() {
        Some(ActionTypeEnum::Forward) => {
            let single = action.target_group_arn().map(str::to_owned);
            let many = action.forward_config().map(|config| {
                let arns = config
                    .target_groups()
                    .iter()
                    .filter_map(|group| group.target_group_arn());
                arns.collect::<Vec<_>>().join(" and ")
            });
            format!("forward to {}", single.or(many).unwrap_or_default())
        }
        Some(ActionTypeEnum::Redirect) => {
            let config = action.redirect_config();
            let protocol = config.and_then(|config| config.protocol()).unwrap_or("#{protocol}");
            let port = config.and_then(|config| config.port()).unwrap_or("#{port}");
            format!("redirect to {} on port {port}", protocol.to_lowercase())
        }
        Some(other) => other.as_str().to_owned(),
        None => "nothing".to_owned(),
    };
    actions.iter().map(one).collect::<Vec<_>>().join(", then ")
}

#[derive(Clone, Debug, Default)]
pub struct State {
    load_balancer: String,
    port: i32,
    protocol: String,
    certificate: Option<String>,
    ssl_policy: Option<String>,
    action: String,
}

impl State {
    fn new(listener: &Listener) -> Self {
        let protocol = listener.protocol().map(ProtocolEnum::as_str).unwrap_or_default();
        let first = listener.certificates().first();
        Self {
            load_balancer: listener.load_balancer_arn().unwrap_or_default().to_owned(),
            port: listener.port().unwrap_or_default(),
            protocol: protocol.to_lowercase(),
            certificate: first.and_then(|certificate| certificate.certificate_arn().map(str::to_owned)),
            ssl_policy: listener.ssl_policy().map(str::to_owned),
            action: describe(listener.default_actions()),
        }
    }
}

pub struct Listeners(pub Aws);

static ABOUT: About = About {
    kind: KIND,
    module: "elb",
    noun: "listener",
    plural: "listeners",
    help: "A port of a load balancer, and where its requests go: to a target group, or to HTTPS.",
    retention: Retention::Disposable,
    gone_before: &["service"],
    outputs: &[
        OutputField::text("arn", "the ARN"),
        OutputField::text("load_balancer", "the ARN of the load balancer"),
        OutputField::other("port", "the TCP port"),
        OutputField::text("protocol", "http or https"),
        OutputField::text("action", "what becomes of a request"),
    ],
    create_limit: Duration::from_secs(120),
    delete_limit: Duration::from_secs(120),
    actions: &[
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeTags",
        "tag:GetResources",
        "elasticloadbalancing:CreateListener",
        "elasticloadbalancing:ModifyListener",
        "elasticloadbalancing:DeleteListener",
        "elasticloadbalancing:AddTags",
        "elasticloadbalancing:RemoveTags",
    ],
};

impl Listeners {
    /// Every listener of one load balancer. One that went away meanwhile has none.
    async fn of(&self, load_balancer: &str) -> Result<Vec<Listener>> {
        let call = self.0.elb.describe_listeners().load_balancer_arn(load_balancer);
        let mut pages = call.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            match page.call("elasticloadbalancing:DescribeListeners") {
                Ok(page) => found.extend(page.listeners.unwrap_or_default()),
                Err(error) if super::is_not_found(&error) => return Ok(Vec::new()),
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}

impl Kind for Listeners {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, scope: &Scope, _: &str, spec: &Spec) -> Result<()> {
        if spec.target_group.is_some() == spec.redirect_to_https {
            return Err(Error::failed("give either `target_group` or `redirect_to_https: true`"));
        }
        match (spec.protocol, &spec.certificate) {
            (Protocol::Https, None) => return Err(Error::failed("`protocol: \"https\"` needs a `certificate`")),
            (Protocol::Http, Some(_)) => return Err(Error::failed("`certificate` needs `protocol: \"https\"`")),
            _ => {}
        }
        match super::is_our_balancer(scope, &spec.load_balancer) {
            true => Ok(()),
            false => Err(Error::failed(format!(
                "`load_balancer` must be one of this environment's, not {}",
                spec.load_balancer
            ))),
        }
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let balancers = load_balancer::known(&self.0, scope).await?;
        let arns = balancers.iter().filter_map(|balancer| balancer.load_balancer_arn());
        let found: Vec<_> = try_join_all(arns.map(|arn| self.of(arn)))
            .await?
            .into_iter()
            .flatten()
            .collect();
        let arns: Vec<_> = found
            .iter()
            .filter_map(|listener| listener.listener_arn().map(str::to_owned))
            .collect();
        let tags = super::read_tags(&self.0, scope, &arns).await?;
        let ours = found.iter().filter_map(|listener| {
            let id = listener.listener_arn()?.to_owned();
            let tags = tags.get(&id)?.clone();
            let name = scope.name_of(KIND, &tags)?.to_owned();
            let state = State::new(listener);
            Some(Live { id, name, tags, state })
        });
        Ok(ours.collect())
    }

    async fn create(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        // A port of a load balancer has one listener, so that a call that is sent twice is refused the second time.
        let mut call = self
            .0
            .elb
            .create_listener()
            .load_balancer_arn(&spec.load_balancer)
            .port(i32::from(spec.port))
            .protocol(spec.protocol.sdk())
            .set_certificates(spec.certificates())
            .set_default_actions(Some(spec.actions()))
            .set_tags(Some(super::tag_list(&cx.tags)));
        if spec.protocol == Protocol::Https {
            call = call.ssl_policy(&spec.ssl_policy);
        }
        let answer = call.send().await.call("elasticloadbalancing:CreateListener")?;
        let listener = answer
            .listeners()
            .first()
            .ok_or_else(|| Error::failed("elasticloadbalancing:CreateListener: the answer holds none"))?;
        Ok(Live {
            id: listener.listener_arn().unwrap_or_default().to_owned(),
            name: name.to_owned(),
            tags: cx.tags.clone(),
            state: State::new(listener),
        })
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        use Class::{InPlace, Replace};
        let state = &live.state;
        let protocol = spec.protocol.sdk().as_str().to_lowercase();
        let mut changes = vec![
            Change::between("load_balancer", &state.load_balancer, &spec.load_balancer, Replace),
            Change::between("port", &state.port, &i32::from(spec.port), InPlace),
            Change::between("protocol", &state.protocol, &protocol, InPlace),
            Change::between("action", &state.action, &spec.action(), InPlace),
        ];
        if let Some(certificate) = &spec.certificate {
            let from = state.certificate.clone().unwrap_or_default();
            changes.push(Change::between("certificate", &from, certificate, InPlace));
            let from = state.ssl_policy.clone().unwrap_or_default();
            changes.push(Change::between("ssl_policy", &from, &spec.ssl_policy, InPlace));
        }
        changes.into_iter().flatten().collect()
    }

    async fn update(&self, _: &Context<'_>, spec: &Spec, live: &Live<State>, _: &[Change]) -> Result<()> {
        // Sends the whole, so that it may be sent twice.
        let mut call = self
            .0
            .elb
            .modify_listener()
            .listener_arn(&live.id)
            .port(i32::from(spec.port))
            .protocol(spec.protocol.sdk())
            .set_certificates(spec.certificates())
            .set_default_actions(Some(spec.actions()));
        if spec.protocol == Protocol::Https {
            call = call.ssl_policy(&spec.ssl_policy);
        }
        call.send().await.call("elasticloadbalancing:ModifyListener")?;
        Ok(())
    }

    async fn refresh(&self, live: &Live<State>) -> Result<Option<Live<State>>> {
        let answer = self.0.elb.describe_listeners().listener_arns(&live.id).send().await;
        let answer = match answer.call("elasticloadbalancing:DescribeListeners") {
            Ok(answer) => answer,
            Err(error) if super::is_not_found(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(answer.listeners().first().map(|listener| Live {
            state: State::new(listener),
            ..live.clone()
        }))
    }

    fn readiness(&self, _: &Live<State>) -> Readiness {
        Readiness::Ready
    }

    fn goes_at_once(&self) -> bool {
        true
    }

    async fn delete(&self, _: &Context<'_>, live: &Live<State>) -> Result<()> {
        let answer = self.0.elb.delete_listener().listener_arn(&live.id).send().await;
        match answer.call("elasticloadbalancing:DeleteListener") {
            Err(error) if !super::is_not_found(&error) => Err(error),
            _ => Ok(()),
        }
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        let state = &live.state;
        map! {
            "arn" => live.id.as_str(),
            "load_balancer" => state.load_balancer.as_str(),
            "port" => state.port,
            "protocol" => state.protocol.as_str(),
            "action" => state.action.as_str(),
        }
    }

    fn row(&self, live: &Live<State>) -> Map {
        let mut row = self.outputs(live);
        row.extend(map! {
            "certificate" => live.state.certificate.clone(),
            "ssl_policy" => live.state.ssl_policy.clone(),
        });
        row
    }

    /// By its ARN.
    async fn reference(&self, options: &Map) -> Result<Live<State>> {
        let id = named::reference(options)?;
        let unknown = Live {
            id: id.clone(),
            name: id.clone(),
            tags: Tags::new(),
            state: State::default(),
        };
        let found = self.refresh(&unknown).await?;
        found.ok_or_else(|| named::missing("listener", &id, &self.0.region))
    }

    async fn tags_now(&self, _: &Scope, live: &Live<State>) -> Result<Option<Tags>> {
        super::tags_now(&self.0, &live.id).await
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        super::retag(&self.0, &live.id, set, remove).await
    }
}
