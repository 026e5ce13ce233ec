//! Container images and where they are kept.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;

use crate::check::CannotTell;

/// An image in a private registry of ECR.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html>
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EcrImage {
    /// Account whose registry it is.
    pub account: String,
    /// Region of the registry.
    pub region: String,
    /// Repository.
    pub repository: String,
    /// Which of its images.
    pub reference: ImageReference,
}

/// Which image of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ImageReference {
    /// By tag.
    Tag(String),
    /// By digest, `sha256:…`; wins over a tag beside it.
    Digest(String),
}

/// Registries of ECR: what stands between account and Region, and behind the Region.
const REGISTRIES: [(&str, &[&str]); 3] = [
    ("dkr.ecr.", &[".amazonaws.com", ".amazonaws.com.cn"]),
    ("dkr.ecr-fips.", &[".amazonaws.com"]),
    ("dkr-ecr.", &[".on.aws", ".on.amazonwebservices.com.cn"]),
];

impl EcrImage {
    /// The image with this name; `None` where its registry is not a private one of ECR.
    pub fn parse(image: &str) -> Option<Self> {
        let (host, rest) = image.split_once('/')?;
        let (account, host) = host.split_once('.')?;
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let region = REGISTRIES.iter().find_map(|(before, after)| {
            let host = host.strip_prefix(before)?;
            after.iter().find_map(|end| host.strip_suffix(end))
        })?;
        let (name, digest) = rest.split_once('@').map_or((rest, None), |(name, digest)| (name, Some(digest)));
        let (repository, tag) = name.split_once(':').unwrap_or((name, "latest"));
        if repository.is_empty() || region.is_empty() || region.contains('.') {
            return None;
        }
        let reference = match digest {
            Some(digest) => ImageReference::Digest(digest.to_owned()),
            None => ImageReference::Tag(tag.to_owned()),
        };
        Some(Self {
            account: account.to_owned(),
            region: region.to_owned(),
            repository: repository.to_owned(),
            reference,
        })
    }
}

/// `orders:42` or `orders@sha256:…`.
impl fmt::Display for EcrImage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reference {
            ImageReference::Tag(tag) => write!(out, "{}:{tag}", self.repository),
            ImageReference::Digest(digest) => {
                let end = digest.char_indices().nth(19).map_or(digest.len(), |(at, _)| at);
                write!(out, "{}@{}", self.repository, &digest[..end])
            }
        }
    }
}

/// Whether ECR has an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It has.
    There,
    /// The repository has none of this tag or digest.
    NoImage,
    /// There is no such repository.
    NoRepository,
    /// Not yet, but a pull through cache rule would fetch it at the first pull.
    FetchedAtFirstPull,
}

/// What a vulnerability scan of an image found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scan {
    /// It is complete: findings by severity in ECR's words, `CRITICAL`, `HIGH`, …
    Complete(BTreeMap<String, u32>),
    /// It may still become complete.
    UnderWay(String),
    /// There is none, or it failed; in ECR's words.
    Without(String),
}

/// ECR.
#[async_trait]
pub trait Images: Send + Sync {
    /// Whether the registry has this image.
    async fn presence(&self, image: &EcrImage) -> Result<Presence, CannotTell>;

    /// The findings of its scan, basic or enhanced.
    async fn scan(&self, image: &EcrImage) -> Result<Scan, CannotTell>;
}

#[cfg(test)]
mod tests {
    use super::EcrImage;

    fn told(image: &str) -> String {
        EcrImage::parse(image).map_or_else(
            || "not ECR".to_owned(),
            |it| format!("{} {} {} {:?}", it.account, it.region, it.repository, it.reference),
        )
    }

    #[test]
    fn account_region_repository_and_reference_are_read_from_the_name() {
        const AT: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
        assert_eq!(told(&format!("{AT}/orders:42")), r#"123456789012 eu-west-1 orders Tag("42")"#);
        assert_eq!(told(&format!("{AT}/shop/orders")), r#"123456789012 eu-west-1 shop/orders Tag("latest")"#);
        assert_eq!(told(&format!("{AT}/a:1@sha256:0f")), r#"123456789012 eu-west-1 a Digest("sha256:0f")"#);
        assert_eq!(
            told("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/a:1"),
            r#"123456789012 cn-north-1 a Tag("1")"#
        );
        assert_eq!(told("123456789012.dkr-ecr.eu-west-1.on.aws/a:1"), r#"123456789012 eu-west-1 a Tag("1")"#);
    }

    #[test]
    fn another_registry_is_not_taken_for_ecr() {
        for image in [
            "nginx:1.27",
            "docker.io/library/nginx",
            "public.ecr.aws/nginx/nginx:1",
            "ghcr.io/a/b@sha256:0",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.example.org/a:1",
            "12345.dkr.ecr.eu-west-1.amazonaws.com/a:1",
            "",
        ] {
            assert_eq!(told(image), "not ECR", "{image}");
        }
    }
}
