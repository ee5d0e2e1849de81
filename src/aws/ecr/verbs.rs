//! Images: what is there, and whether what a deployment needs is.

use aws_sdk_ecr::types::{ImageDetail, ImageIdentifier};

use super::repository;
use crate::aws::error::Call;
use crate::aws::{Aws, meant};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::verb::Anything;
use crate::resource::{Engine, Scope, Verb};
use crate::value::Value;

/// The verbs of the module `ecr`.
pub fn all(aws: &Aws) -> Vec<Verb> {
    vec![images(aws), require_image(aws)]
}

/// The name in the registry of what an argument means.
async fn meant_repository(scope: &Scope, argument: &Value) -> Result<String> {
    let fields = meant::fields(argument).await?;
    let name = ["name_at_aws", "text", "name"]
        .iter()
        .map(|key| meant::text(&fields, key))
        .find(|text| !text.is_empty());
    match name {
        Some(name) => Ok(repository::physical(scope, &name)),
        None => Err(Error::failed(
            "a repository is named by its handle, a row of ecr::repositories(), or its name",
        )),
    }
}

fn images(aws: &Aws) -> Verb {
    let aws = aws.clone();
    Verb::reads(
        "ecr",
        "images",
        "The images of a repository of the project, the newest first, as a list of maps with `tags`, `digest`, `size` in \
         bytes and `pushed_at`. Fails when there is no such repository.",
    )
    .param::<Anything>("repository", "Its handle, a row of ecr::repositories(), or its name.")
    .actions(&["ecr:DescribeImages"])
    .run(move |cx, args| {
        let aws = aws.clone();
        async move {
            cx.engine.pass_gate().await?;
            let argument = args.into_iter().next().unwrap_or_default();
            let physical = meant_repository(cx.engine.scope(), &argument).await?;
            let pages = aws.ecr.describe_images().repository_name(&physical);
            let found = pages.into_paginator().items().send().try_collect().await;
            let mut images = found.call("ecr:DescribeImages")?;
            images.sort_by_key(|image| std::cmp::Reverse(image.image_pushed_at().map(|at| at.secs())));
            Ok(Value::List(images.iter().map(row).collect()))
        }
    })
}

fn row(image: &ImageDetail) -> Value {
    Value::Map(map! {
        "tags" => image.image_tags().to_vec(), "digest" => image.image_digest().unwrap_or_default(),
        "size" => image.image_size_in_bytes().unwrap_or_default(), "pushed_at" => meant::moment(image.image_pushed_at()),
    })
}

fn require_image(aws: &Aws) -> Verb {
    let aws = aws.clone();
    Verb::reads(
        "ecr",
        "require_image",
        "Makes sure that an image is in a repository of the project, and gives its address, as a task definition takes \
         it. Fails when it is not there, and says how to push it. On the sandbox the image is simulated, and that is \
         said.",
    )
    .param::<Anything>("repository", "Its handle, a row of ecr::repositories(), or its name.")
    .param::<String>("tag", "The image's tag, as `1.0`.")
    .actions(&["ecr:DescribeImages", "ecr:DescribeRepositories"])
    .run(move |cx, args| {
        let aws = aws.clone();
        async move {
            cx.engine.pass_gate().await?;
            let mut args = args.into_iter();
            let physical = meant_repository(cx.engine.scope(), &args.next().unwrap_or_default()).await?;
            let tag: String = args.next().unwrap_or_default().read()?;
            let uri = repository::uri(&aws, cx.engine.scope(), &physical).await?;
            let uri = uri.ok_or_else(|| Error::failed(format!("there is no repository {physical}")))?;
            match (is_there(&aws, &physical, &tag).await?, aws.is_sandbox) {
                (true, _) => {}
                (false, true) if cx.engine.is_plan() => cx
                    .engine
                    .progress()
                    .note(&format!("the image {physical}:{tag} would be simulated")),
                (false, true) => simulate(&cx.engine, &aws, &physical, &tag).await?,
                (false, false) => return Err(missing(&aws, &uri, &tag)),
            }
            Ok(Value::text(format!("{uri}:{tag}")))
        }
    })
}

async fn is_there(aws: &Aws, physical: &str, tag: &str) -> Result<bool> {
    let image = ImageIdentifier::builder().image_tag(tag).build();
    let call = aws.ecr.describe_images().repository_name(physical).image_ids(image);
    match call.send().await.call("ecr:DescribeImages") {
        Ok(answer) => Ok(!answer.image_details().is_empty()),
        Err(error) if error.code() == "ImageNotFoundException" => Ok(false),
        Err(error) => Err(error),
    }
}

/// The commands with which Docker pushes. Source: ECR User Guide, "Pushing a Docker image".
fn missing(aws: &Aws, uri: &str, tag: &str) -> Error {
    let registry = uri.split('/').next().unwrap_or(uri);
    Error::failed(format!("the image {uri}:{tag} is not there"))
        .note(format!(
            "aws ecr get-login-password --region {} | docker login --username AWS --password-stdin {registry}",
            aws.region
        ))
        .note(format!("docker build -t {uri}:{tag} ."))
        .note(format!("docker push {uri}:{tag}"))
        .hint("push it with these commands, then run the same command again")
}

/// Puts an image with nothing in it. Putting the same manifest under the same tag twice is refused as done already.
async fn simulate(engine: &Engine, aws: &Aws, physical: &str, tag: &str) -> Result<()> {
    const MEDIA: &str = "application/vnd.docker.distribution.manifest.v2+json";
    engine.begin_write().await?;
    let digest = |text: &str| {
        use sha2::{Digest, Sha256};
        let digest = Sha256::digest(text);
        digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    // Two tags are two images, as they would be.
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MEDIA,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": 2,
            "digest": format!("sha256:{}", digest(&format!("{physical}:{tag}"))),
        },
        "layers": [],
    });
    let call = aws.ecr.put_image().repository_name(physical).image_tag(tag);
    let call = call
        .image_manifest(manifest.to_string())
        .image_manifest_media_type(MEDIA);
    match call.send().await.call("ecr:PutImage") {
        Err(error) if error.code() == "ImageAlreadyExistsException" => Ok(()),
        Err(error) => Err(error),
        Ok(_) => {
            engine.progress().note(&format!(
                "the image {physical}:{tag} is simulated: the sandbox runs no containers"
            ));
            Ok(())
        }
    }
}
