//! `images-exist`

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::future::join_all;

use super::words::{cannot_tell, count, list, version};
use crate::check::{Answer, CannotTell, Check, CheckContext};
use crate::deployment::AnyDeployment as _;
use crate::plan::{ImageSeverity, Plan};
use crate::ports::{EcrImage, Presence, Scan};

/// Every image that green's tasks would pull is in its registry, and its scan found nothing above the plan's limit.
pub struct ImagesExist {
    /// The worst finding that may be; findings are not asked for where the plan sets none.
    limit: Option<ImageSeverity>,
}

/// What is known of one image.
enum Found {
    /// It is there: its name, and its findings.
    There(String),
    /// It is not, or its findings are too bad: what was seen and what to do.
    Bad(String, String),
}

impl ImagesExist {
    /// With the plan's limit.
    pub fn from_plan(plan: &Plan) -> Self {
        Self { limit: plan.before_install.images.max_severity }
    }

    async fn look(&self, context: &CheckContext, image: &EcrImage) -> Result<Found, CannotTell> {
        let EcrImage { account, region, repository, .. } = image;
        let absent = |what: String| {
            let remedy =
                format!("Push {image}, or correct the image's name in the task definition; then deploy again.");
            Ok(Found::Bad(format!("{what} (account {account}, {region})"), remedy))
        };
        match context.ports.images().presence(image).await? {
            Presence::NoImage => return absent(format!("repository {repository} has no image {image}")),
            Presence::NoRepository => return absent(format!("ECR has no repository {repository} for image {image}")),
            Presence::FetchedAtFirstPull => {
                return Ok(Found::There(format!("{image} (a pull through cache rule would fetch it)")));
            }
            Presence::There => {}
        }
        let Some(limit) = self.limit else { return Ok(Found::There(image.to_string())) };
        let scan = |why: String, transient| {
            let remedy =
                "Have the repository scanned on push, or scan the image; or take max_severity out of the plan.";
            CannotTell { transient, ..cannot_tell(format!("the findings of {image}: {why}"), remedy) }
        };
        match context.ports.images().scan(image).await? {
            Scan::Complete(counts) => Ok(judge(image, &counts, limit)),
            Scan::UnderWay(status) => Err(scan(format!("its scan is {status}"), true)),
            Scan::Without(why) => Err(scan(why, false)),
        }
    }
}

#[async_trait]
impl Check for ImagesExist {
    fn id(&self) -> &'static str {
        "images-exist"
    }

    fn question(&self) -> String {
        "Is every image of the task definition in its registry, without findings above the plan's limit?".to_owned()
    }

    async fn ask(&self, context: &CheckContext) -> Result<Answer, CannotTell> {
        let arn = &context.deployment.target_task_definition;
        let Some(definition) = context.ports.tasks().task_definition(arn).await? else {
            let asked = format!("the images of {}: ECS has no such task definition", version(arn));
            return Err(cannot_tell(asked, format!("Correct {}.", context.deployment.terms().task_definition)));
        };
        let (mut images, mut foreign): (Vec<EcrImage>, Vec<String>) = (Vec::new(), Vec::new());
        for container in definition.containers {
            match EcrImage::parse(&container.image) {
                Some(image) => images.push(image),
                None => foreign.push(container.image),
            }
        }
        images.sort();
        images.dedup();
        foreign.sort();
        foreign.dedup();
        let found = join_all(images.iter().map(|image| self.look(context, image))).await;
        let (mut there, mut bad, mut remedies, mut unknown) = (Vec::new(), Vec::new(), Vec::new(), None);
        for found in found {
            match found {
                Ok(Found::There(image)) => there.push(image),
                Ok(Found::Bad(seen, remedy)) => {
                    bad.push(seen);
                    remedies.push(remedy);
                }
                Err(error) => unknown = unknown.or(Some(error)),
            }
        }
        // One image that is missing stops the deployment, whatever is unknown of the others.
        if let Some(remedy) = remedies.into_iter().next() {
            return Ok(Answer::no(bad.join("; "), remedy));
        }
        if let Some(error) = unknown {
            return Err(error);
        }
        let mut seen = match there.as_slice() {
            [] => "no image is in a private registry of ECR".to_owned(),
            some => format!("{} in ECR: {}", count(some.len(), "image"), list(some)),
        };
        if !foreign.is_empty() {
            seen.push_str(&format!("; not asked, its registry is not ECR: {}", list(&foreign)));
        }
        Ok(Answer::yes(seen))
    }
}

