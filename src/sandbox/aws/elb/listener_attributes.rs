//! The attributes of listeners.
//!
//! Source: Elastic Load Balancing API reference, `ListenerAttribute`; *Header modification for your Application Load
//! Balancer*: the server header is on, nothing else is sent, and the headers about TLS have their own names.

use serde_json::{Map, Value, json};

use super::super::answers::answer;
use super::super::call::{Answer, Call, Fault};
use super::listener::{self, Listener};
use super::{attribute_list, change_attributes};

/// Attributes that were changed, under the listener's ARN.
const KIND: &str = "elb/listener-attributes";

/// Attributes of every listener, without a value of their own.
const RESPONSE: &[&str] = &[
    "strict_transport_security",
    "access_control_allow_origin",
    "access_control_allow_methods",
    "access_control_allow_headers",
    "access_control_allow_credentials",
    "access_control_expose_headers",
    "access_control_max_age",
    "content_security_policy",
    "x_content_type_options",
    "x_frame_options",
];

/// Attributes of a listener with TLS, and the header that each names.
const REQUEST: &[(&str, &str)] = &[
    (
        "x_amzn_mtls_clientcert_serial_number",
        "X-Amzn-Mtls-Clientcert-Serial-Number",
    ),
    ("x_amzn_mtls_clientcert_issuer", "X-Amzn-Mtls-Clientcert-Issuer"),
    ("x_amzn_mtls_clientcert_subject", "X-Amzn-Mtls-Clientcert-Subject"),
    ("x_amzn_mtls_clientcert_validity", "X-Amzn-Mtls-Clientcert-Validity"),
    ("x_amzn_mtls_clientcert_leaf", "X-Amzn-Mtls-Clientcert-Leaf"),
    ("x_amzn_mtls_clientcert", "X-Amzn-Mtls-Clientcert"),
    ("x_amzn_tls_version", "X-Amzn-Tls-Version"),
    ("x_amzn_tls_cipher_suite", "X-Amzn-Tls-Cipher-Suite"),
];

pub fn describe(call: &Call<'_>) -> Answer {
    let listener = listener::existing(call, call.text("ListenerArn"))?;
    answer(json!({ "Attributes": attribute_list(&of(call, &listener)?) }))
}

pub fn modify(call: &Call<'_>) -> Answer {
    let listener = listener::existing(call, call.text("ListenerArn"))?;
    let mut attributes = of(call, &listener)?;
    change_attributes(call, &mut attributes)?;
    call.store
        .put(KIND, &listener.arn, &listener.load_balancer, &attributes)?;
    answer(json!({ "Attributes": attribute_list(&attributes) }))
}

/// Deletes those of a listener that is deleted.
pub fn forget(call: &Call<'_>, listener: &Listener) -> Result<(), Fault> {
    call.store.delete(KIND, &listener.arn).map(|_| ())
}

fn of(call: &Call<'_>, listener: &Listener) -> Result<Map<String, Value>, Fault> {
    let mut attributes = defaults(listener);
    let changed: Option<Map<String, Value>> = call.store.get(KIND, &listener.arn)?;
    for (key, value) in changed.into_iter().flatten() {
        // The protocol may have changed, and with it what the listener has.
        if let Some(current) = attributes.get_mut(&key) {
            *current = value;
        }
    }
    Ok(attributes)
}

fn defaults(listener: &Listener) -> Map<String, Value> {
    let mut attributes = Map::new();
    attributes.insert("routing.http.response.server.enabled".to_owned(), json!("true"));
    for name in RESPONSE {
        attributes.insert(format!("routing.http.response.{name}.header_value"), json!(""));
    }
    if listener.protocol == "HTTPS" {
        for (name, header) in REQUEST {
            attributes.insert(format!("routing.http.request.{name}.header_name"), json!(header));
        }
    }
    attributes
}
