//! Reading a secret's value.

use super::secret;
use crate::aws::{Aws, meant};
use crate::resource::Verb;
use crate::resource::verb::Anything;
use crate::value::Value;

/// The verbs of the module `secrets`.
pub fn all(aws: &Aws) -> Vec<Verb> {
    let aws = aws.clone();
    let value = Verb::reads(
        "secrets",
        "value",
        "The value of a secret, as a secret: it prints as ******** and goes wherever a secret may go. Fails when there is \
         no such secret, or when it holds no text.",
    )
    .param::<Anything>(
        "secret",
        "A secret of this environment (its handle, a row of secrets::secrets(), or its name), or the ARN of any secret.",
    )
    .actions(&["secretsmanager:GetSecretValue"])
    .run(move |cx, args| {
        let aws = aws.clone();
        async move {
            let argument = args.into_iter().next().unwrap_or_default();
            let id = match argument.as_str() {
                Some(arn) if arn.starts_with("arn:") => {
                    cx.engine.pass_gate().await?;
                    arn.to_owned()
                }
                _ => meant::text(&meant::find(&cx.engine, "secret", &argument).await?, "arn"),
            };
            Ok(Value::secret(secret::value(&aws, &id).await?))
        }
    });
    vec![value]
}
