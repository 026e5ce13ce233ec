//! ECR: whether an image exists, and what its scan found.

use async_trait::async_trait;
use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{ImageIdentifier, ScanStatus};

use super::Aws;
use super::failure::{code, explain, incomplete};
use crate::check::CannotTell;
use crate::ports::{EcrImage, ImageReference, Images, Presence, Scan};

#[async_trait]
impl Images for Aws {
    async fn presence(&self, image: &EcrImage) -> Result<Presence, CannotTell> {
        let client = self.ecr(&image.region);
        let call = client.describe_images().registry_id(&image.account).repository_name(&image.repository);
        let absent = match call.image_ids(identifier(image)).send().await {
            Ok(answer) if !answer.image_details().is_empty() => return Ok(Presence::There),
            Ok(_) => Presence::NoImage,
            Err(error) => match code(&error) {
                Some("ImageNotFoundException") => Presence::NoImage,
                Some("RepositoryNotFoundException") => Presence::NoRepository,
                _ => return Err(explain("ecr:DescribeImages", &name(image), &error)),
            },
        };
        Ok(if fetches(&client, image).await? { Presence::FetchedAtFirstPull } else { absent })
    }

    async fn scan(&self, image: &EcrImage) -> Result<Scan, CannotTell> {
        const ACTION: &str = "ecr:DescribeImageScanFindings";
        let client = self.ecr(&image.region);
        let call = client.describe_image_scan_findings().registry_id(&image.account);
        let call = call.repository_name(&image.repository).image_id(identifier(image));
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(error) if code(&error) == Some("ScanNotFoundException") => {
                return Ok(Scan::Without("the image was never scanned".to_owned()));
            }
            Err(error) => return Err(explain(ACTION, &name(image), &error)),
        };
        let status = answer.image_scan_status();
        let word = status.and_then(|status| status.status());
        let word = word.ok_or_else(|| incomplete(ACTION, &name(image), "status of the scan"))?;
        let said = status.and_then(|status| status.description()).map(|text| format!(": {text}")).unwrap_or_default();
        Ok(match word {
            // A scan on push is complete once; Inspector's goes on for as long as the image is looked after.
            ScanStatus::Complete | ScanStatus::Active => {
                let counts = answer.image_scan_findings().and_then(|findings| findings.finding_severity_counts());
                let counts = counts.ok_or_else(|| incomplete(ACTION, &name(image), "count of findings by severity"))?;
                let number = |count: i32| u32::try_from(count).unwrap_or_default();
                Scan::Complete(counts.iter().map(|(word, count)| (word.as_str().to_owned(), number(*count))).collect())
            }
            ScanStatus::InProgress | ScanStatus::Pending => Scan::UnderWay(format!("{}{said}", word.as_str())),
            _ => Scan::Without(format!("its scan is {}{said}", word.as_str())),
        })
    }
}

/// Whether a pull through cache rule of the registry stands for this repository. One who may not know takes it that none
/// does: then an image that is missing is missing.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html>
async fn fetches(client: &Client, image: &EcrImage) -> Result<bool, CannotTell> {
    let mut token = None;
    loop {
        let call = client.describe_pull_through_cache_rules().registry_id(&image.account).set_next_token(token);
        let page = match call.send().await {
            Ok(page) => page,
            Err(error) => {
                let cannot_tell = explain("ecr:DescribePullThroughCacheRules", &image.account, &error);
                return if cannot_tell.transient { Err(cannot_tell) } else { Ok(false) };
            }
        };
        let mut prefixes = page.pull_through_cache_rules().iter().filter_map(|rule| rule.ecr_repository_prefix());
        let covers = |prefix: &str| {
            let rest = image.repository.strip_prefix(prefix);
            prefix == "ROOT" || rest.is_some_and(|rest| rest.starts_with('/'))
        };
        if prefixes.any(covers) {
            return Ok(true);
        }
        token = page.next_token;
        if token.is_none() {
            return Ok(false);
        }
    }
}

fn identifier(image: &EcrImage) -> ImageIdentifier {
    let identifier = ImageIdentifier::builder();
    match &image.reference {
        ImageReference::Tag(tag) => identifier.image_tag(tag),
        ImageReference::Digest(digest) => identifier.image_digest(digest),
    }
    .build()
}

fn name(image: &EcrImage) -> String {
    format!("{image} in {}'s registry in {}", image.account, image.region)
}
