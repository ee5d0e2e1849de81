//! A port of a load balancer, and what becomes of the requests that arrive there.

use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types::{Action, Certificate, Listener, ProtocolEnum};
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::Deserialize;

use super::rules::{self, Rule, RuleSpec};
use super::target_group::Protocol;
use super::{action, load_balancer};
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
    /// Rules that come before that. One that is not here is deleted.
    #[serde(default)]
    pub rules: Vec<RuleSpec>,
    /// The ARNs of further certificates, of which the client's host name chooses one: all of them.
    #[serde(default)]
    pub more_certificates: Vec<String>,
}

impl Spec {
    fn action(&self) -> String {
        match &self.target_group {
            Some(arn) => action::forward_words(arn),
            None => action::REDIRECT.to_owned(),
        }
    }

    fn actions(&self) -> Vec<Action> {
        vec![match &self.target_group {
            Some(arn) => action::forward(arn),
            None => action::redirect_to_https(),
        }]
    }

    fn certificates(&self) -> Option<Vec<Certificate>> {
        let arn = self.certificate.as_ref()?;
        Some(vec![Certificate::builder().certificate_arn(arn).build()])
    }
}

#[derive(Clone, Debug, Default)]
pub struct State {
    load_balancer: String,
    port: i32,
    protocol: String,
    certificate: Option<String>,
    ssl_policy: Option<String>,
    action: String,
    /// Beside the default one. Read for a listener that a script ensures.
    rules: Option<Vec<Rule>>,
    /// Beside the default one. Likewise.
    more_certificates: Option<Vec<String>>,
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
            action: action::words(listener.default_actions()),
            rules: None,
            more_certificates: None,
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
        "elasticloadbalancing:DescribeRules",
        "elasticloadbalancing:CreateRule",
        "elasticloadbalancing:ModifyRule",
        "elasticloadbalancing:DeleteRule",
        "elasticloadbalancing:DescribeListenerCertificates",
        "elasticloadbalancing:AddListenerCertificates",
        "elasticloadbalancing:RemoveListenerCertificates",
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

    /// The certificates of a listener beside its default one.
    async fn more_certificates(&self, listener: &str) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let mut marker = None;
        loop {
            let call = self.0.elb.describe_listener_certificates().listener_arn(listener);
            let answer = call.set_marker(marker).send().await;
            let page = answer.call("elasticloadbalancing:DescribeListenerCertificates")?;
            let more = page.certificates().iter().filter(|one| one.is_default() != Some(true));
            found.extend(more.filter_map(|one| one.certificate_arn().map(str::to_owned)));
            marker = page.next_marker;
            if marker.as_ref().is_none_or(String::is_empty) {
                return Ok(found);
            }
        }
    }

    async fn modify(&self, spec: &Spec, id: &str, is: &impl Fn(&str) -> bool) -> Result<()> {
        // Says what is, so that it may be sent twice; what is left out stays.
        let call = self
            .0
            .elb
            .modify_listener()
            .listener_arn(id)
            .set_port(is("port").then(|| i32::from(spec.port)))
            .set_protocol(is("protocol").then(|| spec.protocol.sdk()))
            .set_certificates(spec.certificates().filter(|_| is("certificate")))
            .set_ssl_policy(is("ssl_policy").then(|| spec.ssl_policy.clone()))
            .set_default_actions(is("action").then(|| spec.actions()));
        call.send().await.call("elasticloadbalancing:ModifyListener")?;
        Ok(())
    }

    /// Adds what is missing and removes what is not wanted. To do either twice is to do it once.
    async fn converge_certificates(&self, listener: &str, live: &[String], wanted: &[String]) -> Result<()> {
        let certificate = |arn: &String| Certificate::builder().certificate_arn(arn).build();
        for arn in wanted.iter().filter(|arn| !live.contains(arn)) {
            let call = self.0.elb.add_listener_certificates().listener_arn(listener);
            let answer = call.certificates(certificate(arn)).send().await;
            answer.call("elasticloadbalancing:AddListenerCertificates")?;
        }
        for arn in live.iter().filter(|arn| !wanted.contains(arn)) {
            let call = self.0.elb.remove_listener_certificates().listener_arn(listener);
            let answer = call.certificates(certificate(arn)).send().await;
            answer.call("elasticloadbalancing:RemoveListenerCertificates")?;
        }
        Ok(())
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
            (Protocol::Http, None) if !spec.more_certificates.is_empty() => {
                return Err(Error::failed("`more_certificates` needs `protocol: \"https\"`"));
            }
            (Protocol::Http, Some(_)) => return Err(Error::failed("`certificate` needs `protocol: \"https\"`")),
            _ => {}
        }
        rules::check(&spec.rules)?;
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
        let id = listener.listener_arn().unwrap_or_default().to_owned();
        // When a run dies in here, the next one sees what is missing.
        rules::converge(&self.0, &id, &spec.rules, &[], |_| true).await?;
        self.converge_certificates(&id, &[], &spec.more_certificates).await?;
        Ok(Live {
            id,
            name: name.to_owned(),
            tags: cx.tags.clone(),
            state: State::new(listener),
        })
    }

    /// Rules and further certificates are not listed with the listener.
    async fn inspect(&self, _: &Spec, mut live: Live<State>) -> Result<Live<State>> {
        live.state.rules = Some(rules::read(&self.0, &live.id).await?);
        live.state.more_certificates = match live.state.protocol.as_str() {
            "https" => Some(self.more_certificates(&live.id).await?),
            _ => Some(Vec::new()),
        };
        Ok(live)
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
        if let Some(now) = &state.more_certificates {
            let change = Change::of_sets("more_certificates", now, &spec.more_certificates, InPlace);
            changes.push(change);
        }
        let mut changes: Vec<_> = changes.into_iter().flatten().collect();
        changes.extend(
            rules::changes(&spec.rules, state.rules.as_deref().unwrap_or_default())
                .into_iter()
                .filter(|_| state.rules.is_some()),
        );
        changes
    }

    fn more_fields(&self, _: &Map) -> Vec<String> {
        vec!["action".into()]
    }

    async fn update(&self, _: &Context<'_>, spec: &Spec, live: &Live<State>, changes: &[Change]) -> Result<()> {
        let is = |field: &str| changes.iter().any(|change| change.field == field);
        let is_other = |change: &Change| change.field == "more_certificates" || change.field.starts_with("rules.");
        if !changes.iter().all(is_other) {
            self.modify(spec, &live.id, &is).await?;
        }
        let now = live.state.rules.as_deref().unwrap_or_default();
        rules::converge(&self.0, &live.id, &spec.rules, now, is).await?;
        if is("more_certificates") {
            let now = live.state.more_certificates.as_deref().unwrap_or_default();
            self.converge_certificates(&live.id, now, &spec.more_certificates)
                .await?;
        }
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

    async fn complete(&self, scope: &Scope, mut found: Live<State>) -> Result<Live<State>> {
        let mut tags = super::read_tags(&self.0, scope, std::slice::from_ref(&found.id)).await?;
        found.tags = tags.remove(&found.id).unwrap_or_default();
        Ok(found)
    }

    /// By its ARN.
    async fn reference(&self, options: &Map) -> Result<Live<State>> {
        named::refreshed(self, options, "listener", &self.0.region).await
    }

    async fn tags_now(&self, _: &Scope, live: &Live<State>) -> Result<Option<Tags>> {
        super::tags_now(&self.0, &live.id).await
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        super::retag(&self.0, &live.id, set, remove).await
    }
}
