//! Elastic Container Registry.
//!
//! Source: the Amazon ECR API reference. The sandbox has no registry that `docker push` could talk to. Instead
//! **`PutImage` simulates a push**: with any manifest it makes the tag exist, and layers are not looked for, where ECR
//! would answer `LayersNotFoundException`. The state of an image is its manifest, its digest and its tags.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::answers::{answer, limit, only, page, seconds};
use super::call::{Answer, Call, Fault};
use super::{dispatch, tags};

const REPOSITORY: &str = "ecr/repository";
const IMAGE: &str = "ecr/image";

/// "The authorization token is valid for 12 hours."
const TOKEN_LIFE: i64 = 12 * 60 * 60 * 1000;
const MANIFEST_TYPE: &str = "application/vnd.docker.distribution.manifest.v2+json";

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
        "GetAuthorizationToken" => authorization(call),
        "PutImageTagMutability" => {
            let mutability = call.text("imageTagMutability").to_owned();
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
            let text = document(call, "lifecyclePolicyText")?;
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

fn create(call: &Call<'_>) -> Answer {
    only(
        call,
        &[
            "registryId",
            "repositoryName",
            "tags",
            "imageTagMutability",
            "imageScanningConfiguration",
            "encryptionConfiguration",
        ],
    )?;
    let name = call.text("repositoryName");
    let right = regex::Regex::new(r"^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$")
        .map_err(|error| invalid(&error.to_string()))?;
    if !(2..=256).contains(&name.len()) || !right.is_match(name) {
        return Err(invalid(&format!(
            "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression \
             '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*'' (it is '{name}')"
        )));
    }
    if call.store.get::<Repository>(REPOSITORY, name)?.is_some() {
        return Err(Fault::new(
            "RepositoryAlreadyExistsException",
            format!(
                "The repository with name '{name}' already exists in the registry with id '{}'",
                call.account
            ),
        ));
    }
    let wanted = tags::from_list(call.list("tags"));
    tags::check(&wanted).map_err(|message| Fault::new("InvalidTagParameterException", message))?;
    let repository = Repository {
        name: name.to_owned(),
        created: call.now,
        mutability: Some(call.text("imageTagMutability"))
            .filter(|text| !text.is_empty())
            .unwrap_or("MUTABLE")
            .to_owned(),
        scan_on_push: call
            .input
            .get("imageScanningConfiguration")
            .is_some_and(|value| value["scanOnPush"] == true),
        encryption: call
            .input
            .get("encryptionConfiguration")
            .cloned()
            .unwrap_or(json!({ "encryptionType": "AES256" })),
        lifecycle: None,
        policy: None,
    };
    call.store.put(REPOSITORY, name, "", &repository)?;
    tags::put(call, &arn(call, name), &wanted)?;
    answer(json!({ "repository": repository.view(call) }))
}

fn describe(call: &Call<'_>) -> Answer {
    let names = call.texts("repositoryNames");
    let mut repositories = call.store.all::<Repository>(REPOSITORY)?;
    if let Some(missing) = names
        .iter()
        .find(|name| !repositories.iter().any(|repository| repository.name == **name))
    {
        return Err(not_found(call, missing));
    }
    repositories.retain(|repository| names.is_empty() || names.contains(&repository.name));
    let page = page(
        repositories,
        |repository| repository.name.clone(),
        call.text("nextToken"),
        most(call),
        invalid_token,
    )?;
    let views: Vec<_> = page.items.iter().map(|repository| repository.view(call)).collect();
    answer(json!({ "repositories": views, "nextToken": page.next }))
}

fn delete(call: &Call<'_>) -> Answer {
    let repository = existing(call)?;
    let images = images(call, &repository.name)?;
    if !images.is_empty() && !call.flag("force") {
        return Err(Fault::new(
            "RepositoryNotEmptyException",
            format!(
                "The repository with name '{}' in registry with id '{}' cannot be deleted because it still contains images",
                repository.name, call.account
            ),
        ));
    }
    for image in images {
        call.store.delete(IMAGE, &image_id(&repository.name, &image.digest))?;
    }
    call.store.delete(REPOSITORY, &repository.name)?;
    tags::clear(call, &arn(call, &repository.name))?;
    answer(json!({ "repository": repository.view(call) }))
}

/// The sandbox's way to push: see the module's page.
fn put_image(call: &Call<'_>) -> Answer {
    let repository = existing(call)?;
    let manifest = call.text("imageManifest");
    let sum = Sha256::digest(manifest.as_bytes());
    let digest = format!(
        "sha256:{}",
        sum.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    );
    let claimed = call.text("imageDigest");
    if !claimed.is_empty() && claimed != digest {
        return Err(Fault::new(
            "ImageDigestDoesNotMatchException",
            format!(
                "The specified image digest does not match the digest that Amazon ECR calculated for the image: {digest}"
            ),
        ));
    }
    let tag = call.text("imageTag");
    let all = images(call, &repository.name)?;
    let holder = all.iter().find(|image| image.tags.iter().any(|other| other == tag));
    if let Some(holder) = holder {
        if holder.digest == digest {
            return Err(Fault::new(
                "ImageAlreadyExistsException",
                format!(
                    "Image with digest '{digest}' and tag '{tag}' already exists in the repository with name '{}' in \
                     registry with id '{}'",
                    repository.name, call.account
                ),
            ));
        }
        if repository.mutability.starts_with("IMMUTABLE") {
            return Err(Fault::new(
                "ImageTagAlreadyExistsException",
                format!(
                    "The image tag '{tag}' already exists in the '{}' repository and cannot be overwritten because the \
                     repository is immutable.",
                    repository.name
                ),
            ));
        }
        let mut holder = holder.clone();
        holder.tags.retain(|other| other != tag);
        save(call, &repository.name, &holder)?;
    }
    let media_type = Some(call.text("imageManifestMediaType"))
        .filter(|text| !text.is_empty())
        .unwrap_or(MANIFEST_TYPE);
    let mut image = all
        .iter()
        .find(|image| image.digest == digest)
        .cloned()
        .unwrap_or(Image {
            digest,
            manifest: manifest.to_owned(),
            media_type: media_type.to_owned(),
            tags: Vec::new(),
            pushed: call.now,
            scanned: repository.scan_on_push.then_some(call.now),
        });
    if !tag.is_empty() {
        image.tags.push(tag.to_owned());
    }
    save(call, &repository.name, &image)?;
    answer(json!({ "image": image.view(call, &repository.name, Some(tag).filter(|tag| !tag.is_empty())) }))
}

fn describe_images(call: &Call<'_>) -> Answer {
    let repository = existing(call)?;
    let mut found = images(call, &repository.name)?;
    let wanted = call.list("imageIds");
    if !wanted.is_empty() {
        if let Some(missing) = wanted.iter().find(|id| !found.iter().any(|image| image.is(id))) {
            return Err(no_image(call, &repository.name, missing));
        }
        found.retain(|image| wanted.iter().any(|id| image.is(id)));
    }
    filter_by_status(call, &mut found);
    let page = page(
        found,
        |image| image.digest.clone(),
        call.text("nextToken"),
        most(call),
        invalid_token,
    )?;
    let details: Vec<_> = page
        .items
        .iter()
        .map(|image| {
            json!({
                "registryId": call.account,
                "repositoryName": repository.name,
                "imageDigest": image.digest,
                "imageTags": Some(&image.tags).filter(|tags| !tags.is_empty()),
                "imageSizeInBytes": image.manifest.len(),
                "imagePushedAt": seconds(image.pushed),
                "imageScanStatus": image.scanned.map(|_| scan_complete()),
                "imageManifestMediaType": image.media_type,
            })
        })
        .collect();
    answer(json!({ "imageDetails": details, "nextToken": page.next }))
}

fn list_images(call: &Call<'_>) -> Answer {
    let repository = existing(call)?;
    let mut found = images(call, &repository.name)?;
    filter_by_status(call, &mut found);
    // One entry for each tag.
    let ids: Vec<(String, Option<String>)> = found
        .into_iter()
        .flat_map(|image| {
            let tags: Vec<_> = if image.tags.is_empty() {
                vec![None]
            } else {
                image.tags.into_iter().map(Some).collect()
            };
            tags.into_iter().map(move |tag| (image.digest.clone(), tag))
        })
        .collect();
    let key = |id: &(String, Option<String>)| format!("{} {}", id.0, id.1.as_deref().unwrap_or_default());
    let page = page(ids, key, call.text("nextToken"), most(call), invalid_token)?;
    let ids: Vec<_> = page
        .items
        .iter()
        .map(|(digest, tag)| json!({ "imageDigest": digest, "imageTag": tag }))
        .collect();
    answer(json!({ "imageIds": ids, "nextToken": page.next }))
}

fn batch_get(call: &Call<'_>) -> Answer {
    let repository = existing(call)?;
    let all = images(call, &repository.name)?;
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for id in call.list("imageIds") {
        match all.iter().find(|image| image.is(id)) {
            Some(image) => found.push(image.view(call, &repository.name, id["imageTag"].as_str())),
            None => failures.push(failure(id)),
        }
    }
    answer(json!({ "images": found, "failures": failures }))
}

/// A tag is taken away; the image goes with its last one. A digest deletes the image with all its tags.
fn batch_delete(call: &Call<'_>) -> Answer {
    let repository = existing(call)?;
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    for id in call.list("imageIds") {
        let Some(mut image) = images(call, &repository.name)?.into_iter().find(|image| image.is(id)) else {
            failures.push(failure(id));
            continue;
        };
        let by_tag = id["imageTag"].as_str().filter(|_| id["imageDigest"].is_null());
        let gone = match by_tag {
            Some(tag) => vec![Some(tag.to_owned())],
            None if image.tags.is_empty() => vec![None],
            None => image.tags.iter().cloned().map(Some).collect(),
        };
        image.tags.retain(|tag| !gone.contains(&Some(tag.clone())));
        if image.tags.is_empty() {
            call.store.delete(IMAGE, &image_id(&repository.name, &image.digest))?;
        } else {
            save(call, &repository.name, &image)?;
        }
        deleted.extend(
            gone.into_iter()
                .map(|tag| json!({ "imageDigest": image.digest, "imageTag": tag })),
        );
    }
    answer(json!({ "imageIds": deleted, "failures": failures }))
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

fn start_scan(call: &Call<'_>) -> Answer {
    let repository = existing(call)?;
    let mut image = one_image(call, &repository)?;
    image.scanned = Some(call.now);
    save(call, &repository.name, &image)?;
    answer(of(
        call,
        json!({ "imageId": call.input.get("imageId"), "imageScanStatus": { "status": "IN_PROGRESS" } }),
    ))
}

/// A simulated image has no packages, so a scan finds nothing.
fn findings(call: &Call<'_>) -> Answer {
    let repository = existing(call)?;
    let image = one_image(call, &repository)?;
    let Some(scanned) = image.scanned else {
        return Err(Fault::new(
            "ScanNotFoundException",
            format!("Image scan does not exist for the image with '{}'", image.digest),
        ));
    };
    answer(of(
        call,
        json!({
            "imageId": { "imageDigest": image.digest, "imageTag": image.tags.first() },
            "imageScanStatus": scan_complete(),
            "imageScanFindings": { "imageScanCompletedAt": seconds(scanned), "findingSeverityCounts": {}, "findings": [] },
        }),
    ))
}

fn scan_complete() -> Value {
    json!({ "status": "COMPLETE", "description": "The scan was completed successfully." })
}

impl Repository {
    fn view(&self, call: &Call<'_>) -> Value {
        json!({
            "repositoryArn": arn(call, &self.name),
            "registryId": call.account,
            "repositoryName": self.name,
            "repositoryUri": format!("{}/{}", registry(call), self.name),
            "createdAt": seconds(self.created),
            "imageTagMutability": self.mutability,
            "imageScanningConfiguration": { "scanOnPush": self.scan_on_push },
            "encryptionConfiguration": self.encryption,
        })
    }
}

impl Image {
    /// Whether an ImageIdentifier names it: by digest, by tag, or by both.
    fn is(&self, id: &Value) -> bool {
        let digest = id["imageDigest"].as_str();
        let tag = id["imageTag"].as_str();
        (digest.is_some() || tag.is_some())
            && digest.is_none_or(|digest| digest == self.digest)
            && tag.is_none_or(|tag| self.tags.iter().any(|other| other == tag))
    }

    fn view(&self, call: &Call<'_>, repository: &str, tag: Option<&str>) -> Value {
        json!({
            "registryId": call.account,
            "repositoryName": repository,
            "imageId": { "imageDigest": self.digest, "imageTag": tag },
            "imageManifest": self.manifest,
            "imageManifestMediaType": self.media_type,
        })
    }
}

/// What a task's start finds for an image's URI.
pub enum Pull {
    /// With its digest.
    Found(String),
    /// Not in this account's registry, so the sandbox cannot know.
    Elsewhere,
    NoRepository(String),
    NoImage,
}

/// Looks for an image as the agent pulls it.
pub fn pull(call: &Call<'_>, image: &str) -> Result<Pull, Fault> {
    let Some(rest) = image.strip_prefix(&format!("{}/", registry(call))) else {
        return Ok(Pull::Elsewhere);
    };
    let (name, id) = match rest.split_once('@') {
        Some((name, digest)) => (
            name.split(':').next().unwrap_or_default(),
            json!({ "imageDigest": digest }),
        ),
        None => {
            let (name, tag) = rest.split_once(':').unwrap_or((rest, "latest"));
            (name, json!({ "imageTag": tag }))
        }
    };
    if call.store.get::<Repository>(REPOSITORY, name)?.is_none() {
        return Ok(Pull::NoRepository(name.to_owned()));
    }
    Ok(match images(call, name)?.into_iter().find(|image| image.is(&id)) {
        Some(image) => Pull::Found(image.digest),
        None => Pull::NoImage,
    })
}

fn registry(call: &Call<'_>) -> String {
    format!("{}.dkr.ecr.{}.amazonaws.com", call.account, call.region)
}

fn change(call: &Call<'_>, work: impl FnOnce(&mut Repository), view: impl FnOnce(&Repository) -> Value) -> Answer {
    let mut repository = existing(call)?;
    work(&mut repository);
    call.store.put(REPOSITORY, &repository.name, "", &repository)?;
    answer(of(call, view(&repository)))
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

fn document(call: &Call<'_>, member: &str) -> Result<String, Fault> {
    let text = call.text(member);
    match serde_json::from_str::<Map<String, Value>>(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(invalid(&format!(
            "Invalid parameter at '{member}' failed to satisfy constraint: 'not a JSON object: {error}'"
        ))),
    }
}

fn filter_by_status(call: &Call<'_>, images: &mut Vec<Image>) {
    match call.input.get("filter").and_then(|filter| filter["tagStatus"].as_str()) {
        Some("TAGGED") => images.retain(|image| !image.tags.is_empty()),
        Some("UNTAGGED") => images.retain(|image| image.tags.is_empty()),
        _ => (),
    }
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

fn failure(id: &Value) -> Value {
    json!({ "imageId": id, "failureCode": "ImageNotFound", "failureReason": "Requested image not found" })
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

fn no_policy(code: &str, what: &str, call: &Call<'_>) -> Fault {
    let name = call.text("repositoryName");
    let message = format!(
        "{what} policy does not exist for the repository with name '{name}' in the registry with id '{}'",
        call.account
    );
    Fault::new(code, message)
}

fn invalid(message: &str) -> Fault {
    Fault::new("InvalidParameterException", message)
}

fn invalid_token() -> Fault {
    invalid("Invalid parameter at 'nextToken' failed to satisfy constraint: 'unknown token'")
}
