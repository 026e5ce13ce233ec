//! The other way of `migrations-apply`: the team's own tool, in a task of the task definition that is being deployed.
//!
//! Everything is found again by a mark that the deployment's id makes: a second delivery, or a run after one that was
//! killed, watches the task that is there. So it is started once, whatever happens to the hook.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use greenlight::check::{Answer, CannotTell, Check, CheckContext};
use greenlight::checks::{last_words, since};
use greenlight::deployment::{DeploymentId, FunctionDeployment, family_and_revision};
use greenlight::document::without_secrets;
use greenlight::plan::{MigrationTask, Plan};
use greenlight::ports::{Container, Started, Task, TaskDefinition, TaskOrder};
use greenlight::report::words::{chain, one_line};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use tracing::info;

mod end;

use self::end::{Course, course};

/// Pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Pause before ECS is asked for room again.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// Kept back, of the time for questions, to have the task stopped and to say what it wrote.
const TO_STOP: Duration = Duration::from_secs(10);

/// Characters of the command that a row quotes.
const QUOTED: usize = 120;

/// ECS takes no longer `startedBy` everywhere.
const LONGEST_MARK: usize = 36;

/// What every mark begins with.
const OURS: &str = "greenlight-";

/// Runs the tool once, and goes by its exit code.
pub struct MigrationsByTask {
    task: MigrationTask,
    /// What this invocation watches.
    watched: Mutex<Option<Watched>>,
    /// What an earlier one watched.
    recalled: Mutex<Option<Recalled>>,
}

/// A task that an earlier invocation watched. Its ARN may have been forged: it counts only where the task bears the mark.
#[derive(Clone)]
struct Recalled {
    arn: String,
    since: Instant,
}

/// A task as it was seen last, and what it runs.
#[derive(Clone)]
struct Watched {
    task: Task,
    definition: TaskDefinition,
    since: Instant,
    /// Whole minutes for which it was seen, as far as they were told of.
    minutes: u64,
}

/// What it is about: names for the rows.
struct Names<'a> {
    command: String,
    container: &'a Container,
    definition: &'a TaskDefinition,
}

impl MigrationsByTask {
    /// Where the plan says so.
    pub fn from_plan(plan: &Plan) -> Option<Self> {
        let task = plan.migrations.as_ref()?.task.clone()?;
        Some(Self { task, watched: Mutex::default(), recalled: Mutex::default() })
    }

