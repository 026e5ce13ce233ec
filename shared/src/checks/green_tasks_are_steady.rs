//! `green-tasks-are-steady`

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::green;
use super::last_words;
use super::words::{count, shortened};
use crate::check::{Answer, CannotTell, Check, CheckContext};
use crate::ports::Task;

/// Stops after which green is not going to become steady. One may be a start before its database was reachable.
const REPEATED_STOPS: usize = 3;

/// Pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// All of green's tasks run, and keep running.
pub struct GreenTasksAreSteady;

#[async_trait]
impl Check for GreenTasksAreSteady {
    fn id(&self) -> &'static str {
        "green-tasks-are-steady"
    }

    fn question(&self) -> String {
        "Do as many of green's tasks run as are wanted, without stopping again and again?".to_owned()
    }

    async fn ask(&self, context: &CheckContext) -> Result<Answer, CannotTell> {
        let known = green::known(context)?;
        let (green, tasks) = green::with_tasks(context, known).await?;
        let stops: Vec<&Task> = tasks.iter().filter(|task| has_stopped(task)).collect();
        let version = green.version();
        if green.desired == 0 {
            return Ok(Answer::no(
                format!("green ({version}) wants 0 tasks: nothing would serve users"),
                "Scale the service to at least one task, then deploy.",
            ));
        }
        let mut seen = format!("green ({version}): {} of {} run", green.running, count(green.desired as usize, "task"));
        if green.pending > 0 {
            seen.push_str(&format!(", {} starting", green.pending));
        }
        let last = stops.iter().max_by_key(|task| task.stopped_at);
        if let Some(last) = last {
            seen.push_str(&format!("; {} stopped, the last with {}", count(stops.len(), "task"), why(last)));
        }
        let is_up = green.running >= green.desired && green.pending == 0;
        if let Some(last) = last.filter(|_| !is_up || stops.len() >= REPEATED_STOPS)
            && let Some(words) = last_words::of(context, last).await
        {
            seen.push_str(&format!("; {words}"));
        }
        if stops.len() >= REPEATED_STOPS {
            return Ok(Answer::no(
                seen,
                format!("Read on in the log of {version}'s containers, repair, deploy again."),
            ));
        }
        if !is_up {
            let remedy = "Read the service's events in ECS: they say why its tasks do not start.";
            return Ok(Answer::not_yet(seen, context.pause(LOOK_AGAIN), remedy));
        }
        if !green.steady {
            seen.push_str("; ECS does not call it steady yet");
            return Ok(Answer::not_yet(
                seen,
                context.pause(LOOK_AGAIN),
                "Read the service's events in ECS: they say what it waits for.",
            ));
        }
        Ok(Answer::yes(seen))
    }

    /// Every look begins anew.
    fn remember(&self) -> Option<Value> {
        Some(Value::Null)
    }
}

/// Whether this task ended by itself or was found ill; one that was scaled in was only no longer wanted.
fn has_stopped(task: &Task) -> bool {
    let scaled_in = task.stopped_reason.as_deref().is_some_and(|reason| reason.starts_with("Scaling activity"));
    task.last_status == "STOPPED" && !scaled_in
}

