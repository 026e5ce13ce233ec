//! The AppSpec's text. `GetDeployment` never has it: it lies in the application's revision, or in S3.
//!
//! <https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_GetApplicationRevision.html>

#![expect(deprecated, reason = "a deployment may still have been made with a raw string")]

use aws_sdk_codedeploy::types::{AppSpecContent, RawString, RevisionLocation, RevisionLocationType};

use super::Aws;
use super::failure::{explain, incomplete};
use super::objects::{self, Wanted};
use crate::appspec::{AppSpec, FunctionAppSpec};
use crate::check::CannotTell;
use crate::discovery::{DiscoveryError, Record, Revision, app_spec, function_app_spec};

/// Bytes of an AppSpec that are read at most. They are a few kilobytes.
const AT_MOST: usize = 256 * 1024;

impl Aws {
    pub(super) async fn app_spec(&self, record: &Record) -> Result<AppSpec, DiscoveryError> {
        let found = self.app_spec_text(record).await?;
        app_spec(&found.text, found.sha256, &found.source)
    }

    pub(super) async fn function_app_spec(&self, record: &Record) -> Result<FunctionAppSpec, DiscoveryError> {
        let found = self.app_spec_text(record).await?;
        function_app_spec(&found.text, found.sha256, &found.source)
    }

    async fn app_spec_text<'r>(&self, record: &'r Record) -> Result<Text<'r>, DiscoveryError> {
        let inline = |text, sha256| Text { text, sha256: Some(sha256), source: "appspec.yaml".to_owned() };
        match &record.revision {
            Revision::AppSpecContent { sha256 } => {
                let content = AppSpecContent::builder().sha256(sha256).build();
                let location = RevisionLocation::builder()
                    .revision_type(RevisionLocationType::AppSpecContent)
                    .app_spec_content(content);
                let found = self.revision(&record.application, location.build()).await?;
                let content = found.app_spec_content.and_then(|content| content.content);
                let content = content.ok_or_else(|| no_content(&record.application))?;
                Ok(inline(content, sha256))
            }
            Revision::RawString { sha256 } => {
                let text = RawString::builder().sha256(sha256).build();
                let location = RevisionLocation::builder().revision_type(RevisionLocationType::String).string(text);
                let found = self.revision(&record.application, location.build()).await?;
                let content = found.string.and_then(|text| text.content);
                let content = content.ok_or_else(|| no_content(&record.application))?;
                Ok(inline(content, sha256))
            }
            Revision::S3 { bucket, key, version, bundle } => {
                let name = format!("s3://{bucket}/{key}");
                if !matches!(bundle.as_str(), "YAML" | "JSON") {
                    return Err(DiscoveryError::unfit(
                        format!(
                            "the revision {name} is a {bundle} archive; the AppSpec is read from YAML and JSON files"
                        ),
                        "Upload the AppSpec file itself, with bundle type YAML or JSON, and redeploy.",
                    ));
                }
                let text = self.object(bucket, key, version.as_deref()).await?;
                Ok(Text { text, sha256: None, source: name })
            }
            Revision::Other(kind) => Err(DiscoveryError::unfit(
                format!(
                    "the deployment's revision is of type {kind}, which no deployment of a service or function has"
                ),
                "Deploy with an AppSpec in the revision or in S3.",
            )),
        }
    }

    async fn revision(&self, application: &str, location: RevisionLocation) -> Result<RevisionLocation, CannotTell> {
        const ACTION: &str = "codedeploy:GetApplicationRevision";
        let call = self.codedeploy().get_application_revision().application_name(application).revision(location);
        let answer = call.send().await.map_err(|error| explain(ACTION, application, &error))?;
        answer.revision.ok_or_else(|| incomplete(ACTION, application, "revision"))
    }

    async fn object(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<String, CannotTell> {
        // IAM has a name of its own for reading a version.
        let action = if version.is_some() { "s3:GetObjectVersion" } else { "s3:GetObject" };
        let name = format!("s3://{bucket}/{key}");
        let wanted = Wanted { bucket, key, version, at_most: AT_MOST + 1 };
        let object = objects::get(&self.config, wanted).await.map_err(|error| explain(action, &name, &error))?;
        if object.len() > AT_MOST {
            return Err(incomplete(action, &name, "AppSpec: it is larger than 256 KiB"));
        }
        String::from_utf8(object).map_err(|error| CannotTell {
            asked: format!("{action} of {name}"),
            remedy: "Upload the AppSpec once more, as UTF-8 text, and redeploy.".to_owned(),
            transient: false,
            source: Some(Box::new(error)),
        })
    }
}

/// An AppSpec as it was found.
struct Text<'r> {
    text: String,
    /// What its SHA-256 must be.
    sha256: Option<&'r str>,
    /// Its name in messages.
    source: String,
}

/// Where the deployment says that its AppSpec is.
pub(super) fn revision(location: RevisionLocation) -> Revision {
    let sha256 = |of: Option<String>| of.unwrap_or_default();
    match location.revision_type {
        Some(RevisionLocationType::AppSpecContent) => {
            Revision::AppSpecContent { sha256: sha256(location.app_spec_content.and_then(|content| content.sha256)) }
        }
        Some(RevisionLocationType::String) => {
            Revision::RawString { sha256: sha256(location.string.and_then(|text| text.sha256)) }
        }
        Some(RevisionLocationType::S3) => match location.s3_location {
            Some(object) => Revision::S3 {
                bucket: object.bucket.unwrap_or_default(),
                key: object.key.unwrap_or_default(),
                version: object.version,
                bundle: object.bundle_type.map(|kind| kind.as_str().to_owned()).unwrap_or_else(|| "YAML".to_owned()),
            },
            None => Revision::Other("S3 without a location".to_owned()),
        },
        Some(other) => Revision::Other(other.as_str().to_owned()),
        None => Revision::Other("none".to_owned()),
    }
}

fn no_content(application: &str) -> CannotTell {
    incomplete("codedeploy:GetApplicationRevision", application, "AppSpec content")
}
