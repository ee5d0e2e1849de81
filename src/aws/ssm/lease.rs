//! Leases are parameters below `/PROJECT/ENV/lease/`. That is a folder of its own, which the listing of contracts does
//! not enter, and they carry no tags: no sweep finds them.
//!
//! Source: SSM API Reference, PutParameter: without `Overwrite` a name that is taken is refused, "ParameterAlreadyExists";
//! GetParametersByPath; DeleteParameters, which takes ten names.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ssm::types::ParameterType;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;
use jiff::Timestamp;

use crate::aws::Aws;
use crate::aws::error::Call;
use crate::aws::queue::{self, Urgent};
use crate::error::{Error, Result};
use crate::resource::Scope;
use crate::resource::lease::{Kept, LeaseStore, Listed};

/// The API actions that every run needs which changes something.
pub const ACTIONS: [&str; 3] = ["ssm:DeleteParameters", "ssm:GetParametersByPath", "ssm:PutParameter"];

/// Whether a parameter is the lease of some environment: `/PROJECT/ENV/lease/N`.
pub fn is_lease(name: &str) -> bool {
    let parts: Vec<_> = name.split('/').collect();
    matches!(parts.as_slice(), ["", _, _, "lease", number] if number.parse::<u64>().is_ok())
}

/// The leases of one environment.
pub struct Leases {
    aws: Aws,
    folder: String,
}

impl Leases {
    pub fn new(aws: &Aws, scope: &Scope) -> Self {
        Self {
            aws: aws.clone(),
            folder: format!("/{}/{}/lease", scope.project, scope.environment),
        }
    }

    fn path(&self, number: u64) -> String {
        format!("{}/{number}", self.folder)
    }

    async fn write(&self, number: u64, text: &str, overwrite: bool) -> Result<()> {
        let call = self.aws.ssm.put_parameter().name(self.path(number)).value(text);
        let call = call.r#type(ParameterType::String).overwrite(overwrite);
        let call = call.customize().interceptor(Urgent).config_override(soon());
        call.send().await.call("ssm:PutParameter").map(|_| ())
    }
}

#[async_trait]
impl LeaseStore for Leases {
    async fn list(&self) -> Result<Listed> {
        let mut listed = Listed::default();
        let mut next = None;
        loop {
            let date = Date::default();
            let call = self.aws.ssm.get_parameters_by_path().path(&self.folder);
            let call = call.set_next_token(next).customize().interceptor(Urgent);
            let call = call.config_override(soon()).interceptor(date.clone());
            let page = call.send().await.call("ssm:GetParametersByPath")?;
            // The earliest time makes the youngest ages: nothing expires too soon.
            listed.now = listed.now.or_else(|| date.read());
            for parameter in page.parameters() {
                let name = parameter.name().unwrap_or_default();
                let number = name.rsplit('/').next().and_then(|number| number.parse().ok());
                let number = number.ok_or_else(|| Error::failed(format!("the parameter {name} is no lease")))?;
                listed.leases.push(Kept {
                    number,
                    text: parameter.value().unwrap_or_default().to_owned(),
                    modified: parameter.last_modified_date().and_then(timestamp),
                });
            }
            // A page may be empty and not the last one.
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(listed);
            }
        }
    }

    async fn put(&self, number: u64, text: &str) -> Result<bool> {
        match self.write(number, text, false).await {
            Err(error) if error.code() == "ParameterAlreadyExists" => Ok(false),
            other => other.map(|()| true),
        }
    }

    async fn overwrite(&self, number: u64, text: &str) -> Result<()> {
        self.write(number, text, true).await
    }

    async fn remove(&self, numbers: &[u64]) -> Result<()> {
        for some in numbers.chunks(10) {
            let names = some.iter().map(|number| self.path(*number)).collect();
            let call = self.aws.ssm.delete_parameters().set_names(Some(names));
            call.customize()
                .interceptor(Urgent)
                .send()
                .await
                .call("ssm:DeleteParameters")?;
        }
        Ok(())
    }
}

/// A lease has to be renewed in time: a call that is throttled, because everybody else calls too, is sent again soon.
fn soon() -> aws_sdk_ssm::config::Builder {
    let retries = queue::retries(Duration::from_millis(200)).with_max_backoff(Duration::from_secs(2));
    aws_sdk_ssm::config::Builder::new().retry_config(retries)
}

fn timestamp(at: &DateTime) -> Option<Timestamp> {
    Timestamp::from_millisecond(at.to_millis().ok()?).ok()
}

/// The header `Date` of an answer: the service's clock, in whole seconds.
#[derive(Clone, Debug, Default)]
struct Date(Arc<Mutex<Option<Timestamp>>>);

impl Date {
    fn read(&self) -> Option<Timestamp> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Date {
    fn name(&self) -> &'static str {
        "date"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let header = context.response().headers().get("date");
        let date = header.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date.as_ref().and_then(timestamp);
        Ok(())
    }
}
