use std::sync::Arc;

use greenlight::check::{Answer, CannotTell, Check, CheckContext};
use greenlight::checks::since;
use greenlight::deadline::Deadline;
use greenlight::deployment::{Deployment, DeploymentId, FunctionDeployment, Rollback};
use greenlight::fakes::{Fakes, GREEN_TASK_DEFINITION, deployment, function_deployment};
use greenlight::ports::{Container, Started, Task};
use greenlight::{Plan, Stage};
use insta::assert_snapshot;
use tokio::time::{Duration, Instant, advance};

use super::{LONGEST_MARK, MigrationsByTask, mark};

fn planned(task: &str) -> MigrationsByTask {
    let text = format!("version: 1\nmigrations: {{ task: {{ {task} }} }}\n");
    MigrationsByTask::from_plan(&Plan::parse(&text, "plan").expect("a plan")).expect("the plan has a task")
}

fn alembic() -> MigrationsByTask {
    planned("command: [alembic, upgrade, head]")
}

fn context(fakes: &Fakes) -> CheckContext {
    fakes.context(Stage::BeforeAllowTraffic)
}

async fn told(check: &MigrationsByTask, context: &CheckContext) -> String {
    tell(check.ask(context).await)
}

fn tell(answer: Result<Answer, CannotTell>) -> String {
    match answer {
        Ok(Answer::Yes { evidence }) => format!("PASSED\n  {evidence}"),
        Ok(Answer::No { evidence, remedy }) => format!("FAILED\n  {evidence}\n  do: {remedy}"),
        Ok(Answer::NotYet { evidence, again_in, remedy }) => {
            format!("NOT YET (again in {} ms)\n  {evidence}\n  do: {remedy}", again_in.as_millis())
        }
        Err(CannotTell { asked, remedy, source, .. }) => {
            format!("CANNOT TELL\n  {asked}: {}\n  do: {remedy}", source.expect("a cause"))
        }
    }
}

/// Lets the task end, with what ECS says of it, and its log.
fn end(fakes: &Fakes, change: impl FnOnce(&mut Task), lines: &[&str]) {
    let mut state = fakes.state();
    let task = &mut state.one_off_tasks[0].1;
    task.last_status = "STOPPED".to_owned();
    task.stop_code = Some("EssentialContainerExited".to_owned());
    task.stopped_reason = Some("Essential container in task exited".to_owned());
    change(task);
    let lines = lines.iter().map(|line| (*line).to_owned()).collect();
    state.logs.insert(format!("ecs/app/{:032x}", 99), lines);
}

fn exits(code: i32) -> impl FnOnce(&mut Task) {
    move |task| task.exit_codes = vec![("app".to_owned(), code)]
}

fn add_sidecar(fakes: &Fakes, essential: bool) {
    let mut state = fakes.state();
    let definition = state.task_definitions.iter_mut().find(|it| it.arn == GREEN_TASK_DEFINITION).expect("green's");
    let envoy = Container { name: "envoy".to_owned(), essential, ..definition.containers[0].clone() };
    definition.containers.push(envoy);
}

/// The sample world, and a check that has started its task and waits for it.
async fn begun(check: &MigrationsByTask) -> (Fakes, CheckContext) {
    let fakes = Fakes::well();
    let context = context(&fakes);
    assert!(matches!(check.ask(&context).await, Ok(Answer::NotYet { .. })), "it runs");
    (fakes, context)
}

