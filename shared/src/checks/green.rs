//! The green task set: as the deployment knows it, and as ECS sees it now.

use super::words::cannot_tell;
use crate::check::{CannotTell, CheckContext};
use crate::deployment::{AnyDeployment as _, TaskSet};
use crate::ports::Task;

/// Green as it was when the hook was called, or that there is none.
pub(super) fn known(context: &CheckContext) -> Result<&TaskSet, CannotTell> {
    context.deployment.green.as_ref().ok_or_else(|| {
        let (name, terms) = (&context.deployment.service.name, context.deployment.terms());
        let asked = format!("green: service {name} has no {} of this deployment", terms.side);
        cannot_tell(asked, format!("Look at the deployment in {}: whether it has made green.", terms.mover))
    })
}

/// Green as it is now, and its tasks, running and recently stopped. While ECS knows of no failed task of a deployment of its
/// own, those that still start are not listed.
pub(super) async fn with_tasks(context: &CheckContext, known: &TaskSet) -> Result<(TaskSet, Vec<Task>), CannotTell> {
    let tasks = || context.ports.tasks().tasks(&context.deployment.service.cluster, known);
    if known.failed.is_none() {
        return tokio::try_join!(now(context, known), tasks());
    }
    let green = now(context, known).await?;
    let tasks = if green.still_starts() { Vec::new() } else { tasks().await? };
    Ok((green, tasks))
}

/// Green as it is now.
pub(super) async fn now(context: &CheckContext, green: &TaskSet) -> Result<TaskSet, CannotTell> {
    let service = &context.deployment.service;
    let sets = context.ports.tasks().task_sets(&service.cluster, &service.name).await?;
    let now = sets.into_iter().find(|set| set.id == green.id).ok_or_else(|| {
        let side = context.deployment.terms().side;
        let asked = format!("green: its {side} {} is gone from service {}", green.id, service.name);
        cannot_tell(asked, format!("Look in the service's events for who deleted the {side}; then deploy again."))
    })?;
    Ok(now.in_group_of(green))
}
