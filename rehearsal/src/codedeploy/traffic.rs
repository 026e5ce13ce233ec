//! Moving traffic: where listeners forward to, at once or in steps.

use std::time::Duration;

use super::ending::Ending;
use super::engine::Course;
use crate::world::deployments::{EventStatus, Routing, ServiceTarget};
use crate::world::load_balancer::Action;
use crate::world::services::{TaskSet, TaskSetStatus};

/// How much real time one interval between two steps may take.
const INTERVAL_TAKES: Duration = Duration::from_millis(1000);

/// Makes every forwarding rule of a listener forward like this: target group ARN and weight.
pub(super) fn point(course: &Course, listener: &str, weights: &[(&str, u32)]) {
    course.world.update(|state| {
        for rule in state.listener_mut(listener).into_iter().flat_map(|listener| &mut listener.rules) {
            if let Action::Forward(groups) = &mut rule.action {
                *groups = weights.iter().map(|(arn, weight)| ((*arn).to_owned(), *weight)).collect();
            }
        }
    });
}

/// Shifts production from blue to green.
pub(super) async fn shift(
    course: &Course,
    group: &ServiceTarget,
    blue: &TaskSet,
    green: &TaskSet,
) -> Result<(), Ending> {
    let move_to = |percent| {
        let weights = [(blue.target_group.as_str(), 100 - percent), (green.target_group.as_str(), percent)];
        point(course, &group.production_listener, &weights);
        format!("{percent} % of production on green")
    };
    in_steps(course, move_to).await?;
    make_primary(course, group, &green.id);
    course.end("AllowTraffic", EventStatus::Succeeded);
    Ok(())
}

/// Calls `move_to` with each share of production in turn, as the deployment configuration says; it gives back what to say.
pub(super) async fn in_steps(course: &Course, move_to: impl Fn(u32) -> String) -> Result<(), Ending> {
    course.begin("AllowTraffic");
    let routing = course.world.read(|state| {
        let config = &state.codedeploy.deployment(&course.id)?.config;
        state.codedeploy.config(config).map(|config| config.routing)
    });
    let routing = routing.ok_or_else(|| Ending::internal("the deployment configuration is gone"))?;
    let (step, interval) = match routing {
        Routing::AllAtOnce => (100, Duration::ZERO),
        Routing::Canary { percent, interval } | Routing::Linear { percent, interval } => (percent, interval),
    };
    let mut percent = 0;
    loop {
        percent = match routing {
            Routing::AllAtOnce => 100,
            Routing::Canary { .. } if percent > 0 => 100,
            Routing::Canary { .. } | Routing::Linear { .. } => (percent + step).min(100),
        };
        let moved = move_to(percent);
        course.record(|deployment| deployment.green_percent = percent);
        course.world.update(|state| state.phase = format!("AllowTraffic {percent} %"));
        course.say(format!("AllowTraffic: {moved}"));
        if percent == 100 {
            return Ok(());
        }
        course.world.clock.skip(interval, INTERVAL_TAKES).await;
    }
}

/// Points both listeners at blue.
pub(super) fn back_to_blue(course: &Course, group: &ServiceTarget, blue: &TaskSet) {
    point(course, &group.production_listener, &[(&blue.target_group, 100)]);
    if let Some(listener) = &group.test_listener {
        point(course, listener, &[(&blue.target_group, 100)]);
    }
    make_primary(course, group, &blue.id);
    course.record(|deployment| deployment.green_percent = 0);
    course.say("all production traffic is on blue");
}

fn make_primary(course: &Course, group: &ServiceTarget, id: &str) {
    course.world.update(|state| {
        for set in state.service_mut(&group.cluster, &group.service).into_iter().flat_map(|it| &mut it.task_sets) {
            if set.id == id {
                set.status = TaskSetStatus::Primary;
            } else if set.status == TaskSetStatus::Primary {
                set.status = TaskSetStatus::Active;
            }
        }
    });
}
