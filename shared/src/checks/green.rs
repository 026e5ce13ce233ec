//! The green task set: as the deployment knows it, and as ECS sees it now.

use super::words::cannot_tell;
use crate::check::{CannotTell, CheckContext};
use crate::deployment::TaskSet;

/// Green as it was when the hook was called, or that there is none.
pub(super) fn known(context: &CheckContext) -> Result<&TaskSet, CannotTell> {
    context.deployment.green.as_ref().ok_or_else(|| {
        let asked = format!("green: service {} has no task set of this deployment", context.deployment.service.name);
        cannot_tell(asked, "Look at the Install event of the deployment; it creates green.")
    })
}

/// Green as it is now.
pub(super) async fn now(context: &CheckContext, green: &TaskSet) -> Result<TaskSet, CannotTell> {
    let service = &context.deployment.service;
    let sets = context.ports.tasks().task_sets(&service.cluster, &service.name).await?;
    sets.into_iter().find(|set| set.id == green.id).ok_or_else(|| {
        let asked = format!("green: its task set {} is gone from service {}", green.id, service.name);
        cannot_tell(asked, "Look in the service's events for who deleted the task set; then deploy again.")
    })
}
