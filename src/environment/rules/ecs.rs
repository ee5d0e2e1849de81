//! The service and the variables of its container.

use super::{CONNECTION_STRING, IMAGE, Problems, SECRET, SECRET_NAME, VARIABLE, is_arn, matches};
use crate::environment::model::Ecs;

/// The amounts of memory, in MiB, that Fargate has for an amount of CPU: the least, the most and the step.
/// Source: Amazon ECS Developer Guide, "Task CPU and memory".
const FARGATE: [(u32, u32, u32, u32); 7] = [
    (256, 512, 2048, 512),
    (512, 1024, 4096, 1024),
    (1024, 2048, 8192, 1024),
    (2048, 4096, 16384, 1024),
    (4096, 8192, 30720, 1024),
    (8192, 16384, 61440, 4096),
    (16384, 32768, 122_880, 8192),
];

pub(super) fn check(ecs: &Ecs, problems: &mut Problems) {
    let path = |key| ["ecs", key];
    problems.form(
        &path("image"),
        &IMAGE,
        &ecs.image,
        "an image with a tag or digest",
        "as \"identityserver:1.0\" in the project's own repository, or a full address with a tag",
    );
    match FARGATE.iter().find(|(cpu, ..)| *cpu == ecs.cpu) {
        None => {
            let known: Vec<_> = FARGATE.iter().map(|(cpu, ..)| cpu.to_string()).collect();
            let message = format!("Fargate has no {} CPU units: {}", ecs.cpu, known.join(", "));
            problems.add(&path("cpu"), message, "1024 units are one processor");
        }
        Some((cpu, least, most, step)) => {
            // 256 units have 512, 1024 and 2048 only.
            let odd = *cpu == 256 && ecs.memory == 1536;
            if !(*least..=*most).contains(&ecs.memory) || !ecs.memory.is_multiple_of(*step) || odd {
                let fitting = match cpu {
                    256 => "512, 1024 or 2048".to_owned(),
                    _ => format!("{least} to {most} in steps of {step}"),
                };
                let message = format!("Fargate has no {} MiB for {cpu} CPU units: {fitting}", ecs.memory);
                problems.add(&path("memory"), message, None);
            }
        }
    }
    if ecs.count > 1000 {
        let message = format!("{} tasks are too many: 1000 is the most", ecs.count);
        problems.add(&path("count"), message, None);
    }
    if ecs.port == 0 {
        problems.add(&path("port"), "a port goes from 1 to 65535", None);
    }
    let health = &ecs.health_path;
    if !health.starts_with('/') || health.len() > 1024 || health.chars().any(|char| char.is_whitespace()) {
        let message = format!("\"{health}\" is not a path");
        problems.add(&path("health_path"), message, "as \"/health\"");
    }
    if let Some(issuer) = &ecs.issuer {
        let right = url::Url::parse(issuer).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none()
        });
        if !right || issuer.ends_with('/') {
            let message = format!("\"{issuer}\" is not an issuer");
            problems.add(
                &path("issuer"),
                message,
                "as \"https://login.example.org\", without / at the end",
            );
        }
    }
    variables(ecs, problems);
}

fn variables(ecs: &Ecs, problems: &mut Problems) {
    let name = |key: &str| !key.is_empty() && !key.contains(|char: char| char == '=' || char.is_whitespace());
    let hint = "name it in [ecs.secrets]: the value comes from a variable and is kept in Secrets Manager";
    for (key, value) in &ecs.environment {
        let path = ["ecs", "environment", key.as_str()];
        if !name(key) {
            problems.add(&path, format!("\"{key}\" cannot be the name of a variable"), None);
        } else if matches(&SECRET_NAME, key) || matches(&CONNECTION_STRING, value) {
            problems.add(
                &path,
                format!("`{key}` looks like a credential, which is never written here"),
                hint,
            );
        } else if ecs.secrets.contains_key(key) {
            problems.add(
                &path,
                format!("`{key}` is in [ecs.secrets] too"),
                "a container has one of the two",
            );
        }
    }
    for (key, source) in &ecs.secrets {
        let path = ["ecs", "secrets", key.as_str()];
        if !name(key) {
            problems.add(&path, format!("\"{key}\" cannot be the name of a variable"), None);
        }
        // The text is not repeated: it may be the secret itself.
        if is_arn(source) && !matches(&SECRET, source) {
            let message = "this is not the ARN of a secret or a parameter";
            problems.add(
                &path,
                message,
                "as \"arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME\"",
            );
        } else if !is_arn(source) && !matches(&VARIABLE, source) {
            let message = "the name of a variable or an ARN is expected here, never the secret itself";
            problems.add(&path, message, "as \"SMTP_PASSWORD\"");
        }
    }
}