/// `EssentialContainerExited, "Essential container in task exited", app exited with code 1`.
fn why(task: &Task) -> String {
    let mut parts: Vec<String> = task.stop_code.iter().cloned().collect();
    parts.extend(task.stopped_reason.iter().map(|reason| format!("\"{}\"", shortened(reason))));
    parts.extend(task.exit_codes.iter().map(|(container, code)| format!("{container} exited with code {code}")));
    if parts.is_empty() { "ECS does not say why".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::GreenTasksAreSteady;
    use crate::checks::told::told;
    use crate::deployment::Deployment;
    use crate::fakes::{Fakes, deployment, task};
    use crate::ports::Task;
    use crate::stage::Stage;

    async fn row(fakes: &Fakes) -> String {
        told(&GreenTasksAreSteady, &fakes.context(Stage::AfterInstall)).await
    }

    fn crashed(address: u8) -> Task {
        Task {
            last_status: "STOPPED".to_owned(),
            stop_code: Some("EssentialContainerExited".to_owned()),
            stopped_reason: Some("Essential container in task exited".to_owned()),
            exit_codes: vec![("app".to_owned(), 1)],
            ..task(&deployment().green.expect("green"), address)
        }
    }

    fn add(fakes: &Fakes, tasks: impl IntoIterator<Item = Task>) {
        fakes.state().tasks.get_mut("ecs-svc/2222").expect("green's tasks").extend(tasks);
    }

    #[tokio::test]
    async fn passes_when_all_run_and_ecs_calls_it_steady() {
        assert_snapshot!(row(&Fakes::well()).await, @"
        PASSED
          green (orders:42): 2 of 2 tasks run
        ");
    }

    #[tokio::test]
    async fn passes_after_a_single_stop_and_tells_it() {
        let fakes = Fakes::well();
        add(&fakes, [crashed(30)]);
        assert_snapshot!(row(&fakes).await, @r#"
        PASSED
          green (orders:42): 2 of 2 tasks run; 1 task stopped, the last with EssentialContainerExited, "Essential container in task exited", app exited with code 1
        "#);
    }

    #[tokio::test]
    async fn fails_when_tasks_stop_again_and_again() {
        let fakes = Fakes::well();
        fakes.state().task_sets[1].running = 0;
        fakes.state().task_sets[1].pending = 2;
        let at = |second: u8| Some(format!("2026-11-21T12:00:{second}Z").parse().expect("a time"));
        let last = Task { stopped_at: at(31), ..crashed(31) };
        add(&fakes, [Task { stopped_at: at(30), ..crashed(30) }, last, Task { stopped_at: at(29), ..crashed(32) }]);
        let log = "ecs/app/0000000000000000000000000000001f".to_owned();
        fakes.state().logs.insert(log, vec!["no route to db.internal".to_owned()]);
        assert_snapshot!(row(&fakes).await, @r#"
        FAILED
          green (orders:42): 0 of 2 tasks run, 2 starting; 3 tasks stopped, the last with EssentialContainerExited, "Essential container in task exited", app exited with code 1; app's last lines: "no route to db.internal"
          do: Read on in the log of orders:42's containers, repair, deploy again.
        "#);
    }

    /// Nobody needs it there, and every call costs.
    #[tokio::test]
    async fn the_log_is_not_read_while_all_is_well() {
        let fakes = Fakes::well();
        let log = "ecs/app/0000000000000000000000000000001e".to_owned();
        fakes.state().logs.insert(log, vec!["a start too early".to_owned()]);
        add(&fakes, [crashed(30)]);
        assert!(!row(&fakes).await.contains("too early"));
    }

    #[tokio::test]
    async fn tasks_that_were_scaled_in_do_not_count() {
        let fakes = Fakes::well();
        let reason = "Scaling activity initiated by (deployment ecs-svc/2222)".to_owned();
        add(&fakes, (30..33).map(|address| Task { stopped_reason: Some(reason.clone()), ..crashed(address) }));
        assert!(row(&fakes).await.starts_with("PASSED"));
    }

    #[tokio::test]
    async fn waits_while_tasks_start_and_until_ecs_calls_it_steady() {
        let fakes = Fakes::well();
        fakes.state().task_sets[1].steady = false;
        assert_snapshot!(row(&fakes).await, @"
        NOT YET (again in 2000 ms)
          green (orders:42): 2 of 2 tasks run; ECS does not call it steady yet
          do: Read the service's events in ECS: they say what it waits for.
        ");
        fakes.state().task_sets[1].running = 1;
        fakes.state().task_sets[1].pending = 1;
        assert_snapshot!(row(&fakes).await, @"
        NOT YET (again in 2000 ms)
          green (orders:42): 1 of 2 tasks run, 1 starting
          do: Read the service's events in ECS: they say why its tasks do not start.
        ");
    }

    #[tokio::test]
    async fn fails_when_no_task_is_wanted() {
        let fakes = Fakes::well();
        fakes.state().task_sets[1].desired = 0;
        fakes.state().task_sets[1].running = 0;
        assert_snapshot!(row(&fakes).await, @"
        FAILED
          green (orders:42) wants 0 tasks: nothing would serve users
          do: Scale the service to at least one task, then deploy.
        ");
    }

    #[tokio::test]
    async fn cannot_tell_without_green_or_without_ecs() {
        let none = Fakes::well().context_of(Stage::AfterInstall, Deployment { green: None, ..deployment() });
        assert!(told(&GreenTasksAreSteady, &none).await.starts_with("CANNOT TELL"));
        let fakes = Fakes::well();
        fakes.state().unreachable = Some(true);
        assert_snapshot!(row(&fakes).await, @"
        CANNOT TELL
          task sets of shop/orders: the call was refused
          do: Allow the call in the function's role.
        ");
    }
}