/// Counts what is above the limit. Severities that ECR could not tell (`UNDEFINED`, `UNTRIAGED`) are only said.
fn judge(image: &EcrImage, counts: &BTreeMap<String, u32>, limit: ImageSeverity) -> Found {
    let mut above: Vec<(ImageSeverity, u32)> = Vec::new();
    let (mut within, mut unrated) = (0, 0);
    for (word, count) in counts.iter().filter(|(_, count)| **count > 0) {
        match ImageSeverity::of_ecr(word) {
            Some(severity) if severity > limit => above.push((severity, *count)),
            Some(_) => within += count,
            None => unrated += count,
        }
    }
    if above.is_empty() {
        let unrated = if unrated > 0 { format!(", {unrated} of unknown severity") } else { String::new() };
        return Found::There(format!("{image} ({within} findings up to {limit}, none above{unrated})"));
    }
    above.sort_by_key(|(severity, _)| std::cmp::Reverse(*severity));
    let above: Vec<String> = above.iter().map(|(severity, count)| format!("{count} {severity}")).collect();
    Found::Bad(
        format!("the scan of {image} found {}; the plan allows findings up to {limit}", list(&above)),
        format!("Build {image} on repaired packages, push it and deploy that; ECR's console lists the findings."),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use insta::assert_snapshot;

    use super::ImagesExist;
    use crate::checks::told::told;
    use crate::fakes::Fakes;
    use crate::plan::Plan;
    use crate::ports::{Container, Scan};
    use crate::stage::Stage;

    async fn row(fakes: &Fakes, limit: &str) -> String {
        let plan = format!("version: 1\nbefore_install: {{ images: {{ {limit} }} }}\n");
        let check = ImagesExist::from_plan(&Plan::parse(&plan, "plan.yaml").expect("a plan"));
        told(&check, &fakes.context(Stage::BeforeInstall)).await
    }

    fn scanned(findings: &[(&str, u32)]) -> Fakes {
        let fakes = Fakes::well();
        let counts = findings.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect();
        fakes.state().images.insert("orders:42".to_owned(), Scan::Complete(counts));
        fakes
    }

    fn add(fakes: &Fakes, image: &str) {
        let mut state = fakes.state();
        let containers = &mut state.task_definitions[1].containers;
        let container = Container { name: image.to_owned(), image: image.to_owned(), ..containers[0].clone() };
        containers.push(container);
    }

    #[tokio::test]
    async fn passes_when_ecr_has_the_image() {
        assert_snapshot!(row(&Fakes::well(), "").await, @"
        PASSED
          1 image in ECR: orders:42
        ");
    }

    #[tokio::test]
    async fn passes_over_other_registries_and_says_so() {
        let fakes = Fakes::well();
        add(&fakes, "public.ecr.aws/nginx/nginx:1.27");
        add(&fakes, "123456789012.dkr.ecr.eu-central-1.amazonaws.com/docker-hub/envoy:1");
        assert_snapshot!(row(&fakes, "").await, @"
        PASSED
          2 images in ECR: docker-hub/envoy:1 (a pull through cache rule would fetch it) and orders:42; not asked, its registry is not ECR: public.ecr.aws/nginx/nginx:1.27
        ");
        fakes.state().task_definitions[1].containers.remove(0);
        fakes.state().task_definitions[1].containers.pop();
        assert_snapshot!(row(&fakes, "").await, @"
        PASSED
          no image is in a private registry of ECR; not asked, its registry is not ECR: public.ecr.aws/nginx/nginx:1.27
        ");
    }

    #[tokio::test]
    async fn fails_when_image_or_repository_is_missing() {
        let fakes = Fakes::well();
        fakes.state().images.remove("orders:42");
        assert_snapshot!(row(&fakes, "").await, @"
        FAILED
          repository orders has no image orders:42 (account 123456789012, eu-central-1)
          do: Push orders:42, or correct the image's name in the task definition; then deploy again.
        ");
        fakes.state().images.clear();
        assert_snapshot!(row(&fakes, "").await, @"
        FAILED
          ECR has no repository orders for image orders:42 (account 123456789012, eu-central-1)
          do: Push orders:42, or correct the image's name in the task definition; then deploy again.
        ");
    }

    #[tokio::test]
    async fn findings_count_only_above_the_limit() {
        let fakes = scanned(&[("CRITICAL", 1), ("HIGH", 2), ("LOW", 5), ("UNDEFINED", 1)]);
        assert_snapshot!(row(&fakes, "max_severity: high").await, @"
        FAILED
          the scan of orders:42 found 1 critical; the plan allows findings up to high
          do: Build orders:42 on repaired packages, push it and deploy that; ECR's console lists the findings.
        ");
        assert_snapshot!(row(&fakes, "max_severity: low").await, @"
        FAILED
          the scan of orders:42 found 1 critical and 2 high; the plan allows findings up to low
          do: Build orders:42 on repaired packages, push it and deploy that; ECR's console lists the findings.
        ");
        let fakes = scanned(&[("HIGH", 2), ("LOW", 5), ("UNTRIAGED", 1)]);
        assert_snapshot!(row(&fakes, "max_severity: high").await, @"
        PASSED
          1 image in ECR: orders:42 (7 findings up to high, none above, 1 of unknown severity)
        ");
    }

    #[tokio::test]
    async fn cannot_tell_findings_without_a_complete_scan() {
        let fakes = Fakes::well();
        let scans =
            [Scan::UnderWay("IN_PROGRESS".to_owned()), Scan::Without("its scan is FAILED: no space".to_owned())];
        let mut rows = Vec::new();
        for scan in scans {
            fakes.state().images.insert("orders:42".to_owned(), scan);
            rows.push(row(&fakes, "max_severity: high").await);
            assert!(row(&fakes, "").await.starts_with("PASSED"), "no limit, no question");
        }
        assert_snapshot!(rows.join("\n"), @"
        CANNOT TELL
          the findings of orders:42: its scan is IN_PROGRESS
          do: Have the repository scanned on push, or scan the image; or take max_severity out of the plan.
        CANNOT TELL
          the findings of orders:42: its scan is FAILED: no space
          do: Have the repository scanned on push, or scan the image; or take max_severity out of the plan.
        ");
    }

    /// What is missing is missing, whatever is unknown of another.
    #[tokio::test]
    async fn one_that_is_missing_is_not_hidden_by_one_that_is_unknown() {
        let fakes = Fakes::well();
        fakes.state().images = BTreeMap::from([("orders:42".to_owned(), Scan::Without("never scanned".to_owned()))]);
        add(&fakes, "123456789012.dkr.ecr.eu-central-1.amazonaws.com/proxy:1");
        assert!(row(&fakes, "max_severity: low").await.contains("ECR has no repository proxy"));
    }

    #[tokio::test]
    async fn cannot_tell_when_aws_does_not_answer() {
        let fakes = Fakes::well();
        fakes.state().unreachable = Some(false);
        assert_snapshot!(row(&fakes, "").await, @"
        CANNOT TELL
          task definition arn:aws:ecs:eu-central-1:123456789012:task-definition/orders:42: the call was refused
          do: Allow the call in the function's role.
        ");
    }
}