    /// The container that the plan names, else the load balancer's, else the only one.
    fn container<'d>(&self, definition: &'d TaskDefinition, serving: &str) -> Result<&'d Container, Answer> {
        let containers = &definition.containers;
        let named = |name: &str| containers.iter().find(|container| container.name == name);
        let found = match (&self.task.container, containers.as_slice()) {
            (Some(name), _) => named(name),
            (None, [only]) => Some(only),
            (None, _) => named(serving),
        };
        found.ok_or_else(|| {
            let names: Vec<&str> = containers.iter().map(|container| container.name.as_str()).collect();
            let missed = self.task.container.as_deref().unwrap_or(serving);
            Answer::no(
                format!("{} has no container {missed}; it has {}", short(&definition.arn), names.join(", ")),
                "Name the container of the migrations in the plan (migrations.task.container), then redeploy.",
            )
        })
    }

    fn recalled(&self) -> Option<Recalled> {
        self.recalled.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn watched(&self) -> Option<Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps how it is now, and tells once that there is one.
    fn watch(&self, task: Task, names: &Names<'_>) -> Watched {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = self.recalled().filter(|it| it.arn == task.arn).map(|it| it.since);
        let since = watched.as_ref().map(|before| before.since).or(earlier).unwrap_or_else(Instant::now);
        let minutes = since.elapsed().as_secs() / 60;
        let (id, definition) = (short_task(&task.arn), short(&names.definition.arn));
        match watched.as_ref() {
            None if earlier.is_none() => info!("task {id} of {definition} runs `{}`", names.command),
            None => info!("task {id} is watched since {minutes} min: {}", names.command),
            Some(before) if before.minutes < minutes => {
                info!("task {id} goes on after {minutes} min: {}", names.command)
            }
            Some(_) => {}
        }
        watched.insert(Watched { task, definition: names.definition.clone(), since, minutes }).clone()
    }

    /// The task as it is now, where there is one.
    async fn look(&self, context: &CheckContext) -> Result<Option<Task>, CannotTell> {
        let (tasks, cluster) = (context.ports.one_off_tasks(), &context.deployment.service.cluster);
        if let Some(watched) = self.watched() {
            // What ECS does not tell of yet has not ended.
            return Ok(Some(tasks.task(cluster, &watched.task.arn).await?.unwrap_or(watched.task)));
        }
        let mark = mark(&context.deployment.id);
        if let Some(recalled) = self.recalled()
            && let Some(task) = tasks.task(cluster, &recalled.arn).await?
            && task.started_by.as_ref() == Some(&mark)
        {
            return Ok(Some(task));
        }
        let mut marked = tasks.marked(cluster, &mark).await?;
        // There is one; were there more, the one that runs matters most, then the last that ended.
        marked.sort_by_key(|task| (task.last_status != "STOPPED", task.stopped_at));
        Ok(marked.pop())
    }

    /// A task of an earlier deployment that has not ended, though nobody may watch it any more: two tools at once would be
    /// one too many.
    async fn other(&self, context: &CheckContext) -> Result<Option<Task>, CannotTell> {
        let deployment = &context.deployment;
        let Some((family, _)) = family_and_revision(&deployment.target_task_definition) else { return Ok(None) };
        let tasks = context.ports.one_off_tasks().of_family(&deployment.service.cluster, family).await?;
        let own = mark(&deployment.id);
        let is_other = |task: &Task| task.started_by.as_ref().is_some_and(|by| by.starts_with(OURS) && *by != own);
        Ok(tasks.into_iter().find(is_other))
    }

    /// Starts it; an answer where it does not start.
    async fn start(&self, context: &CheckContext, names: &Names<'_>) -> Result<Result<Task, Answer>, CannotTell> {
        if let Some(other) = self.other(context).await? {
            let id = short_task(&other.arn);
            let by = other.started_by.as_deref().and_then(|by| by.strip_prefix(OURS)).unwrap_or_default();
            let evidence = format!(
                "`{}` was not started: task {id} of {}, which deployment {by} started, has not ended ({})",
                names.command,
                short(&other.task_definition),
                other.last_status
            );
            let remedy = format!("Let task {id} end, or stop it in ECS; then redeploy.");
            return Ok(Err(Answer::not_yet(evidence, ASK_AGAIN, remedy)));
        }
        let left = context.left_to_wait();
        if left <= TO_STOP {
            let evidence = format!("`{}` was not started: only {} s were left", names.command, left.as_secs());
            return Ok(Err(Answer::no(evidence, "Raise the function's timeout, then redeploy.")));
        }
        let deployment = &context.deployment;
        let order = TaskOrder {
            cluster: deployment.service.cluster.clone(),
            service: deployment.service.name.clone(),
            task_set: deployment.green.as_ref().map(|green| green.id.clone()),
            task_definition: names.definition.arn.clone(),
            mark: mark(&deployment.id),
            container: names.container.name.clone(),
            command: self.task.command.clone(),
            environment: self.task.environment.clone(),
        };
        let not_started = |said: &str| {
            format!("ECS did not start `{}` as a task of {}: {said}", names.command, short(&names.definition.arn))
        };
        Ok(match context.ports.one_off_tasks().start(&order).await? {
            Started::Task(task) => Ok(*task),
            Started::NoRoom(said) => {
                let remedy = "Give the cluster room for one more task beside blue and green, then redeploy.";
                Err(Answer::not_yet(not_started(&said), ASK_AGAIN, remedy))
            }
            Started::Refused(said) => {
                let evidence = format!("{}; the database is as it was", not_started(&said));
                Err(Answer::no(evidence, "Correct what ECS names, then redeploy."))
            }
        })
    }

    /// Why its time is over, if it is.
    fn is_over(&self, watched: &Watched, context: &CheckContext) -> Option<String> {
        if let Some(timeout) = self.task.timeout.filter(|timeout| watched.since.elapsed() >= timeout.duration()) {
            return Some(format!("the plan's timeout, {timeout}, was over"));
        }
        (context.left_to_wait() <= TO_STOP).then(|| "the hook's time was up".to_owned())
    }

    /// Has it stopped: it would go on without anybody to judge it.
    async fn stop(&self, context: &CheckContext, names: &Names<'_>, watched: &Watched, why: &str) -> Answer {
        let (cluster, arn) = (&context.deployment.service.cluster, &watched.task.arn);
        let reason = format!("greenlight, {}: {why}", context.deployment.id);
        let stop = context.ports.one_off_tasks().stop(cluster, arn, &reason);
        let (stopped, words) = tokio::join!(stop, self.last_words(context, names, &watched.task));
        let end = match stopped {
            Ok(()) => format!("was told to stop: {why}"),
            Err(error) => format!("could not be told to stop, and may go on ({}): {why}", chain(&error)),
        };
        let seconds = watched.since.elapsed().as_secs();
        Answer::no(
            format!(
                "`{}` had not ended after {seconds} s and {end}; the database may be half-way, as the tool left it; \
                 traffic stays on blue; {words}",
                names.command
            ),
            format!(
                "See how far it came (task {}), make it shorter or run it apart from the deployment; then redeploy.",
                short_task(arn)
            ),
        )
    }

    async fn last_words(&self, context: &CheckContext, names: &Names<'_>, task: &Task) -> String {
        last_words::of_container(context, task, &names.container.name).await
    }

    async fn judge(&self, context: &CheckContext, names: &Names<'_>, watched: &Watched) -> Answer {
        let task = &watched.task;
        let of = format!("task {} of {}", short_task(&task.arn), short(&names.definition.arn));
        match course(task, &names.container.name, names.definition) {
            Course::Goes => {
                if let Some(why) = self.is_over(watched, context) {
                    return self.stop(context, names, watched, &why).await;
                }
                Answer::not_yet(
                    format!("`{}` in {of} is {}", names.command, task.last_status),
                    context.pause(LOOK_AGAIN),
                    "Look at the task in ECS; if it only needs longer, raise the function's timeout.",
                )
            }
            Course::Succeeded => {
                let (words, ()) = tokio::join!(self.last_words(context, names, task), self.end(context, names, task));
                let container = &names.container.name;
                Answer::yes(format!("`{}` ended with exit code 0 in {container} of {of}; {words}", names.command))
            }
            Course::Failed { how, ran, remedy } => {
                let words = match ran {
                    true => format!("; {}", self.last_words(context, names, task).await),
                    false => String::new(),
                };
                self.end(context, names, task).await;
                let evidence = format!("`{}` in {of}: {how}; traffic stays on blue{words}", names.command);
                Answer::no(evidence, remedy)
            }
        }
    }

    /// A task whose tool is not essential goes on without it.
    async fn end(&self, context: &CheckContext, names: &Names<'_>, task: &Task) {
        if task.last_status != "RUNNING" || names.container.essential {
            return;
        }
        let reason = format!("greenlight, {}: {} has ended", context.deployment.id, names.container.name);
        let stop = context.ports.one_off_tasks().stop(&context.deployment.service.cluster, &task.arn, &reason);
        if let Err(error) = stop.await {
            tracing::warn!("task {} goes on without its tool: {}", short_task(&task.arn), chain(&error));
        }
    }
}

