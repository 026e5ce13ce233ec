//! `health-check-is-sound`

use async_trait::async_trait;
use futures::future::try_join_all;

use super::words::{cannot_tell, list};
use crate::check::{Answer, CannotTell, Check, CheckContext};
use crate::deployment::{AnyDeployment as _, Deployment, HealthCheck, TargetGroup};

/// Seconds from SIGTERM to SIGKILL where the task definition says nothing.
const STOP_TIMEOUT: u32 = 30;

/// A task that must serve sooner than this to be left alive is only told: many do.
const SHORT_START: u32 = 20;

/// Ill tasks that are left alone for longer than this are only told.
const LONG_GRACE: u32 = 900;

/// The load balancer can tell a task that serves from one that does not, and lets the leaving one finish.
///
/// A *no* is only what makes the health check worthless or loses requests at every deployment; the rest is told.
pub struct HealthCheckIsSound;

#[async_trait]
impl Check for HealthCheckIsSound {
    fn id(&self) -> &'static str {
        "health-check-is-sound"
    }

    fn question(&self) -> String {
        "Can the health check tell a task that serves from one that does not, and may a leaving one finish?".to_owned()
    }

    async fn ask(&self, context: &CheckContext) -> Result<Answer, CannotTell> {
        let deployment = &context.deployment;
        let groups = &deployment.target_groups;
        let Some(first) = groups.first() else {
            return Err(cannot_tell(
                format!("the health check: {} has no target group", deployment.settings_of()),
                "Give it its pair.",
            ));
        };
        let delays = try_join_all(groups.iter().map(|group| context.ports.targets().deregistration_delay(&group.arn)));
        let definition = context.ports.tasks().task_definition(&deployment.target_task_definition);
        let (delays, definition) = tokio::try_join!(delays, definition)?;
        let (mut wrong, mut remedies) = (Vec::new(), Vec::new());
        for (group, delay) in groups.iter().zip(&delays) {
            if let Some(code) = worst_code(&group.health_check.matcher).filter(|code| *code >= 400) {
                let matcher = &group.health_check.matcher;
                wrong.push(format!("{} takes {matcher} for healthy: an answer {code} is an error", group.name));
                remedies.push("Give the health check a path that answers 200, and a matcher that takes only success.");
            }
            if *delay == 0 {
                wrong.push(format!(
                    "{} cuts the requests of a leaving task at once (deregistration delay 0)",
                    group.name
                ));
                remedies.push("Set deregistration_delay.timeout_seconds above the longest request.");
            }
        }
        if let Some(remedy) = remedies.first() {
            return Ok(Answer::no(list(&wrong), *remedy));
        }
        let stop = definition.iter().flat_map(|it| &it.containers).filter_map(|it| it.stop_timeout_seconds).max();
        let (delay, stop) = (delays.iter().max().copied().unwrap_or_default(), stop.unwrap_or(STOP_TIMEOUT));
        let mut seen = format!("{}; {}", checked(&first.health_check), leaves(deployment, delay, stop));
        for remark in remarks(deployment, groups, &delays) {
            seen.push_str("; remark: ");
            seen.push_str(&remark);
        }
        Ok(Answer::yes(seen))
    }
}

/// `GET /health answers 200 every 10 s, ill after 20 s`.
fn checked(check: &HealthCheck) -> String {
    let every = format!("every {} s, ill after {} s", check.interval_seconds, until_ill(check));
    if check.path.is_empty() {
        format!("a connection {every}")
    } else {
        format!("GET {} answers {} {every}", check.path, check.matcher)
    }
}

/// What blue's tasks get once users are on green.
fn leaves(deployment: &Deployment, delay: u32, stop: u32) -> String {
    match deployment.termination_wait_minutes {
        Some(wait) => format!("blue stays {wait} min, then has {delay} s to finish and {stop} s to stop"),
        None => format!("blue stays; a leaving task has {delay} s to finish and {stop} s to stop"),
    }
}

/// What the person on call may want to know, and what stops nothing.
fn remarks(deployment: &Deployment, groups: &[TargetGroup], delays: &[u32]) -> Vec<String> {
    let mut remarks = Vec::new();
    if let ([one, other], [delay, other_delay]) = (groups, delays) {
        let differences = differences(&one.health_check, &other.health_check, (*delay, *other_delay));
        if !differences.is_empty() {
            remarks.push(format!("{} and {} differ in {}", one.name, other.name, list(&differences)));
        }
    }
    let ill = groups.iter().map(|group| until_ill(&group.health_check)).max().unwrap_or_default();
    let grace = deployment.service.health_check_grace_seconds;
    if groups.iter().any(|group| group.health_check.path.is_empty()) {
        remarks.push("an open port counts as healthy".to_owned());
    }
    if grace == 0 && ill < SHORT_START {
        remarks.push(format!("without a grace period a task that starts for longer than {ill} s is stopped"));
    }
    if grace > LONG_GRACE {
        remarks.push(format!("for {grace} s after its start an ill task is left as it is"));
    }
    if let Some(wait) = deployment.termination_wait_minutes.filter(|wait| wait * 60 < ill) {
        remarks.push(format!("blue is gone after {wait} min, before an ill green is noticed"));
    }
    remarks
}

