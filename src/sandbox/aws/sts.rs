//! Who calls.
//!
//! Source: STS API reference, `GetCallerIdentity`.

use serde_json::json;

use super::call::{Answer, Call};
use super::dispatch;

pub fn handle(call: &mut Call<'_>) -> Answer {
    match call.operation {
        "GetCallerIdentity" => Ok(json!({
            "UserId": "AIDASANDBOX0000000000",
            "Account": call.account,
            "Arn": format!("arn:aws:iam::{}:user/sandbox", call.account),
        })),
        _ => dispatch::not_in_the_sandbox(call),
    }
}