const ID: &str = "migrations-apply";
const QUESTION: &str = "Is every migration of this version applied to the database?";
const ROLLBACK: &str = "not migrated: this deployment is a rollback";

#[async_trait]
impl Check for MigrationsByTask {
    fn id(&self) -> &'static str {
        ID
    }

    fn question(&self) -> String {
        QUESTION.to_owned()
    }

    async fn ask(&self, context: &CheckContext) -> Result<Answer, CannotTell> {
        let deployment = &context.deployment;
        if deployment.rollback.is_some() {
            return Ok(Answer::yes(ROLLBACK));
        }
        let arn = &deployment.target_task_definition;
        let definition = async {
            match self.watched() {
                Some(watched) => Ok(Some(watched.definition)),
                None => context.ports.tasks().task_definition(arn).await,
            }
        };
        let (definition, seen) = tokio::join!(definition, self.look(context));
        let Some(definition) = definition? else {
            let evidence = format!("ECS has no task definition {}", short(arn));
            return Ok(Answer::no(evidence, "Deploy a task definition that exists."));
        };
        let container = match self.container(&definition, &deployment.container_name) {
            Ok(container) => container,
            Err(answer) => return Ok(answer),
        };
        let command = one_line(&without_secrets(&self.task.command.join(" ")), QUOTED);
        let names = Names { command, container, definition: &definition };
        let task = match (seen, self.watched()) {
            (Ok(Some(task)), _) => task,
            (Ok(None), _) => match self.start(context, &names).await? {
                Ok(task) => task,
                Err(answer) => return Ok(answer),
            },
            // What cannot be seen is stopped all the same when its time is over.
            (Err(error), Some(watched)) => {
                return match self.is_over(&watched, context) {
                    Some(why) => Ok(self.stop(context, &names, &watched, &why).await),
                    None => Err(error),
                };
            }
            (Err(error), None) => return Err(error),
        };
        let watched = self.watch(task, &names);
        Ok(self.judge(context, &names, &watched).await)
    }

    fn remember(&self) -> Option<Value> {
        // What has not started yet is looked for again by its mark.
        let Some(watched) = self.watched() else { return Some(Value::Null) };
        let mut remembered = since::remember(watched.since);
        remembered["task"] = watched.task.arn.into();
        Some(remembered)
    }

    fn recall(&self, remembered: &Value) {
        let arn = remembered.get("task").and_then(Value::as_str).map(str::to_owned);
        let recalled = arn.zip(since::recall(remembered)).map(|(arn, since)| Recalled { arn, since });
        *self.recalled.lock().unwrap_or_else(PoisonError::into_inner) = recalled;
    }
}

