//! Repositories: made, listed, deleted, and their settings.

use serde_json::{Map, Value, json};

use super::super::answers::{answer, only, page_of, seconds};
use super::super::call::{Answer, Call, Fault};
use super::super::tags;
use super::{
    IMAGE, REPOSITORY, Repository, arn, existing, image_id, images, invalid, invalid_token, most, not_found, of,
    registry,
};

pub fn create(call: &Call<'_>) -> Answer {
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
        mutability: mutability(call)?,
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

pub fn describe(call: &Call<'_>) -> Answer {
    let names = call.texts("repositoryNames");
    for name in &names {
        if call.store.get::<Repository>(REPOSITORY, name)?.is_none() {
            return Err(not_found(call, name));
        }
    }
    let page = page_of(
        call,
        (REPOSITORY, ""),
        |repository: &Repository| Ok(names.is_empty() || names.contains(&repository.name)),
        call.text("nextToken"),
        most(call),
        invalid_token,
    )?;
    let views: Vec<_> = page.items.iter().map(|repository| repository.view(call)).collect();
    answer(json!({ "repositories": views, "nextToken": page.next }))
}

pub fn delete(call: &Call<'_>) -> Answer {
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

impl Repository {
    pub fn view(&self, call: &Call<'_>) -> Value {
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

pub fn change(call: &Call<'_>, work: impl FnOnce(&mut Repository), view: impl FnOnce(&Repository) -> Value) -> Answer {
    let mut repository = existing(call)?;
    work(&mut repository);
    call.store.put(REPOSITORY, &repository.name, "", &repository)?;
    answer(of(call, view(&repository)))
}

/// `MUTABLE` (the default) or `IMMUTABLE`.
pub fn mutability(call: &Call<'_>) -> Result<String, Fault> {
    match call.text("imageTagMutability") {
        "" => Ok("MUTABLE".to_owned()),
        known @ ("MUTABLE" | "IMMUTABLE") => Ok(known.to_owned()),
        other => Err(Fault::new(
            "UnsupportedOperation",
            format!("not in the sandbox: the tag mutability {other}; it has MUTABLE and IMMUTABLE"),
        )),
    }
}

pub fn document(call: &Call<'_>, member: &str) -> Result<String, Fault> {
    let text = call.text(member);
    match serde_json::from_str::<Map<String, Value>>(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(invalid(&format!(
            "Invalid parameter at '{member}' failed to satisfy constraint: 'not a JSON object: {error}'"
        ))),
    }
}

pub fn no_policy(code: &str, what: &str, call: &Call<'_>) -> Fault {
    let name = call.text("repositoryName");
    let message = format!(
        "{what} policy does not exist for the repository with name '{name}' in the registry with id '{}'",
        call.account
    );
    Fault::new(code, message)
}
