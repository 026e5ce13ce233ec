//! Somebody else: a person or a pipeline that changes something of the service while a deployment runs, as AWS allows
//! anybody with the permission to. What comes of it is the hooks' to find out.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::setup::BEFORE;
use crate::world::journal::Who;
use crate::world::load_balancer::{Action, ListenerRole};
use crate::world::services::Colour;
use crate::world::{State, World};

/// What somebody else does.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Meddling {
    /// Deregisters the task definition that is about to be deployed.
    DeregistersGreen,
    /// Lets the test listener answer by itself, as for maintenance.
    TakesTheTestListener,
    /// Gives blue's target group a health check path that blue does not have. With no healthy target left the load
    /// balancer sends users on to all of them.
    MistypesTheHealthCheck,
    /// Lets green's task set be of blue's revision.
    SwapsTheRevision,
    /// Puts the production listener back on blue when the shift is over.
    PutsProductionBack,
}

/// Waits for the moment, does it, and says so in the transcript. Never ends.
pub async fn meddle(world: Arc<World>, what: Meddling) {
    let done = match what {
        Meddling::DeregistersGreen => {
            world.until(|state| (state.phase == BEFORE).then_some(())).await;
            world.update(deregister_green)
        }
        Meddling::TakesTheTestListener => {
            world.until(|state| (state.phase == BEFORE).then_some(())).await;
            world.update(take_test_listener)
        }
        Meddling::MistypesTheHealthCheck => {
            // Users are on blue by then.
            world.until(|state| is_steady(state, Colour::Blue).then_some(())).await;
            world.clock.sleep(Duration::from_secs(15)).await;
            world.update(mistype_health_check)
        }
        Meddling::SwapsTheRevision => {
            world.until(|state| of(state, Colour::Green).map(|_| ())).await;
            world.update(swap_revision)
        }
        Meddling::PutsProductionBack => {
            world.until(|state| leads_only_to(state, ListenerRole::Production, Colour::Green).then_some(())).await;
            world.update(put_production_back)
        }
    };
    if let Some(text) = done {
        world.say(Who::Rehearsal, text);
    }
    std::future::pending().await
}

/// As soon as the test listener leads to green, this share of it, in percent, is sent to blue. Never ends.
pub async fn leak_to_blue(world: Arc<World>, percent: u32) {
    world.until(|state| leads_only_to(state, ListenerRole::Test, Colour::Green).then_some(())).await;
    world.update(|state| {
        let (blue, green) = (of(state, Colour::Blue)?.1, of(state, Colour::Green)?.1);
        forward(state, ListenerRole::Test, &[(blue, percent), (green, 100 - percent)])
    });
    world.say(Who::Rehearsal, format!("somebody else lets the test listener send {percent} % to blue"));
    std::future::pending().await
}

/// Infrastructure code that manages a function's alias too, and puts it back on blue's version when the shift is over.
/// Never ends.
pub async fn put_alias_back(world: Arc<World>) {
    let version = |state: &State, colour| {
        let mut versions = state.functions.iter().filter(|function| function.colour == Some(colour));
        versions.next().map(|function| function.version.clone())
    };
    let is_over = |state: &State| {
        let alias = state.aliases.first()?;
        (alias.additional.is_none() && Some(&alias.version) == version(state, Colour::Green).as_ref()).then_some(())
    };
    world.until(is_over).await;
    let put_back = world.update(|state| {
        let blue = version(state, Colour::Blue)?;
        let alias = state.aliases.first_mut()?;
        alias.version.clone_from(&blue);
        Some(format!("somebody else puts {}:{} back on version {blue}", alias.function, alias.name))
    });
    if let Some(text) = put_back {
        world.say(Who::Rehearsal, text);
    }
    std::future::pending().await
}

fn deregister_green(state: &mut State) -> Option<String> {
    let definition = state.task_definitions.iter_mut().max_by_key(|it| it.revision)?;
    definition.active = false;
    Some(format!("somebody else deregisters {}:{}", definition.family, definition.revision))
}

fn take_test_listener(state: &mut State) -> Option<String> {
    let listener = state.listeners.iter_mut().find(|listener| listener.role == ListenerRole::Test)?;
    for rule in &mut listener.rules {
        rule.action = Action::FixedResponse { status: 503, body: "maintenance".to_owned() };
    }
    Some("somebody else lets the test listener answer 503 by itself".to_owned())
}

fn mistype_health_check(state: &mut State) -> Option<String> {
    let (_, blue) = of(state, Colour::Blue)?;
    let group = state.target_groups.iter_mut().find(|group| group.arn == blue)?;
    group.health_check.path = "/healthz".to_owned();
    Some(format!("somebody else changes the health check of {} to GET /healthz", group.name))
}

fn swap_revision(state: &mut State) -> Option<String> {
    let (definition, _) = of(state, Colour::Blue)?;
    let mut sets = state.services.iter_mut().flat_map(|service| &mut service.task_sets);
    let green = sets.find(|set| set.colour == Colour::Green)?;
    green.task_definition.clone_from(&definition);
    let name = definition.rsplit('/').next().unwrap_or_default();
    Some(format!("somebody else lets green's task set be of {name}"))
}

fn put_production_back(state: &mut State) -> Option<String> {
    let (_, blue) = of(state, Colour::Blue)?;
    forward(state, ListenerRole::Production, &[(blue, 100)])?;
    Some("somebody else puts the production listener back on blue".to_owned())
}

/// Task definition and target group of a colour's task set.
fn of(state: &State, colour: Colour) -> Option<(String, String)> {
    let mut sets = state.services.iter().flat_map(|service| &service.task_sets);
    sets.find(|set| set.colour == colour).map(|set| (set.task_definition.clone(), set.target_group.clone()))
}

fn is_steady(state: &State, colour: Colour) -> bool {
    state.services.iter().flat_map(|service| &service.task_sets).any(|set| set.colour == colour && set.steady)
}

fn leads_only_to(state: &State, role: ListenerRole, colour: Colour) -> bool {
    let Some((_, group)) = of(state, colour) else { return false };
    let listener = state.listeners.iter().find(|listener| listener.role == role);
    listener.into_iter().flat_map(|listener| &listener.rules).any(|rule| match &rule.action {
        Action::Forward(groups) => groups.iter().all(|(arn, weight)| (*arn == group) == (*weight > 0)),
        Action::FixedResponse { .. } => false,
    })
}

fn forward(state: &mut State, role: ListenerRole, groups: &[(String, u32)]) -> Option<String> {
    let listener = state.listeners.iter_mut().find(|listener| listener.role == role)?;
    for rule in &mut listener.rules {
        if matches!(rule.action, Action::Forward(_)) {
            rule.action = Action::Forward(groups.to_vec());
        }
    }
    Some(listener.arn.clone())
}
