//! Buckets of S3, as far as native backups need them: folders below `s3/` in the sandbox's folder, one file for each
//! object. S3 itself is not in the sandbox. A bucket is there as soon as a backup was written to it, and a file that is
//! put into its folder is an object of it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::super::call::Call;

/// The folder of all buckets.
const ROOT: &str = "s3";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    pub bucket: String,
    pub key: String,
}

impl Object {
    /// Reads `arn:aws:s3:::BUCKET/KEY`.
    pub fn parse(arn: &str) -> Result<Self, &'static str> {
        if arn.is_empty() {
            return Err("S3 ARN prefix cannot be empty.");
        }
        let path = arn.strip_prefix("arn:aws:s3:::").and_then(|rest| rest.split_once('/'));
        let Some((bucket, key)) = path.filter(|(_, key)| !key.is_empty()) else {
            return Err("Invalid S3 ARN. Its form is arn:aws:s3:::bucket_name/file_name.extension.");
        };
        // *General purpose bucket naming rules*; the words of S3's InvalidBucketName.
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        let right = (3..=63).contains(&bucket.len())
            && bucket.chars().all(allowed)
            && !bucket.contains("..")
            && !bucket.starts_with(['-', '.'])
            && !bucket.ends_with(['-', '.']);
        match right {
            true => Ok(Self {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
            }),
            false => Err("The specified bucket is not valid."),
        }
    }

    pub fn bucket_arn(&self) -> String {
        format!("arn:aws:s3:::{}", self.bucket)
    }

    pub fn folder(&self, call: &Call<'_>) -> PathBuf {
        call.dir.join(ROOT).join(&self.bucket)
    }

    /// Where its content lies. What could lead out of the bucket's folder is written as in a URL.
    pub fn file(&self, call: &Call<'_>) -> PathBuf {
        let mut path = self.folder(call);
        path.extend(self.key.split('/').map(safe));
        path
    }

    /// Where the file is written before it takes its place. No key can mean it.
    pub fn unfinished(call: &Call<'_>) -> PathBuf {
        call.dir.join(ROOT).join("_unfinished")
    }
}

fn safe(segment: &str) -> String {
    let mut text = String::new();
    let is_way = matches!(segment, "" | "." | "..");
    for byte in segment.bytes() {
        match byte {
            b'.' if is_way => text.push_str("%2E"),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'=' | b'+' | b'(' | b')' => {
                text.push(char::from(byte));
            }
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    match text.is_empty() {
        true => "%".to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_is_read_and_a_key_leads_nowhere_else() {
        let object = Object::parse("arn:aws:s3:::my-bucket/a/b.bak").unwrap();
        assert_eq!((object.bucket.as_str(), object.key.as_str()), ("my-bucket", "a/b.bak"));
        for wrong in [
            "",
            "s3://b/k",
            "arn:aws:s3:::bucket",
            "arn:aws:s3:::bucket/",
            "arn:aws:s3:::../x",
            "arn:aws:s3:::A_b/x",
        ] {
            assert!(Object::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(safe(".."), "%2E%2E");
        assert_eq!(safe(""), "%");
        assert_eq!(safe("ä b\\c.bak"), "%C3%A4%20b%5Cc.bak");
    }
}
