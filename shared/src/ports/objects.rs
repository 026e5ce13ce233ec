//! Objects that S3 keeps.

use std::fmt;

use async_trait::async_trait;
use serde::Deserialize;

use crate::check::CannotTell;

/// What is taken for a folder of a bucket: objects whose keys begin so, up to the next slash.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct BucketFolder {
    /// The bucket's name.
    pub bucket: String,
    /// Empty for the bucket itself; else it ends in a slash.
    pub prefix: String,
}

impl BucketFolder {
    /// Reads `s3://bucket/prefix/`; the last slash may be missing.
    ///
    /// # Errors
    /// Says what it should look like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| Err(format!("{text} {what}; it is written s3://bucket/folder/"));
        let Some(place) = text.strip_prefix("s3://") else { return wrong("is no place in S3") };
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || ".-".contains(letter);
        let named = (3..=63).contains(&bucket.len()) && bucket.chars().all(fits) && !bucket.starts_with(['.', '-']);
        if !named {
            return wrong("names no bucket");
        }
        if prefix.chars().any(char::is_control) {
            return wrong("has a character that no key should have");
        }
        let end = if prefix.is_empty() || prefix.ends_with('/') { "" } else { "/" };
        Ok(Self { bucket: bucket.to_owned(), prefix: format!("{prefix}{end}") })
    }
}

impl TryFrom<String> for BucketFolder {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl fmt::Display for BucketFolder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "s3://{}/{}", self.bucket, self.prefix)
    }
}

/// An object of a folder, before anybody reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectEntry {
    /// What its key says behind the folder's.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// S3.
#[async_trait]
pub trait Objects: Send + Sync {
    /// The objects of this folder, by name, those of deeper ones left out; `None` where there is no such bucket. A folder
    /// that nobody has put anything into is empty: S3 knows no folders.
    async fn listed(&self, folder: &BucketFolder) -> Result<Option<Vec<ObjectEntry>>, CannotTell>;

    /// The content of an object of this folder, `at_most` bytes of it.
    async fn content(&self, folder: &BucketFolder, name: &str, at_most: usize) -> Result<Vec<u8>, CannotTell>;
}

#[cfg(test)]
mod tests {
    use super::BucketFolder;

    fn read(text: &str) -> Result<String, String> {
        BucketFolder::parse(text).map(|folder| format!("{} {} {folder}", folder.bucket, folder.prefix))
    }

    #[test]
    fn a_folder_ends_in_a_slash_or_is_the_bucket_itself() {
        let read = |text| read(text).expect("a place in S3");
        assert_eq!(read("s3://shop/orders/42/"), "shop orders/42/ s3://shop/orders/42/");
        assert_eq!(read("s3://shop/orders/42"), "shop orders/42/ s3://shop/orders/42/");
        assert_eq!(read("s3://shop"), "shop  s3://shop/");
    }

    #[test]
    fn what_is_no_place_in_s3_is_told_how_one_is_written() {
        let wrong = |text| read(text).expect_err("no place in S3");
        assert_eq!(wrong("gs://shop/a"), "gs://shop/a is no place in S3; it is written s3://bucket/folder/");
        for text in ["s3://", "s3:///orders", "s3://Shop/a", "s3://arn:aws:s3:::shop/a", "s3://-shop/a"] {
            assert_eq!(wrong(text), format!("{text} names no bucket; it is written s3://bucket/folder/"));
        }
    }
}
