//! The course of a deployment of the Lambda compute platform: an alias moves from one version of a function to another.
//!
//! <https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-steps-lambda.html>

use greenlight::appspec::{AnyAppSpec, FunctionAppSpec};

use super::ending::Ending;
use super::engine::Course;
use super::{api, hook, traffic};
use crate::world::deployments::EventStatus;
use crate::world::services::Colour;

/// From the current version to the target version.
pub(super) async fn forward(course: &Course) -> Result<(), Ending> {
    let spec = spec(course)?;
    fits(course, &spec)?;
    note_sides(course, &spec);
    hook::call(course, "BeforeAllowTraffic").await?;
    let move_to = |percent| {
        let (version, additional) = match percent {
            100 => (&spec.target_version, None),
            _ => (&spec.current_version, Some((spec.target_version.clone(), percent))),
        };
        lead(course, &spec, version, additional);
        format!("{percent} % of {}:{} on version {}", spec.function, spec.alias, spec.target_version)
    };
    traffic::in_steps(course, move_to).await?;
    course.end("AllowTraffic", EventStatus::Succeeded);
    hook::call(course, "AfterAllowTraffic").await
}

/// The alias goes back at once.
pub(super) async fn roll_back(course: &Course) -> Result<(), Ending> {
    let failed = course.world.read(|state| {
        let failed = state.codedeploy.deployment(&course.id)?.rolls_back.clone()?;
        spec_of(state.codedeploy.deployment(&failed)?, state)
    });
    let failed = failed.ok_or_else(|| Ending::internal("the deployment to undo is gone"))?;
    let (alias, version) = (format!("{}:{}", failed.function, failed.alias), &failed.current_version);
    course.say(format!("rollback {}: version {version} of {} takes all traffic again", course.id, failed.function));
    course.rollback_hook("BeforeAllowTraffic").await?;
    course.begin("AllowTraffic");
    course.world.update(|state| "rollback".clone_into(&mut state.phase));
    lead(course, &failed, version, None);
    course.record(|deployment| deployment.green_percent = 0);
    course.say(format!("all traffic of {alias} is on version {version}"));
    course.end("AllowTraffic", EventStatus::Succeeded);
    course.rollback_hook("AfterAllowTraffic").await
}

/// The AppSpec of this deployment.
fn spec(course: &Course) -> Result<FunctionAppSpec, Ending> {
    let spec = course.world.read(|state| spec_of(state.codedeploy.deployment(&course.id)?, state));
    spec.ok_or_else(|| Ending::internal("the revision is gone, or is of another platform"))
}

fn spec_of(deployment: &crate::world::deployments::Deployment, state: &crate::world::State) -> Option<FunctionAppSpec> {
    let revision = state.codedeploy.revision(&deployment.application, &deployment.revision)?;
    match api::app_spec(revision) {
        AnyAppSpec::Function(spec) => Some(spec),
        AnyAppSpec::Service(_) => None,
    }
}

/// The versions exist, and the alias leads to the one that the AppSpec calls current.
fn fits(course: &Course, spec: &FunctionAppSpec) -> Result<(), Ending> {
    course.world.read(|state| {
        for version in [&spec.current_version, &spec.target_version] {
            if state.version(&spec.function, version).is_none() {
                let message = format!("There is no version {version} of the function {}", spec.function);
                return Err(Ending::Lambda { code: "INVALID_LAMBDA_FUNCTION", message });
            }
        }
        let Some(alias) = state.alias(&spec.function, &spec.alias) else {
            let message = format!("The function {} has no alias {}", spec.function, spec.alias);
            return Err(Ending::Lambda { code: "INVALID_LAMBDA_CONFIGURATION", message });
        };
        if alias.version != spec.current_version || alias.additional.is_some() {
            let message = format!(
                "The alias {} leads to version {}, not to CurrentVersion {}",
                spec.alias, alias.version, spec.current_version
            );
            return Err(Ending::Lambda { code: "INVALID_LAMBDA_CONFIGURATION", message });
        }
        Ok(())
    })
}

/// What serves production now is blue.
fn note_sides(course: &Course, spec: &FunctionAppSpec) {
    course.world.update(|state| {
        for function in state.functions.iter_mut().filter(|function| function.name == spec.function) {
            function.colour = Some(if function.version == spec.target_version { Colour::Green } else { Colour::Blue });
        }
        if let Some(deployment) = state.codedeploy.deployment_mut(&course.id) {
            deployment.blue = Some(spec.current_version.clone());
            deployment.green = Some(spec.target_version.clone());
        }
    });
    let config = course.records().map(|(deployment, _)| deployment.config).unwrap_or_default();
    course.say(format!(
        "deployment {} of {}:{}: version {} → {}, {config}",
        course.id, spec.function, spec.alias, spec.current_version, spec.target_version
    ));
}

fn lead(course: &Course, spec: &FunctionAppSpec, version: &str, additional: Option<(String, u32)>) {
    course.world.update(|state| {
        if let Some(alias) = state.alias_mut(&spec.function, &spec.alias) {
            version.clone_into(&mut alias.version);
            alias.additional = additional;
        }
    });
}
