//! The address of a file in S3, as environments and scripts write it: `s3://BUCKET/KEY`, or its ARN
//! `arn:aws:s3:::BUCKET/KEY`.
//!
//! Source: S3 User Guide, "General purpose bucket naming rules" and "Naming Amazon S3 objects"; the ARN as in RDS User
//! Guide, "Using native backup and restore".

use std::fmt;

use crate::error::{Error, Result};

/// UTF-8 bytes of a key: "Naming Amazon S3 objects".
const LONGEST_KEY: usize = 1024;

/// A file in S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3File {
    pub bucket: String,
    pub key: String,
}

impl S3File {
    /// Reads `s3://BUCKET/KEY` or an ARN.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: String| {
            Error::failed(format!("\"{text}\" is no file in S3: {why}")).hint("as \"s3://my-bucket/shop.bak\"")
        };
        let path = match text.strip_prefix("s3://") {
            Some(path) => Some(path),
            None => text
                .strip_prefix("arn:aws")
                .and_then(|rest| rest.split_once(":s3:::"))
                .map(|(_, path)| path),
        };
        let Some(path) = path else {
            return Err(wrong("it begins with neither s3:// nor arn:aws:s3:::".into()));
        };
        let Some((bucket, key)) = path.split_once('/').filter(|(_, key)| !key.is_empty()) else {
            return Err(wrong("the file's name is missing behind the bucket".into()));
        };
        if !is_bucket(bucket) {
            return Err(wrong(format!("\"{bucket}\" is no name of a bucket")));
        }
        if key.len() > LONGEST_KEY || key.chars().any(char::is_control) {
            return Err(wrong("its key has more than 1024 bytes, or control characters".into()));
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }

    /// The ARN, in the partition of a region.
    pub fn arn(&self, region: &str) -> String {
        format!("{}/{}", bucket_arn(&self.bucket, region), self.key)
    }
}

impl fmt::Display for S3File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

/// Whether this can be the name of a bucket.
pub fn is_bucket(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.chars().all(allowed)
        && name.starts_with(end)
        && name.ends_with(end)
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
}

/// The ARN of a bucket, in the partition of a region.
pub fn bucket_arn(name: &str, region: &str) -> String {
    format!("arn:{}:s3:::{name}", partition(region))
}

/// The partition of a region: the second part of every ARN.
pub fn partition(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_in_both_forms() {
        let file = S3File::parse("s3://my-bucket/nightly/shop.bak").unwrap();
        assert_eq!(file, S3File::parse("arn:aws:s3:::my-bucket/nightly/shop.bak").unwrap());
        assert_eq!(
            file,
            S3File::parse("arn:aws-cn:s3:::my-bucket/nightly/shop.bak").unwrap()
        );
        assert_eq!(file.arn("eu-central-1"), "arn:aws:s3:::my-bucket/nightly/shop.bak");
        assert_eq!(
            file.arn("us-gov-west-1"),
            "arn:aws-us-gov:s3:::my-bucket/nightly/shop.bak"
        );
        assert_eq!(file.to_string(), "s3://my-bucket/nightly/shop.bak");
    }

    #[test]
    fn what_is_no_file_is_refused_with_the_reason() {
        for (text, why) in [
            ("shop.bak", "neither s3:// nor"),
            ("https://my-bucket/shop.bak", "neither s3:// nor"),
            ("s3://my-bucket", "the file's name is missing"),
            ("s3://my-bucket/", "the file's name is missing"),
            ("s3://My_Bucket/shop.bak", "is no name of a bucket"),
            ("s3://10.0.0.1/shop.bak", "is no name of a bucket"),
            ("s3://ab/shop.bak", "is no name of a bucket"),
        ] {
            let error = S3File::parse(text).unwrap_err();
            assert!(error.message().contains(why), "{error}");
        }
    }
}
