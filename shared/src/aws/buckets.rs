//! What lies in a folder of a bucket.

use async_trait::async_trait;

use super::Aws;
use super::failure::{code, explain, incomplete};
use super::objects::{self, ObjectsRefused, Wanted};
use crate::check::CannotTell;
use crate::ports::{BucketFolder, ObjectEntry, Objects};

/// Objects of one folder that are listed at most: ten pages.
const MOST: usize = 10_000;

#[async_trait]
impl Objects for Aws {
    async fn listed(&self, folder: &BucketFolder) -> Result<Option<Vec<ObjectEntry>>, CannotTell> {
        const ACTION: &str = "s3:ListBucket";
        let (mut entries, mut token) = (Vec::new(), None::<String>);
        loop {
            let page = match objects::list(&self.config, folder, token.as_deref()).await {
                Ok(page) => page,
                Err(error) if code(&error) == Some("NoSuchBucket") => return Ok(None),
                Err(error) => return Err(self.refused(ACTION, &folder.to_string(), &error)),
            };
            entries.extend(page.objects.into_iter().filter_map(|(key, bytes)| entry(folder, &key, bytes)));
            token = match page.next {
                Some(next) if token.as_ref() != Some(&next) => Some(next),
                _ => break,
            };
            if entries.len() >= MOST {
                return Err(incomplete(
                    ACTION,
                    &folder.to_string(),
                    "end within 10,000 objects: name a smaller folder",
                ));
            }
        }
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Some(entries))
    }

    async fn content(&self, folder: &BucketFolder, name: &str, at_most: usize) -> Result<Vec<u8>, CannotTell> {
        let key = format!("{}{name}", folder.prefix);
        let wanted = Wanted { bucket: &folder.bucket, key: &key, version: None, at_most };
        let content = objects::get(&self.config, wanted).await;
        content.map_err(|error| self.refused("s3:GetObject", &format!("{folder}{name}"), &error))
    }
}

impl Aws {
    /// A bucket of another Region answers with where it is, or that the signature names the wrong Region.
    fn refused(&self, action: &str, object: &str, error: &ObjectsRefused) -> CannotTell {
        let explained = explain(action, object, error);
        let region = self.config.region().map(AsRef::as_ref).unwrap_or_default();
        match code(error) {
            Some(
                "PermanentRedirect"
                | "TemporaryRedirect"
                | "AuthorizationHeaderMalformed"
                | "IllegalLocationConstraintException",
            ) => {
                let remedy = format!("Use a bucket of the function's own Region, {region}; then redeploy.");
                CannotTell { remedy, ..explained }
            }
            Some("NoSuchKey") => CannotTell {
                remedy: "Let uploads end before a deployment begins; then redeploy.".to_owned(),
                ..explained
            },
            _ => explained,
        }
    }
}

/// `None` for the folder's own marker, and for what lies deeper.
fn entry(folder: &BucketFolder, key: &str, bytes: u64) -> Option<ObjectEntry> {
    let name = key.strip_prefix(&folder.prefix)?;
    (!name.is_empty() && !name.contains('/')).then(|| ObjectEntry { name: name.to_owned(), bytes })
}
