//! Images: pushed, listed, deleted, pulled.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::answers::{answer, page, seconds};
use super::super::call::{Answer, Call, Fault};
use super::super::durations;
use super::scan;
use super::{
    IMAGE, Image, REPOSITORY, Repository, existing, image_id, images, invalid_token, most, no_image, registry, save,
};

pub const MANIFEST_TYPE: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// The sandbox's way to push: see the module's page.
pub fn put_image(call: &Call<'_>) -> Answer {
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
            scanned: repository
                .scan_on_push
                .then(|| call.after(call.usual(durations::IMAGE_SCAN))),
        });
    if !tag.is_empty() {
        image.tags.push(tag.to_owned());
    }
    save(call, &repository.name, &image)?;
    answer(json!({ "image": image.view(call, &repository.name, Some(tag).filter(|tag| !tag.is_empty())) }))
}

pub fn describe_images(call: &Call<'_>) -> Answer {
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
                "imageScanStatus": image.scanned.map(|scanned| scan::status(call, scanned)),
                "imageManifestMediaType": image.media_type,
            })
        })
        .collect();
    answer(json!({ "imageDetails": details, "nextToken": page.next }))
}

pub fn list_images(call: &Call<'_>) -> Answer {
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

pub fn batch_get(call: &Call<'_>) -> Answer {
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
pub fn batch_delete(call: &Call<'_>) -> Answer {
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

impl Image {
    /// Whether an ImageIdentifier names it: by digest, by tag, or by both.
    pub fn is(&self, id: &Value) -> bool {
        let digest = id["imageDigest"].as_str();
        let tag = id["imageTag"].as_str();
        (digest.is_some() || tag.is_some())
            && digest.is_none_or(|digest| digest == self.digest)
            && tag.is_none_or(|tag| self.tags.iter().any(|other| other == tag))
    }

    pub fn view(&self, call: &Call<'_>, repository: &str, tag: Option<&str>) -> Value {
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

pub fn filter_by_status(call: &Call<'_>, images: &mut Vec<Image>) {
    match call.input.get("filter").and_then(|filter| filter["tagStatus"].as_str()) {
        Some("TAGGED") => images.retain(|image| !image.tags.is_empty()),
        Some("UNTAGGED") => images.retain(|image| image.tags.is_empty()),
        _ => (),
    }
}

pub fn failure(id: &Value) -> Value {
    json!({ "imageId": id, "failureCode": "ImageNotFound", "failureReason": "Requested image not found" })
}
