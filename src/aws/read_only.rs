//! What makes a plan safe: its clients send nothing but reads.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeSerializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::calls::action;
use super::reads::is_read_action;

/// Refuses every call that is not a read before it is sent.
#[derive(Clone, Debug)]
pub struct ReadOnly;

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for ReadOnly {
    fn name(&self) -> &'static str {
        "read only"
    }

    fn read_before_serialization(
        &self,
        _context: &BeforeSerializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let action = action(config);
        match is_read_action(&action) {
            true => Ok(()),
            false => Err(format!("a plan writes nothing, so {action} was not sent").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::aws::testing::World;

    #[tokio::test]
    async fn a_write_is_refused_and_a_read_is_sent() {
        let world = World::sandbox();
        let plan = world.planning();
        plan.ec2.describe_vpcs().send().await.unwrap();
        let refused = plan.ec2.create_vpc().cidr_block("10.0.0.0/16").send().await;
        let error = crate::aws::error::translate("ec2:CreateVpc", &refused.unwrap_err());
        assert_eq!(
            error.message(),
            "ec2:CreateVpc: a plan writes nothing, so ec2:CreateVpc was not sent"
        );
        assert_eq!(world.calls.counts().keys().collect::<Vec<_>>(), ["ec2:DescribeVpcs"]);
    }
}
