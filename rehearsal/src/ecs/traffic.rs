//! Moving traffic: the weights of the two target groups in the rules that the service names.

use std::time::Duration;

use greenlight::lifecycle_stage::LifecycleStage;

use super::ending::Ending;
use super::engine::{Course, phase};
use super::hooks;
use crate::world::State;
use crate::world::load_balancer::{Action, Rule};
use crate::world::services::TaskSetStatus;

/// How much real time the wait between two steps may take.
const STEP_TAKES: Duration = Duration::from_millis(1000);

/// Moves test traffic to green. Where the service names no rule for tests there is none to move, and the stage passes.
pub(super) async fn shift_tests(course: &Course) -> Result<(), Ending> {
    course.begin(LifecycleStage::TestTrafficShift);
    let rule = course.deployment().settings.test_rule;
    match &rule {
        Some(rule) => {
            weigh(course, rule, 100.0)?;
            course.record(|deployment| deployment.test_share = 100.0);
            let green = course.name(&course.target().target_group);
            course.say(format!("TEST_TRAFFIC_SHIFT: the test listener's rule forwards to green ({green})"));
        }
        None => course.say("TEST_TRAFFIC_SHIFT: the service has no rule for tests"),
    }
    hooks::call(course, LifecycleStage::TestTrafficShift, 100.0).await
}

/// Moves production to green, as the strategy says.
pub(super) async fn shift_production(course: &Course) -> Result<(), Ending> {
    let settings = course.deployment().settings;
    let mut before = 0.0;
    for (share, bake) in settings.configuration.strategy.steps() {
        course.begin(LifecycleStage::PreProductionTrafficShift);
        hooks::call(course, LifecycleStage::PreProductionTrafficShift, before).await?;
        course.begin(LifecycleStage::ProductionTrafficShift);
        weigh(course, &settings.production_rule, share)?;
        course.record(|deployment| deployment.production_share = share);
        if share >= 100.0 {
            make_primary(course, &course.target().task_set);
        }
        // Whoever acts on the phase is told of after it.
        course.say(format!("PRODUCTION_TRAFFIC_SHIFT: {share} % of production on green"));
        course.world.update(|state| state.phase = phase(LifecycleStage::ProductionTrafficShift, Some(share)));
        hooks::call(course, LifecycleStage::ProductionTrafficShift, share).await?;
        course.world.clock.skip(bake, STEP_TAKES).await;
        before = share;
    }
    Ok(())
}

/// What has been moved to green goes back to blue, and what a deployment before this one has left elsewhere.
pub(super) fn lead_back(course: &Course, blue: &str) -> Result<(), Ending> {
    let deployment = course.deployment();
    if deployment.sources.len() > 1 {
        return lead_to(course, blue);
    }
    let moved = (deployment.test_share > 0.0, deployment.production_share > 0.0);
    if let Some(rule) = deployment.settings.test_rule.as_ref().filter(|_| moved.0) {
        weigh(course, rule, 0.0)?;
    }
    if moved.1 {
        weigh(course, &deployment.settings.production_rule, 0.0)?;
    }
    course.record(|deployment| (deployment.test_share, deployment.production_share) = (0.0, 0.0));
    if let Some(revision) = course.revision(blue) {
        make_primary(course, &revision.task_set);
    }
    Ok(())
}

/// All traffic goes to this revision.
pub(super) fn lead_to(course: &Course, revision: &str) -> Result<(), Ending> {
    let deployment = course.deployment();
    let green = if revision == deployment.target { 100.0 } else { 0.0 };
    if let Some(rule) = &deployment.settings.test_rule {
        weigh(course, rule, green)?;
    }
    weigh(course, &deployment.settings.production_rule, green)?;
    course.record(|deployment| (deployment.test_share, deployment.production_share) = (green, green));
    if let Some(revision) = course.revision(revision) {
        make_primary(course, &revision.task_set);
    }
    Ok(())
}

/// Gives green this share of a rule, in percent, and blue the rest.
fn weigh(course: &Course, rule: &str, green: f64) -> Result<(), Ending> {
    let target = course.target();
    let settings = course.deployment().settings;
    let blue = if target.target_group == settings.target_group {
        settings.alternate_target_group
    } else {
        settings.target_group
    };
    let (blue_weight, green_weight) = weights(green);
    course.world.update(|state| {
        let found = rule_mut(state, rule).ok_or_else(|| Ending::Ecs(format!("the listener rule {rule} is gone")))?;
        match &mut found.action {
            Action::Forward(groups) => {
                *groups = vec![(blue, blue_weight), (target.target_group.clone(), green_weight)];
                Ok(())
            }
            Action::FixedResponse { .. } => {
                Err(Ending::Ecs(format!("the listener rule {rule} does not forward, so no weights can be set")))
            }
        }
    })
}

/// Whole weights; in tenths of a percent where percents would not do.
fn weights(green: f64) -> (u32, u32) {
    let tenths = (green * 10.0).round().clamp(0.0, 1000.0) as u32;
    if tenths.is_multiple_of(10) { (100 - tenths / 10, tenths / 10) } else { (1000 - tenths, tenths) }
}

fn rule_mut<'a>(state: &'a mut State, arn: &str) -> Option<&'a mut Rule> {
    state.listeners.iter_mut().flat_map(|listener| &mut listener.rules).find(|rule| rule.arn == arn)
}

fn make_primary(course: &Course, id: &str) {
    let deployment = course.deployment();
    course.world.update(|state| {
        let service = state.service_mut(&deployment.cluster, &deployment.service);
        for set in service.into_iter().flat_map(|it| &mut it.task_sets) {
            if set.id == id {
                set.status = TaskSetStatus::Primary;
            } else if set.status == TaskSetStatus::Primary {
                set.status = TaskSetStatus::Active;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::weights;

    /// A load balancer takes whole weights up to 999.
    #[test]
    fn a_share_of_less_than_a_percent_has_weights_of_its_own() {
        assert_eq!([0.0, 10.0, 100.0].map(weights), [(100, 0), (90, 10), (0, 100)]);
        assert_eq!([0.5, 33.3].map(weights), [(995, 5), (667, 333)]);
    }
}
