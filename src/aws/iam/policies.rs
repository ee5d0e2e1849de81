//! A role's permissions: all its managed and inline policies. Source: IAM API Reference.

use std::collections::BTreeMap;

use aws_sdk_iam::types::RoleDetail;
use futures::future::try_join_all;
use serde_json::Value as Json;

use super::document;
use crate::aws::Aws;
use crate::aws::error::Call;
use crate::error::{Error, Result};

#[derive(Clone, Debug, Default)]
pub(super) struct Policies {
    /// ARNs.
    pub managed: Vec<String>,
    /// Documents by their names.
    pub inline: BTreeMap<String, Json>,
}

pub(super) fn is_absent(error: &Error) -> bool {
    error.code() == "NoSuchEntity" || error.code() == "NoSuchEntityException"
}

pub(super) fn absent_is_fine<T>(result: Result<T>) -> Result<()> {
    match result {
        Err(error) if !is_absent(&error) => Err(error),
        _ => Ok(()),
    }
}

impl Policies {
    /// Those of a role that is told as a whole.
    pub fn of(role: &RoleDetail) -> Self {
        let managed = role.attached_managed_policies().iter();
        let inline = role.role_policy_list().iter().map(|policy| {
            let document = document::read(policy.policy_document().unwrap_or_default());
            (policy.policy_name().unwrap_or_default().to_owned(), document)
        });
        Self {
            managed: managed
                .filter_map(|policy| policy.policy_arn().map(str::to_owned))
                .collect(),
            inline: inline.collect(),
        }
    }

    /// Those of a role, every page.
    pub async fn read(aws: &Aws, role: &str) -> Result<Self> {
        let attached = async {
            let pages = aws.iam.list_attached_role_policies().role_name(role);
            let found = pages.into_paginator().items().send().try_collect().await;
            found.call("iam:ListAttachedRolePolicies")
        };
        let inline = async {
            let pages = aws.iam.list_role_policies().role_name(role);
            let names = pages.into_paginator().items().send().try_collect().await;
            let names = names.call("iam:ListRolePolicies")?;
            try_join_all(names.into_iter().map(async |name| {
                let call = aws.iam.get_role_policy().role_name(role).policy_name(&name);
                let answer = call.send().await.call("iam:GetRolePolicy")?;
                Ok((name, document::read(answer.policy_document())))
            }))
            .await
        };
        let (attached, inline) = futures::try_join!(attached, inline)?;
        let arns = attached.iter().filter_map(|policy| policy.policy_arn());
        Ok(Self {
            managed: arns.map(str::to_owned).collect(),
            inline: inline.into_iter().collect(),
        })
    }

    /// Makes a role that has these have the wanted ones. Each call says what is, or is refused as done already, so that the
    /// whole can be repeated. What is new comes first: a running task never has less than either side allows.
    pub async fn change(&self, aws: &Aws, role: &str, wanted: &Self) -> Result<()> {
        for arn in wanted.managed.iter().filter(|arn| !self.managed.contains(arn)) {
            let call = aws.iam.attach_role_policy().role_name(role).policy_arn(arn);
            call.send().await.call("iam:AttachRolePolicy")?;
        }
        for (name, wanted) in &wanted.inline {
            if self.inline.get(name).map(document::normal) != Some(document::normal(wanted)) {
                let call = aws.iam.put_role_policy().role_name(role);
                let call = call.policy_name(name).policy_document(wanted.to_string());
                call.send().await.call("iam:PutRolePolicy")?;
            }
        }
        for arn in self.managed.iter().filter(|arn| !wanted.managed.contains(arn)) {
            let call = aws.iam.detach_role_policy().role_name(role).policy_arn(arn);
            absent_is_fine(call.send().await.call("iam:DetachRolePolicy"))?;
        }
        for name in self.inline.keys().filter(|name| !wanted.inline.contains_key(*name)) {
            let call = aws.iam.delete_role_policy().role_name(role).policy_name(name);
            absent_is_fine(call.send().await.call("iam:DeleteRolePolicy"))?;
        }
        Ok(())
    }

    /// Takes all of them from a role.
    pub async fn remove(&self, aws: &Aws, role: &str) -> Result<()> {
        self.change(aws, role, &Self::default()).await
    }
}
