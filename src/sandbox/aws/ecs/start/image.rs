//! Images: the registry's authorization, and the pull.

use serde_json::Value;

use super::super::super::call::{Call, Fault};
use super::super::super::ec2::reach;
use super::super::super::rules::{self, Condition};
use super::super::super::{ecr, interfaces};
use super::{Ground, failed};

/// What keeps a task from ECR's authorization, when any of its images is there.
pub fn unauthorized(call: &Call<'_>, ground: &Ground<'_>, containers: &[Value]) -> Result<Option<String>, Fault> {
    const FAILED: &str = "ResourceInitializationError: unable to pull secrets or registry auth";
    let private = |container: &Value| container["image"].as_str().is_some_and(is_ecr);
    if !containers.iter().any(private) {
        return Ok(None);
    }
    if !reach::service(call, ground.interface, "ecr.api", ground.at)? {
        return Ok(Some(format!(
            "{FAILED}: The task cannot pull registry auth from Amazon ECR: There is a connection issue between the task and \
             Amazon ECR. Check your task network configuration. operation error ECR: GetAuthorizationToken, exceeded maximum \
             number of attempts, 3, https response error StatusCode: 0, RequestID: , request send failed, Post \
             \"https://api.ecr.{}.amazonaws.com/\": dial tcp {}:443: i/o timeout",
            call.region,
            interfaces::public_address()
        )));
    }
    Ok(ground.denied("ecr:GetAuthorizationToken", "*").map(|denied| {
        format!(
            "{FAILED}: execution resource retrieval failed: unable to retrieve ecr registry auth: service call has been \
             retried 1 time(s): {}{denied}",
            failed("ECR", "GetAuthorizationToken", "AccessDeniedException")
        )
    }))
}

/// The image's digest where the sandbox knows it, else the stopped reason.
pub fn pull(call: &Call<'_>, ground: &Ground<'_>, image: &str) -> Result<Result<Option<String>, String>, Fault> {
    let failed = |why: String| {
        Ok(Err(format!(
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {image}: {why}"
        )))
    };
    let (host, path) = image.split_once('/').unwrap_or(("docker.io", image));
    let ecr = is_ecr(image);
    let reached = if ecr {
        reach::service(call, ground.interface, "ecr.dkr", ground.at)?
    } else {
        reach::internet(call, ground.interface, ground.at)?
    };
    let unreachable = |how: &str| {
        Ok(Err(format!(
            "CannotPullContainerError: The task cannot pull {image} from the registry {image}. There is a connection issue \
             between the task and the registry. Check your task network configuration. : {how}: dial tcp {}:443: i/o \
             timeout",
            interfaces::public_address()
        )))
    };
    if !reached {
        return unreachable(&format!(
            "failed to resolve ref {image}: failed to do request: Head \"https://{host}/v2/{path}\""
        ));
    }
    // ECR keeps the layers in S3.
    if ecr && !reach::service(call, ground.interface, "s3", ground.at)? {
        return unreachable(&format!(
            "failed to copy: httpReadSeeker: failed open: failed to do request: Get {image}"
        ));
    }
    if rules::of(call, Condition::BadImage, &[image])? {
        return failed(format!("{image}: not found"));
    }
    let found = match ecr::pull(call, image)? {
        ecr::Pull::Elsewhere => return Ok(Ok(None)),
        ecr::Pull::NoImage => return failed(format!("{image}: not found")),
        ecr::Pull::NoRepository(name) => {
            return failed(format!(
                "pull access denied, repository {name} does not exist or may require authorization"
            ));
        }
        ecr::Pull::Found(digest) => digest,
    };
    let name = path.split(['@', ':']).next().unwrap_or_default();
    let repository = call.arn("ecr", &format!("repository/{name}"));
    let tag = path.rsplit([':', '@']).next().unwrap_or_default();
    if ground.denied("ecr:BatchGetImage", &repository).is_some() {
        return failed(format!(
            "pulling from host {host} failed with status code [manifests {tag}]: 403 Forbidden"
        ));
    }
    if ground.denied("ecr:GetDownloadUrlForLayer", &repository).is_some() {
        return Ok(Err(format!(
            "CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy: httpReadSeeker: failed open: \
             unexpected status code https://{host}/v2/{name}/blobs/{found}: 403 Forbidden"
        )));
    }
    Ok(Ok(Some(found)))
}

/// A private repository: its host is `ACCOUNT.dkr.ecr.REGION.amazonaws.com`.
fn is_ecr(image: &str) -> bool {
    image.split('/').next().is_some_and(|host| host.contains(".dkr.ecr."))
}
