//! `green-spans-zones`

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::green;
use super::words::{count, list};
use crate::check::{Answer, CannotTell, Check, CheckContext};
use crate::ports::Task;

/// Pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Green's tasks run in as many availability zones as blue's: the loss of one would not be the loss of all.
///
/// Advisory unless the plan says otherwise: when a zone is ill, ECS starts tasks elsewhere.
pub struct GreenSpansZones;

#[async_trait]
impl Check for GreenSpansZones {
    fn id(&self) -> &'static str {
        "green-spans-zones"
    }

    fn question(&self) -> String {
        "Do green's tasks run in as many availability zones as blue's?".to_owned()
    }

    async fn ask(&self, context: &CheckContext) -> Result<Answer, CannotTell> {
        let known = green::known(context)?;
        let cluster = &context.deployment.service.cluster;
        let tasks = context.ports.tasks();
        let blues = async {
            match &context.deployment.blue {
                Some(blue) => tasks.tasks(cluster, blue).await,
                None => Ok(Vec::new()),
            }
        };
        let ((green, greens), blues) = if known.failed.is_some() {
            let (green, greens) = green::with_tasks(context, known).await?;
            if green.still_starts() {
                let seen = format!("{} of green's {} run", green.running, count(green.desired as usize, "task"));
                let remedy = "Read the service's events in ECS: they say why its tasks do not start.";
                return Ok(Answer::not_yet(seen, context.pause(LOOK_AGAIN), remedy));
            }
            ((green, greens), blues.await?)
        } else {
            tokio::try_join!(green::with_tasks(context, known), blues)?
        };
        let (zones, of_blue) = (zones(&greens), zones(&blues));
        let (runs, wanted) = (running(&greens).count(), green.desired as usize);
        let seen = format!("green's {} in {}", count(runs, "task"), place(&zones));
        if of_blue.is_empty() {
            return Ok(Answer::yes(format!("{seen}; blue runs no task to compare with")));
        }
        let seen = format!("{seen}, blue's {} in {}", count(running(&blues).count(), "task"), place(&of_blue));
        // Fewer tasks than zones cannot be in all of them.
        if zones.len() >= of_blue.len().min(wanted) {
            return Ok(Answer::yes(seen));
        }
        let remedy =
            "Look at the service's subnets and its events in ECS: a zone without room, or one that is left out.";
        Ok(if runs < wanted {
            Answer::not_yet(seen, context.pause(LOOK_AGAIN), remedy)
        } else {
            Answer::no(seen, remedy)
        })
    }

    /// Every look begins anew.
    fn remember(&self) -> Option<Value> {
        Some(Value::Null)
    }
}

fn running(tasks: &[Task]) -> impl Iterator<Item = &Task> {
    tasks.iter().filter(|task| task.last_status == "RUNNING")
}

fn zones(tasks: &[Task]) -> BTreeSet<&str> {
    running(tasks).map(|task| task.zone.as_str()).filter(|zone| !zone.is_empty()).collect()
}

fn place(zones: &BTreeSet<&str>) -> String {
    let names: Vec<String> = zones.iter().map(|zone| (*zone).to_owned()).collect();
    if names.is_empty() { "no known zone".to_owned() } else { list(&names) }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::GreenSpansZones;
    use crate::checks::default_severity;
    use crate::checks::told::told;
    use crate::deployment::Deployment;
    use crate::fakes::{Fakes, deployment};
    use crate::plan::Severity;
    use crate::stage::Stage;

    async fn row(fakes: &Fakes) -> String {
        told(&GreenSpansZones, &fakes.context(Stage::AfterInstall)).await
    }

    fn all_in_one_zone() -> Fakes {
        let fakes = Fakes::well();
        for task in fakes.state().tasks.get_mut("ecs-svc/2222").expect("green's tasks") {
            task.zone = "eu-central-1a".to_owned();
        }
        fakes
    }

    #[tokio::test]
    async fn passes_in_as_many_zones_as_blue() {
        assert_snapshot!(row(&Fakes::well()).await, @"
        PASSED
          green's 2 tasks in eu-central-1a and eu-central-1b, blue's 2 tasks in eu-central-1a and eu-central-1b
        ");
    }

    #[tokio::test]
    async fn fails_in_fewer_and_only_advises() {
        assert_snapshot!(row(&all_in_one_zone()).await, @"
        FAILED
          green's 2 tasks in eu-central-1a, blue's 2 tasks in eu-central-1a and eu-central-1b
          do: Look at the service's subnets and its events in ECS: a zone without room, or one that is left out.
        ");
        assert_eq!(default_severity("green-spans-zones"), Severity::Advisory);
    }

    #[tokio::test]
    async fn one_task_need_not_be_in_two_zones() {
        let fakes = all_in_one_zone();
        fakes.state().task_sets[1].desired = 1;
        fakes.state().tasks.get_mut("ecs-svc/2222").expect("green's tasks").pop();
        assert!(row(&fakes).await.starts_with("PASSED"));
    }

    #[tokio::test]
    async fn waits_while_tasks_start() {
        let fakes = all_in_one_zone();
        fakes.state().tasks.get_mut("ecs-svc/2222").expect("green's tasks")[0].last_status = "PENDING".to_owned();
        assert_snapshot!(row(&fakes).await, @"
        NOT YET (again in 2000 ms)
          green's 1 task in eu-central-1a, blue's 2 tasks in eu-central-1a and eu-central-1b
          do: Look at the service's subnets and its events in ECS: a zone without room, or one that is left out.
        ");
    }

    #[tokio::test]
    async fn passes_without_blue_and_says_so() {
        let context = all_in_one_zone().context_of(Stage::AfterInstall, Deployment { blue: None, ..deployment() });
        assert_snapshot!(told(&GreenSpansZones, &context).await, @"
        PASSED
          green's 2 tasks in eu-central-1a; blue runs no task to compare with
        ");
    }

    #[tokio::test]
    async fn cannot_tell_when_ecs_does_not_answer() {
        let fakes = Fakes::well();
        fakes.state().unreachable = Some(false);
        assert_snapshot!(row(&fakes).await, @"
        CANNOT TELL
          task sets of shop/orders: the call was refused
          do: Allow the call in the function's role.
        ");
    }
}
