//! Elastic Container Registry.
//!
//! Source: the Amazon ECR API reference. The sandbox has no registry that `docker push` could talk to. Instead
//! **`PutImage` simulates a push**: with any manifest it makes the tag exist, and layers are not looked for, where ECR
//! would answer `LayersNotFoundException`. The state of an image is its manifest, its digest and its tags.

mod image;
mod lifecycle;
mod repository;
mod scan;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::answers::{answer, limit, only, seconds};
use super::call::{Answer, Call, Fault};
use super::{dispatch, tags};
use image::{batch_delete, batch_get, describe_images, list_images, put_image};
use repository::{change, create, delete, describe, document, no_policy};
use scan::{findings, start_scan};

pub use image::{Pull, pull};

const REPOSITORY: &str = "ecr/repository";

const IMAGE: &str = "ecr/image";

/// "The authorization token is valid for 12 hours."
const TOKEN_LIFE: i64 = 12 * 60 * 60 * 1000;

#[derive(Serialize, Deserialize)]
struct Repository {
    name: String,
    created: i64,
    mutability: String,
    scan_on_push: bool,
    encryption: Value,
    lifecycle: Option<String>,
    policy: Option<String>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Image {
    digest: String,
    manifest: String,
    media_type: String,
    tags: Vec<String>,
    pushed: i64,
    scanned: Option<i64>,
}

pub fn handle(call: &mut Call<'_>) -> Answer {
    if let registry = call.text("registryId")
        && !registry.is_empty()
        && registry != call.account
    {
        return Err(invalid(&format!("the sandbox has no registry of account {registry}")));
    }
    match call.operation {
        "CreateRepository" => create(call),
        "DescribeRepositories" => describe(call),
        "DeleteRepository" => delete(call),
        "PutImage" => put_image(call),
        "DescribeImages" => describe_images(call),
        "ListImages" => list_images(call),
        "BatchGetImage" => batch_get(call),
        "BatchDeleteImage" => batch_delete(call),
        // Nothing is replicated, as no call can set it.
        "DescribeRegistry" => answer(json!({
            "registryId": call.account,
            "replicationConfiguration": { "rules": [] },
        })),
        "GetAuthorizationToken" => authorization(call),
        "PutImageTagMutability" => {
            only(call, &["registryId", "repositoryName", "imageTagMutability"])?;
            let mutability = repository::mutability(call)?;
            change(
                call,
                |repository| repository.mutability.clone_from(&mutability),
                |_| json!({ "imageTagMutability": mutability }),
            )
        }
        "PutImageScanningConfiguration" => {
            let on = call
                .input
                .get("imageScanningConfiguration")
                .is_some_and(|value| value["scanOnPush"] == true);
            change(
                call,
                |repository| repository.scan_on_push = on,
                |_| json!({ "imageScanningConfiguration": { "scanOnPush": on } }),
            )
        }
        "PutLifecyclePolicy" => {
            let text = lifecycle::check(call)?;
            change(
                call,
                |repository| repository.lifecycle = Some(text.clone()),
                |_| json!({ "lifecyclePolicyText": text }),
            )
        }
        "GetLifecyclePolicy" => {
            let repository = existing(call)?;
            let text = repository
                .lifecycle
                .clone()
                .ok_or_else(|| no_policy("LifecyclePolicyNotFoundException", "Lifecycle", call))?;
            answer(of(call, json!({ "lifecyclePolicyText": text })))
        }
        "DeleteLifecyclePolicy" => {
            let text = existing(call)?.lifecycle;
            let text = text.ok_or_else(|| no_policy("LifecyclePolicyNotFoundException", "Lifecycle", call))?;
            change(
                call,
                |repository| repository.lifecycle = None,
                |_| json!({ "lifecyclePolicyText": text }),
            )
        }
        "SetRepositoryPolicy" => {
            let text = document(call, "policyText")?;
            change(
                call,
                |repository| repository.policy = Some(text.clone()),
                |_| json!({ "policyText": text }),
            )
        }
        "GetRepositoryPolicy" => {
            let repository = existing(call)?;
            let text = repository
                .policy
                .ok_or_else(|| no_policy("RepositoryPolicyNotFoundException", "Repository", call))?;
            answer(of(call, json!({ "policyText": text })))
        }
        "DeleteRepositoryPolicy" => {
            let text = existing(call)?.policy;
            let text = text.ok_or_else(|| no_policy("RepositoryPolicyNotFoundException", "Repository", call))?;
            change(
                call,
                |repository| repository.policy = None,
                |_| json!({ "policyText": text }),
            )
        }
        "StartImageScan" => start_scan(call),
        "DescribeImageScanFindings" => findings(call),
        "TagResource" => {
            let arn = tagged(call)?;
            let added = tags::from_list(call.list("tags"));
            tags::check(&added).map_err(|message| Fault::new("InvalidTagParameterException", message))?;
            let mut all = tags::of(call, &arn)?;
            all.extend(added.clone());
            if all.len() > tags::MOST {
                return Err(Fault::new(
                    "TooManyTagsException",
                    "The list of tags on the repository is over the limit. The maximum number of tags that can be applied to \
                     a repository is 50.",
                ));
            }
            tags::put(call, &arn, &added)?;
            answer(json!({}))
        }
        "UntagResource" => {
            let arn = tagged(call)?;
            tags::remove(call, &arn, &call.texts("tagKeys"))?;
            answer(json!({}))
        }
        "ListTagsForResource" => {
            let arn = tagged(call)?;
            answer(json!({ "tags": tags::to_list(&tags::of(call, &arn)?) }))
        }
        _ => dispatch::not_in_the_sandbox(call),
    }
}

/// The form of a real token, `AWS:PASSWORD` in base64. Nothing takes it: the sandbox has no registry.
fn authorization(call: &Call<'_>) -> Answer {
    use base64::Engine as _;
    let password = super::answers::hex(64);
    let token = base64::engine::general_purpose::STANDARD.encode(format!("AWS:{password}"));
    answer(json!({ "authorizationData": [{
        "authorizationToken": token,
        "expiresAt": seconds(call.now + TOKEN_LIFE),
        "proxyEndpoint": format!("https://{}", registry(call)),
    }] }))
}

fn registry(call: &Call<'_>) -> String {
    format!("{}.dkr.ecr.{}.amazonaws.com", call.account, call.region)
}

/// The members with registry and repository, as most answers have them.
fn of(call: &Call<'_>, members: Value) -> Value {
    let mut all = Map::new();
    all.insert("registryId".to_owned(), json!(call.account));
    all.insert("repositoryName".to_owned(), json!(call.text("repositoryName")));
    if let Value::Object(members) = members {
        all.extend(members);
    }
    Value::Object(all)
}

fn one_image(call: &Call<'_>, repository: &Repository) -> Result<Image, Fault> {
    let id = call.input.get("imageId").cloned().unwrap_or_default();
    let found = images(call, &repository.name)?.into_iter().find(|image| image.is(&id));
    found.ok_or_else(|| no_image(call, &repository.name, &id))
}

fn images(call: &Call<'_>, repository: &str) -> Result<Vec<Image>, Fault> {
    call.store.children(IMAGE, repository)
}

fn save(call: &Call<'_>, repository: &str, image: &Image) -> Result<(), Fault> {
    call.store
        .put(IMAGE, &image_id(repository, &image.digest), repository, image)
}

fn image_id(repository: &str, digest: &str) -> String {
    format!("{repository}@{digest}")
}

fn arn(call: &Call<'_>, name: &str) -> String {
    call.arn("ecr", &format!("repository/{name}"))
}

/// Whether there is what an ARN names behind its account.
pub fn has(call: &Call<'_>, rest: &str) -> Result<bool, Fault> {
    let name = rest.strip_prefix("repository/").unwrap_or_default();
    Ok(call.store.get::<Repository>(REPOSITORY, name)?.is_some())
}

fn tagged(call: &Call<'_>) -> Result<String, Fault> {
    let arn = call.text("resourceArn");
    let name = arn.split_once(":repository/").map(|(_, name)| name).unwrap_or_default();
    match call.store.get::<Repository>(REPOSITORY, name)? {
        Some(_) => Ok(arn.to_owned()),
        None => Err(not_found(call, name)),
    }
}

fn existing(call: &Call<'_>) -> Result<Repository, Fault> {
    let name = call.text("repositoryName");
    call.store.get(REPOSITORY, name)?.ok_or_else(|| not_found(call, name))
}

fn most(call: &Call<'_>) -> usize {
    limit(call, "maxResults", 100).min(1000)
}

fn not_found(call: &Call<'_>, name: &str) -> Fault {
    Fault::new(
        "RepositoryNotFoundException",
        format!(
            "The repository with name '{name}' does not exist in the registry with id '{}'",
            call.account
        ),
    )
}

fn no_image(call: &Call<'_>, repository: &str, id: &Value) -> Fault {
    let part = |member: &str| id[member].as_str().unwrap_or("null").to_owned();
    Fault::new(
        "ImageNotFoundException",
        format!(
            "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the repository with name \
             '{repository}' in the registry with id '{}'",
            part("imageDigest"),
            part("imageTag"),
            call.account
        ),
    )
}

fn invalid(message: &str) -> Fault {
    Fault::new("InvalidParameterException", message)
}

fn invalid_token() -> Fault {
    invalid("Invalid parameter at 'nextToken' failed to satisfy constraint: 'unknown token'")
}
