//! The way back. There is no stage for it: traffic goes back first, then the hooks of both shifts are told.

use greenlight::lifecycle_stage::LifecycleStage;

use super::engine::Course;
use super::{hooks, scale, traffic};
use crate::codedeploy::engine::family_revision;
use crate::world::service_deployments::{Rollback, ServiceDeploymentStatus};

/// Leads all traffic back to blue, calls the hooks, and ends green.
pub(super) async fn go(course: &Course, reason: &str) {
    let Some(blue) = course.source() else {
        let why = format!("{reason}; there is no revision to go back to");
        return course.finish(ServiceDeploymentStatus::RollbackFailed, Some(why));
    };
    let now = course.world.now();
    course.record(|deployment| {
        deployment.status = ServiceDeploymentStatus::RollbackInProgress;
        deployment.rollback = Some(Rollback { reason: reason.to_owned(), started_at: now, revision: blue.arn.clone() });
    });
    course.world.update(|state| "rollback".clone_into(&mut state.phase));
    if let Err(ending) = traffic::lead_back(course, &blue.arn) {
        let why = format!("{reason}; traffic cannot be led back: {}", ending.reason());
        return course.finish(ServiceDeploymentStatus::RollbackFailed, Some(why));
    }
    course.say(format!("ROLLBACK_IN_PROGRESS: {} takes all traffic again", family_revision(&blue.task_definition)));
    for stage in [LifecycleStage::ProductionTrafficShift, LifecycleStage::TestTrafficShift] {
        course.record(|deployment| deployment.stage = Some(stage));
        let Err(refused) = hooks::call(course, stage, 0.0).await else { continue };
        if course.switches.hooks_can_fail_a_rollback {
            let why = format!("{reason}; {}", refused.reason());
            return course.finish(ServiceDeploymentStatus::RollbackFailed, Some(why));
        }
        course.say(format!("{stage}: traffic is back on blue whatever a hook says: {}", refused.reason()));
    }
    let green = course.target();
    if course.world.read(|state| state.task_set(&green.task_set).is_some()) {
        scale::down(course, &green.arn).await;
        course.say("green is terminated");
    }
    course.finish(ServiceDeploymentStatus::RollbackSuccessful, Some(reason.to_owned()));
}