fn differences(one: &HealthCheck, other: &HealthCheck, delays: (u32, u32)) -> Vec<String> {
    let parts = [
        ("path", one.path != other.path, format!("{} and {}", one.path, other.path)),
        ("matcher", one.matcher != other.matcher, format!("{} and {}", one.matcher, other.matcher)),
        (
            "time until ill",
            until_ill(one) != until_ill(other),
            format!("{} and {} s", until_ill(one), until_ill(other)),
        ),
        ("deregistration delay", delays.0 != delays.1, format!("{} and {} s", delays.0, delays.1)),
    ];
    parts.into_iter().filter(|(_, differ, _)| *differ).map(|(what, _, how)| format!("{what} ({how})")).collect()
}

/// Seconds until a target that answers no more counts as ill.
fn until_ill(check: &HealthCheck) -> u32 {
    check.interval_seconds.saturating_mul(check.unhealthy_threshold)
}

/// The highest status code that counts as good in `200`, `200,204` or `200-299`; codes of gRPC are below 100.
fn worst_code(matcher: &str) -> Option<u32> {
    matcher.split([',', '-']).filter_map(|code| code.trim().parse().ok()).max()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::HealthCheckIsSound;
    use crate::checks::told::told;
    use crate::deployment::Deployment;
    use crate::fakes::{BLUE_GROUP, Fakes, GREEN_GROUP, deployment};
    use crate::stage::Stage;

    async fn row(fakes: &Fakes, deployment: Deployment) -> String {
        told(&HealthCheckIsSound, &fakes.context_of(Stage::BeforeInstall, deployment)).await
    }

    #[tokio::test]
    async fn passes_and_tells_the_times() {
        assert_snapshot!(row(&Fakes::well(), deployment()).await, @"
        PASSED
          GET /health answers 200 every 10 s, ill after 20 s; blue stays 5 min, then has 300 s to finish and 30 s to stop
        ");
        let mut kept = deployment();
        kept.termination_wait_minutes = None;
        let fakes = Fakes::well();
        fakes.state().task_definitions[1].containers[0].stop_timeout_seconds = Some(120);
        assert_snapshot!(row(&fakes, kept).await, @"
        PASSED
          GET /health answers 200 every 10 s, ill after 20 s; blue stays; a leaving task has 300 s to finish and 120 s to stop
        ");
    }

    #[tokio::test]
    async fn fails_when_errors_count_as_healthy() {
        for (matcher, outcome) in
            [("200-499", "FAILED"), ("200,404", "FAILED"), ("200-399", "PASSED"), ("12", "PASSED")]
        {
            let mut deployment = deployment();
            deployment.target_groups[1].health_check.matcher = matcher.to_owned();
            let row = row(&Fakes::well(), deployment).await;
            assert!(row.starts_with(outcome), "{matcher}: {row}");
        }
        let mut deployment = deployment();
        deployment.target_groups[1].health_check.matcher = "200-499".to_owned();
        assert_snapshot!(row(&Fakes::well(), deployment).await, @"
        FAILED
          tg-green takes 200-499 for healthy: an answer 499 is an error
          do: Give the health check a path that answers 200, and a matcher that takes only success.
        ");
    }

    #[tokio::test]
    async fn fails_when_requests_of_leaving_tasks_are_cut() {
        let fakes = Fakes::well();
        fakes.state().deregistration_delays.insert(BLUE_GROUP.to_owned(), 0);
        assert_snapshot!(row(&fakes, deployment()).await, @"
        FAILED
          tg-blue cuts the requests of a leaving task at once (deregistration delay 0)
          do: Set deregistration_delay.timeout_seconds above the longest request.
        ");
    }

    /// The next version may be the one that has the new health path: then only green's group asks for it.
    #[tokio::test]
    async fn a_pair_that_differs_is_only_told() {
        let fakes = Fakes::well();
        fakes.state().deregistration_delays.insert(GREEN_GROUP.to_owned(), 30);
        let mut deployment = deployment();
        deployment.target_groups[1].health_check.path = "/healthz".to_owned();
        deployment.target_groups[1].health_check.interval_seconds = 30;
        assert_snapshot!(row(&fakes, deployment).await, @"
        PASSED
          GET /health answers 200 every 10 s, ill after 20 s; blue stays 5 min, then has 300 s to finish and 30 s to stop; remark: tg-blue and tg-green differ in path (/health and /healthz), time until ill (20 and 60 s) and deregistration delay (300 and 30 s)
        ");
    }

    #[tokio::test]
    async fn odd_times_are_only_told() {
        let mut deployment = deployment();
        for group in &mut deployment.target_groups {
            group.health_check.interval_seconds = 5;
        }
        assert_snapshot!(row(&Fakes::well(), deployment.clone()).await, @"
        PASSED
          GET /health answers 200 every 5 s, ill after 10 s; blue stays 5 min, then has 300 s to finish and 30 s to stop; remark: without a grace period a task that starts for longer than 10 s is stopped
        ");
        deployment.service.health_check_grace_seconds = 3600;
        deployment.termination_wait_minutes = Some(0);
        assert_snapshot!(row(&Fakes::well(), deployment).await, @"
        PASSED
          GET /health answers 200 every 5 s, ill after 10 s; blue stays 0 min, then has 300 s to finish and 30 s to stop; remark: for 3600 s after its start an ill task is left as it is; remark: blue is gone after 0 min, before an ill green is noticed
        ");
    }

    #[tokio::test]
    async fn cannot_tell_when_aws_does_not_answer() {
        let fakes = Fakes::well();
        fakes.state().unreachable = Some(false);
        assert_snapshot!(row(&fakes, deployment()).await, @"
        CANNOT TELL
          attributes of arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/tg-blue/1111111111111111: the call was refused
          do: Allow the call in the function's role.
        ");
    }
}
