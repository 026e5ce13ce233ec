//! A conversion, played on both sides: CodeDeploy deploys with an AppSpec, ECS with what `rehearse convert` makes of it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use greenlight::appspec::AppSpec;
use rehearsal::codedeploy::api::{NewDeployment, NewRevision, answer_hook, create};
use rehearsal::conversion::{Group, convert};
use rehearsal::scenario::Loaded;
use rehearsal::setup::{Prepared, Versions};
use rehearsal::world::World;
use rehearsal::world::functions::InvocationStatus;
use rehearsal::{codedeploy, ecs};
use serde_json::Value;
use tokio::task::JoinSet;

#[path = "support/furnished.rs"]
mod furnished;
#[path = "support/tasks.rs"]
mod tasks;

fn load(engine: &str, deployment: &str) -> Loaded {
    furnished::load(&format!("engine: {engine}\ndeployment: {deployment}\n"))
}

/// A world in which tasks run at once and every function says yes, whoever asks.
async fn opened(loaded: &Loaded) -> (Arc<World>, Prepared, JoinSet<()>) {
    let (world, prepared) = furnished::world(loaded);
    let mut actors = JoinSet::new();
    actors.spawn(ecs::run(Arc::clone(&world)));
    actors.spawn(ecs::engine::run(Arc::clone(&world), loaded.scenario.switches.native()));
    actors.spawn(codedeploy::engine::run(Arc::clone(&world), loaded.scenario.switches.switches()));
    actors.spawn(tasks::run_at_once(Arc::clone(&world)));
    actors.spawn(say_yes(Arc::clone(&world)));
    world.until(|state| state.services[0].primary().unwrap().steady.then_some(())).await;
    (world, prepared, actors)
}

async fn say_yes(world: Arc<World>) {
    loop {
        let (id, payload) = world
            .until(|state| {
                let queued = state.invocations.iter().find(|it| it.status == InvocationStatus::Queued)?;
                Some((queued.id.clone(), queued.payload.clone()))
            })
            .await;
        let event: Value = serde_json::from_str(&payload).unwrap();
        if let Some(deployment) = event["DeploymentId"].as_str() {
            let execution = event["LifecycleEventHookExecutionId"].as_str().unwrap();
            answer_hook(&world, deployment, execution, true).unwrap();
        }
        let answer = InvocationStatus::Returned(r#"{"hookStatus": "SUCCEEDED"}"#.to_owned());
        world.update(|state| state.invocations.iter_mut().find(|it| it.id == id).unwrap().status = answer);
    }
}

/// The functions that were called, those that were called for every step once.
async fn called(world: &World) -> Vec<String> {
    world.until(|state| state.deployments_have_ended().then_some(())).await;
    let mut functions: Vec<String> =
        world.read(|state| state.invocations.iter().map(|it| it.function.clone()).collect());
    functions.dedup();
    functions
}

#[tokio::test(start_paused = true)]
async fn both_engines_call_the_same_functions_in_the_same_order_and_shift_the_same_shares() {
    for deployment in [
        "{ config: CodeDeployDefault.ECSAllAtOnce }",
        "{ canary: { percent: 20%, interval: 3m }, termination_wait: 7m }",
        "{ linear: { percent: 25%, interval: 1m } }",
    ] {
        let loaded = load("codedeploy", deployment);
        let (world, prepared, _actors) = opened(&loaded).await;
        let Versions::CodeDeploy { application, group, green, .. } = prepared.versions else { panic!("CodeDeploy's") };
        let NewRevision::Inline { content, .. } = green.clone() else { panic!("it is inline") };
        let request = NewDeployment {
            application,
            group,
            config: None,
            revision: green,
            description: None,
            auto_rollback_override: None,
        };
        create(&world, request).unwrap();
        let by_codedeploy = called(&world).await;
        assert_eq!(by_codedeploy.len(), 5);

        let spec = AppSpec::parse(&content, "appspec.yaml").unwrap();
        let alarms: Vec<String> = world.read(|state| state.alarms.iter().map(|alarm| alarm.name.clone()).collect());
        let conversion = convert(&spec, &Group::of(&loaded.scenario, &alarms), "arn:aws:iam::123456789012:role/hooks");
        let (world, prepared, _actors) = opened(&load("ecs", "{}")).await;
        let Versions::Ecs { cluster, service, green, .. } = prepared.versions else { panic!("ECS's") };
        let update = ecs::api::Update {
            cluster,
            service,
            task_definition: Some(green),
            configuration: Some(conversion.configuration),
            ..ecs::api::Update::default()
        };
        let begun = ecs::api::update(&world, update).unwrap().unwrap();
        assert_eq!(called(&world).await, by_codedeploy, "{deployment}");
        let ended = world.read(|state| state.service_deployment(&begun).unwrap().clone());
        assert_eq!(ended.status.name(), "SUCCESSFUL");
        assert_eq!(ended.settings.configuration.strategy, loaded.scenario.strategy());
        assert_eq!(ended.settings.configuration.bake, loaded.scenario.deployment.kept());
    }
}