/// A function has no task definition to run.
#[async_trait]
impl Check<FunctionDeployment> for MigrationsByTask {
    fn id(&self) -> &'static str {
        ID
    }

    fn question(&self) -> String {
        QUESTION.to_owned()
    }

    async fn ask(&self, context: &CheckContext<FunctionDeployment>) -> Result<Answer, CannotTell> {
        if context.deployment.rollback.is_some() {
            return Ok(Answer::yes(ROLLBACK));
        }
        let function = &context.deployment.shift.function;
        Ok(Answer::no(
            format!(
                "migrations.task of the plan is run as a task of an ECS service, and {function} is a Lambda function"
            ),
            "Name SQL files with migrations.sql, or take migrations out of the plan; then redeploy.",
        ))
    }
}

/// What the deployment's task is found by.
fn mark(deployment: &DeploymentId) -> String {
    let plain = format!("{OURS}{deployment}");
    let fits = plain.len() <= LONGEST_MARK && plain.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if fits {
        return plain;
    }
    let digest = Sha256::digest(&deployment.0);
    let hex: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("{OURS}{hex}")
}

/// `orders:42`.
fn short(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// The beginning of a task's id, as people search for it.
fn short_task(arn: &str) -> &str {
    let id = short(arn);
    id.get(..8).unwrap_or(id)
}

#[cfg(test)]
mod tests;
