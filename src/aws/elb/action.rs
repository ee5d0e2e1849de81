//! What becomes of a request, in words that can be compared and shown.

use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, RedirectActionConfig, RedirectActionStatusCodeEnum,
};

/// What [`to`] and [`redirect_to_https`] say of a redirect to the same address with https.
pub const REDIRECT: &str = "redirect to https on port 443";

/// The words of a forward to one target group.
pub fn forward_words(target_group: &str) -> String {
    format!("forward to {target_group}")
}

/// Sends requests to a target group.
pub fn forward(target_group: &str) -> Action {
    let action = Action::builder().r#type(ActionTypeEnum::Forward);
    action.target_group_arn(target_group).build()
}

/// Sends everybody to the same address with https, on port 443.
pub fn redirect_to_https() -> Action {
    let config = RedirectActionConfig::builder()
        .protocol("HTTPS")
        .port("443")
        .status_code(RedirectActionStatusCodeEnum::Http301);
    let action = Action::builder().r#type(ActionTypeEnum::Redirect);
    action.redirect_config(config.build()).build()
}

/// Any actions in words. Everything that decides where a request goes is said; what has the service's default is not.
pub fn words(actions: &[Action]) -> String {
    let mut actions: Vec<_> = actions.iter().collect();
    actions.sort_by_key(|action| action.order());
    actions.into_iter().map(one).collect::<Vec<_>>().join(", then ")
}

fn one(action: &Action) -> String {
    match action.r#type() {
        Some(ActionTypeEnum::Forward) => {
            let groups = action.forward_config().map(|config| config.target_groups());
            match groups {
                // Weights decide only between several.
                Some(groups) if groups.len() > 1 => {
                    let group = |group: &aws_sdk_elasticloadbalancingv2::types::TargetGroupTuple| {
                        let arn = group.target_group_arn().unwrap_or_default();
                        format!("{arn} (weight {})", group.weight().unwrap_or(1))
                    };
                    forward_words(&groups.iter().map(group).collect::<Vec<_>>().join(" and "))
                }
                Some([only]) => forward_words(only.target_group_arn().unwrap_or_default()),
                _ => forward_words(action.target_group_arn().unwrap_or_default()),
            }
        }
        Some(ActionTypeEnum::Redirect) => action.redirect_config().map(redirect).unwrap_or_default(),
        Some(ActionTypeEnum::FixedResponse) => {
            let config = action.fixed_response_config();
            format!(
                "answer {}",
                config.and_then(|config| config.status_code()).unwrap_or("?")
            )
        }
        Some(other) => other.as_str().to_owned(),
        None => "nothing".to_owned(),
    }
}

/// Defaults as RedirectActionConfig of the API reference names them.
fn redirect(config: &RedirectActionConfig) -> String {
    let protocol = config.protocol().unwrap_or("#{protocol}").to_lowercase();
    let mut words = format!("redirect to {protocol} on port {}", config.port().unwrap_or("#{port}"));
    for (name, value, default) in [
        ("host", config.host(), "#{host}"),
        ("path", config.path(), "/#{path}"),
        ("query", config.query(), "#{query}"),
    ] {
        if let Some(value) = value.filter(|value| *value != default) {
            words += &format!(", {name} {value}");
        }
    }
    if config.status_code() == Some(&RedirectActionStatusCodeEnum::Http302) {
        words += ", for now (302)";
    }
    words
}