#[tokio::test]
async fn the_tool_runs_beside_green_and_passes_with_exit_code_0() {
    let check = planned("command: [alembic, upgrade, head], environment: { PG_STATEMENT_TIMEOUT: \"0\" }");
    let fakes = Fakes::well();
    let context = context(&fakes);
    assert_snapshot!(told(&check, &context).await, @"
    NOT YET (again in 2000 ms)
      `alembic upgrade head` in task 00000000 of orders:42 is RUNNING
      do: Look at the task in ECS; if it only needs longer, raise the function's timeout.
    ");
    let order = fakes.state().orders[0].clone();
    assert_eq!((order.cluster.as_str(), order.service.as_str()), ("shop", "orders"));
    assert_eq!(order.task_set.as_deref(), Some("ecs-svc/2222"));
    assert_eq!((order.task_definition.as_str(), order.container.as_str()), (GREEN_TASK_DEFINITION, "app"));
    assert_eq!(order.command, ["alembic", "upgrade", "head"]);
    assert_eq!(order.environment, [("PG_STATEMENT_TIMEOUT".to_owned(), "0".to_owned())]);
    assert_eq!(order.mark, "greenlight-d-3QX9ZK2LE");
    end(&fakes, exits(0), &["Running upgrade 41 -> 42, a note for every order"]);
    assert_snapshot!(told(&check, &context).await, @r#"
    PASSED
      `alembic upgrade head` ended with exit code 0 in app of task 00000000 of orders:42; app's last lines: "Running upgrade 41 -> 42, a note for every order"
    "#);
    assert_eq!(fakes.state().orders.len(), 1);
    assert!(fakes.state().stops.is_empty());
}

/// P3: a second delivery, or an invocation after one that was killed.
#[tokio::test]
async fn another_invocation_watches_the_same_task_and_starts_none() {
    let (fakes, context) = begun(&alembic()).await;
    let second = alembic();
    assert!(matches!(second.ask(&context).await, Ok(Answer::NotYet { .. })));
    end(&fakes, exits(1), &["error"]);
    for check in [second, alembic()] {
        assert!(told(&check, &context).await.starts_with("FAILED"));
    }
    assert_eq!(fakes.state().orders.len(), 1);
}

/// The task is asked for by its ARN, and its time counts from the first look on.
#[tokio::test(start_paused = true)]
async fn a_later_invocation_goes_on_with_what_the_first_remembered() {
    let first = planned("command: [alembic, upgrade, head], timeout: 10m");
    let (fakes, context) = begun(&first).await;
    let mut remembered = Check::<Deployment>::remember(&first).expect("it watches a task");
    let earlier = Instant::now().checked_sub(Duration::from_secs(11 * 60)).expect("the machine is up for longer");
    remembered["since"] = since::remember(earlier)["since"].take();
    let second = planned("command: [alembic, upgrade, head], timeout: 10m");
    Check::<Deployment>::recall(&second, &remembered);
    let told = told(&second, &context).await;
    assert!(told.contains("was told to stop: the plan's timeout, 10m, was over"), "{told}");
    assert_eq!(fakes.state().orders.len(), 1);
}

/// Whoever may change the service can write what ECS hands back: another team's task must not be judged, nor stopped.
#[tokio::test(start_paused = true)]
async fn a_forged_task_is_not_watched() {
    let first = alembic();
    let (fakes, context) = begun(&first).await;
    let mut remembered = Check::<Deployment>::remember(&first).expect("it watches a task");
    fakes.state().one_off_tasks[0].0 = "another-team".to_owned();
    fakes.state().one_off_tasks[0].1.started_by = Some("another-team".to_owned());
    end(&fakes, exits(0), &["done"]);
    remembered["since"] = "2026-01-01T00:00:00Z".into();
    let second = alembic();
    Check::<Deployment>::recall(&second, &remembered);
    assert!(matches!(second.ask(&context).await, Ok(Answer::NotYet { .. })), "it starts its own");
    assert_eq!(fakes.state().orders.len(), 2);
    assert!(fakes.state().stops.is_empty());
}

/// A hook that Lambda killed leaves its task to itself; so does a tool that takes its time to end.
#[tokio::test]
async fn a_tool_of_an_earlier_deployment_is_waited_for() {
    let (fakes, context) = begun(&alembic()).await;
    {
        let mut state = fakes.state();
        let earlier = "greenlight-d-EARLIER01".to_owned();
        state.one_off_tasks[0].0.clone_from(&earlier);
        state.one_off_tasks[0].1.started_by = Some(earlier);
        state.one_off_tasks[0].1.last_status = "DEACTIVATING".to_owned();
    }
    let check = alembic();
    assert_snapshot!(told(&check, &context).await, @"
    NOT YET (again in 10000 ms)
      `alembic upgrade head` was not started: task 00000000 of orders:42, which deployment d-EARLIER01 started, has not ended (DEACTIVATING)
      do: Let task 00000000 end, or stop it in ECS; then redeploy.
    ");
    assert_eq!(fakes.state().orders.len(), 1);
    end(&fakes, exits(143), &[]);
    assert!(matches!(check.ask(&context).await, Ok(Answer::NotYet { .. })), "its own runs now");
    assert_eq!(fakes.state().orders.len(), 2);
}

/// ECS is eventually consistent.
#[tokio::test]
async fn a_task_that_ecs_does_not_tell_of_yet_is_not_started_again() {
    let check = alembic();
    let (fakes, context) = begun(&check).await;
    fakes.state().one_off_tasks.clear();
    assert!(told(&check, &context).await.starts_with("NOT YET"));
    assert_eq!(fakes.state().orders.len(), 1);
}

#[tokio::test]
async fn fails_when_the_tool_exits_with_another_code_and_quotes_its_log() {
    let check = alembic();
    let (fakes, context) = begun(&check).await;
    end(&fakes, exits(1), &["connecting with DB_PASSWORD=hunter2", "FAILED: Multiple head revisions are present"]);
    assert_snapshot!(told(&check, &context).await, @r#"
    FAILED
      `alembic upgrade head` in task 00000000 of orders:42: app exited with code 1; EssentialContainerExited, "Essential container in task exited"; the database is as the tool left it; traffic stays on blue; app's last lines: "connecting with DB_PASSWORD= …" "FAILED: Multiple head revisions are present"
      do: Read on in the log of app, repair; then redeploy: the tool is run again.
    "#);
}

#[tokio::test]
async fn fails_when_it_was_killed_for_its_memory() {
    let check = alembic();
    let (fakes, context) = begun(&check).await;
    let killed = |task: &mut Task| {
        task.exit_codes = vec![("app".to_owned(), 137)];
        task.reasons = vec![("app".to_owned(), "OutOfMemoryError: Container killed due to memory usage".to_owned())];
    };
    end(&fakes, killed, &["Running upgrade 41 -> 42"]);
    assert_snapshot!(told(&check, &context).await, @r#"
    FAILED
      `alembic upgrade head` in task 00000000 of orders:42: app exited with code 137; OutOfMemoryError: Container killed due to memory usage; EssentialContainerExited, "Essential container in task exited"; the database is as the tool left it; traffic stays on blue; app's last lines: "Running upgrade 41 -> 42"
      do: Read on in the log of app, repair; then redeploy: the tool is run again.
    "#);
}

#[tokio::test]
async fn fails_when_the_task_never_ran() {
    let check = alembic();
    let (fakes, context) = begun(&check).await;
    let broken = |task: &mut Task| {
        task.stop_code = Some("TaskFailedToStart".to_owned());
        task.stopped_reason =
            Some("CannotPullContainerError: pull image manifest has been retried 5 time(s)".to_owned());
    };
    end(&fakes, broken, &[]);
    assert_snapshot!(told(&check, &context).await, @r#"
    FAILED
      `alembic upgrade head` in task 00000000 of orders:42: app has no exit code, so it never ended its work; TaskFailedToStart, "CannotPullContainerError: pull image manifest has been retried 5 time(s)"; traffic stays on blue
      do: Repair what kept the task from running (image, secrets, roles, network, capacity); then redeploy.
    "#);
}

#[tokio::test]
async fn an_essential_sidecar_that_ended_first_is_told_apart() {
    let check = alembic();
    let fakes = Fakes::well();
    add_sidecar(&fakes, true);
    let context = context(&fakes);
    told(&check, &context).await;
    end(&fakes, |task| task.exit_codes = vec![("envoy".to_owned(), 0), ("app".to_owned(), 143)], &["Running upgrade"]);
    assert_snapshot!(told(&check, &context).await, @r#"
    FAILED
      `alembic upgrade head` in task 00000000 of orders:42: container envoy, essential too, ended first with exit code 0 and took the task down; app was ended with exit code 143; EssentialContainerExited, "Essential container in task exited"; traffic stays on blue; app's last lines: "Running upgrade"
      do: Let envoy run as long as app, or make it not essential in the task definition; then redeploy.
    "#);
    end(&fakes, |task| task.exit_codes = vec![("envoy".to_owned(), 1)], &[]);
    assert_snapshot!(told(&check, &context).await, @r#"
    FAILED
      `alembic upgrade head` in task 00000000 of orders:42: container envoy, essential too, ended first with exit code 1 and took the task down; app has no exit code; EssentialContainerExited, "Essential container in task exited"; traffic stays on blue
      do: Let envoy run as long as app, or make it not essential in the task definition; then redeploy.
    "#);
}

/// A container that is not essential never ends its task.
#[tokio::test]
async fn a_task_that_goes_on_without_its_tool_is_judged_and_stopped() {
    let check = planned("container: migrate, command: [migrate]");
    let fakes = Fakes::well();
    {
        let mut state = fakes.state();
        let definition = state.task_definitions.iter_mut().find(|it| it.arn == GREEN_TASK_DEFINITION).expect("green's");
        let tool = Container { name: "migrate".to_owned(), essential: false, ..definition.containers[0].clone() };
        definition.containers.push(tool);
    }
    let context = context(&fakes);
    told(&check, &context).await;
    fakes.state().one_off_tasks[0].1.exit_codes = vec![("migrate".to_owned(), 0)];
    assert_snapshot!(told(&check, &context).await, @"
    PASSED
      `migrate` ended with exit code 0 in migrate of task 00000000 of orders:42; log group /ecs/orders has no stream ecs/migrate/00000000000000000000000000000063
    ");
    assert_eq!(fakes.state().stops[0].1, "greenlight, d-3QX9ZK2LE: migrate has ended");
    fakes.state().one_off_tasks[0].1.exit_codes = vec![("migrate".to_owned(), 2)];
    assert!(told(&check, &context).await.starts_with("FAILED"));
}

#[tokio::test(start_paused = true)]
async fn when_the_functions_time_is_up_the_task_is_stopped() {
    let check = alembic();
    let (fakes, context) = begun(&check).await;
    fakes.state().logs.insert(format!("ecs/app/{:032x}", 99), vec!["backfilled 1000000 of 3000000 rows".to_owned()]);
    advance(Duration::from_secs(574)).await;
    assert!(matches!(check.ask(&context).await, Ok(Answer::NotYet { .. })), "it has its time");
    advance(Duration::from_secs(1)).await;
    assert_snapshot!(told(&check, &context).await, @r#"
    FAILED
      `alembic upgrade head` had not ended after 575 s and was told to stop: the hook's time was up; the database may be half-way, as the tool left it; traffic stays on blue; app's last lines: "backfilled 1000000 of 3000000 rows"
      do: See how far it came (task 00000000), make it shorter or run it apart from the deployment; then redeploy.
    "#);
    let stops = fakes.state().stops.clone();
    assert_eq!(stops[0].1, "greenlight, d-3QX9ZK2LE: the hook's time was up");
}

#[tokio::test(start_paused = true)]
async fn when_the_plans_timeout_is_over_the_task_is_stopped() {
    let check = planned("command: [rails, db:migrate], timeout: 5m");
    let (fakes, context) = begun(&check).await;
    advance(Duration::from_secs(300)).await;
    assert_snapshot!(told(&check, &context).await, @"
    FAILED
      `rails db:migrate` had not ended after 300 s and was told to stop: the plan's timeout, 5m, was over; the database may be half-way, as the tool left it; traffic stays on blue; log group /ecs/orders has no stream ecs/app/00000000000000000000000000000063
      do: See how far it came (task 00000000), make it shorter or run it apart from the deployment; then redeploy.
    ");
    assert_eq!(fakes.state().stops.len(), 1);
}

/// It must not run on unseen when nobody will judge it any more; and where it does, the row says so.
#[tokio::test(start_paused = true)]
async fn a_task_that_cannot_be_looked_at_is_told_to_stop_all_the_same() {
    let check = alembic();
    let (fakes, context) = begun(&check).await;
    fakes.state().unreachable = Some(true);
    assert!(check.ask(&context).await.is_err());
    advance(Duration::from_secs(580)).await;
    assert_snapshot!(told(&check, &context).await, @"
    FAILED
      `alembic upgrade head` had not ended after 580 s and could not be told to stop, and may go on (stop of task arn:aws:ecs:eu-central-1:123456789012:task/shop/00000000000000000000000000000063: the call was refused): the hook's time was up; the database may be half-way, as the tool left it; traffic stays on blue; the log of app was not read: task definition arn:aws:ecs:eu-central-1:123456789012:task-definition/orders:42: the call was refused
      do: See how far it came (task 00000000), make it shorter or run it apart from the deployment; then redeploy.
    ");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_started_when_hardly_any_time_is_left() {
    let fakes = Fakes::well();
    let context = CheckContext { deadline: Deadline::after(Duration::from_secs(20)), ..context(&fakes) };
    assert_snapshot!(told(&alembic(), &context).await, @"
    FAILED
      `alembic upgrade head` was not started: only 10 s were left
      do: Raise the function's timeout, then redeploy.
    ");
    assert!(fakes.state().orders.is_empty());
}

#[tokio::test]
async fn what_ecs_says_when_it_starts_nothing_is_told() {
    let fakes = Fakes::well();
    fakes.state().not_started =
        [Started::NoRoom("RESOURCE:MEMORY".to_owned()), Started::Refused("ClientException: inactive".to_owned())]
            .into();
    let (check, context) = (alembic(), context(&fakes));
    assert_snapshot!(told(&check, &context).await, @"
    NOT YET (again in 10000 ms)
      ECS did not start `alembic upgrade head` as a task of orders:42: RESOURCE:MEMORY
      do: Give the cluster room for one more task beside blue and green, then redeploy.
    ");
    assert_snapshot!(told(&check, &context).await, @"
    FAILED
      ECS did not start `alembic upgrade head` as a task of orders:42: ClientException: inactive; the database is as it was
      do: Correct what ECS names, then redeploy.
    ");
}

#[tokio::test]
async fn the_container_is_the_plans_or_the_load_balancers() {
    let fakes = Fakes::well();
    add_sidecar(&fakes, true);
    let context = context(&fakes);
    assert_snapshot!(told(&planned("container: migrator, command: [migrate]"), &context).await, @"
    FAILED
      orders:42 has no container migrator; it has app, envoy
      do: Name the container of the migrations in the plan (migrations.task.container), then redeploy.
    ");
    told(&alembic(), &context).await;
    assert_eq!(fakes.state().orders[0].container, "app");
}

#[tokio::test]
async fn cannot_tell_when_ecs_may_not_be_asked() {
    let fakes = Fakes::well();
    fakes.state().unreachable = Some(false);
    assert_snapshot!(told(&alembic(), &context(&fakes)).await, @"
    CANNOT TELL
      task definition arn:aws:ecs:eu-central-1:123456789012:task-definition/orders:42: the call was refused
      do: Allow the call in the function's role.
    ");
}

/// P4.
#[tokio::test]
async fn a_rollback_is_never_migrated() {
    let fakes = Fakes::well();
    let back = greenlight::deployment::Deployment { rollback: Some(Rollback::Automatic { of: None }), ..deployment() };
    let context = CheckContext { deployment: Arc::new(back), ..context(&fakes) };
    assert_snapshot!(told(&alembic(), &context).await, @"
    PASSED
      not migrated: this deployment is a rollback
    ");
    assert!(fakes.state().orders.is_empty());
}

#[tokio::test]
async fn a_function_has_no_task_to_run() {
    let fakes = Fakes::well();
    let check: Box<dyn Check<FunctionDeployment>> = Box::new(alembic());
    let context = fakes.context_of(Stage::BeforeAllowTraffic, function_deployment());
    assert_snapshot!(tell(check.ask(&context).await), @"
    FAILED
      migrations.task of the plan is run as a task of an ECS service, and orders is a Lambda function
      do: Name SQL files with migrations.sql, or take migrations out of the plan; then redeploy.
    ");
    let back = FunctionDeployment { rollback: Some(Rollback::Automatic { of: None }), ..function_deployment() };
    let context = fakes.context_of(Stage::BeforeAllowTraffic, back);
    assert!(tell(check.ask(&context).await).starts_with("PASSED"));
    assert!(fakes.state().orders.is_empty());
}

#[test]
fn a_mark_is_what_ecs_takes() {
    assert_eq!(mark(&DeploymentId("d-3QX9ZK2LE".to_owned())), "greenlight-d-3QX9ZK2LE");
    let long = DeploymentId("arn:aws:ecs:eu-central-1:123456789012:service-deployment/shop/orders/abc".to_owned());
    let made = mark(&long);
    assert!(
        made.len() <= LONGEST_MARK && made.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'),
        "{made}"
    );
    assert_eq!(made, mark(&long));
}
