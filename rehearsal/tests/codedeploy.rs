//! CodeDeploy's course of a deployment, without processes: tasks run at once and the test answers for the hooks.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::time::Duration;

use rehearsal::codedeploy::api::{self, NewDeployment};
use rehearsal::codedeploy::engine;
use rehearsal::setup::{Prepared, Production, Versions};
use rehearsal::world::World;
use rehearsal::world::alarms::AlarmState;
use rehearsal::world::deployments::{Creator, Deployment, DeploymentStatus, EventStatus};
use rehearsal::world::functions::InvocationStatus;
use rehearsal::world::load_balancer::{Action, ListenerRole};
use rehearsal::world::services::TaskSetStatus;
use tokio::task::JoinSet;

#[path = "support/furnished.rs"]
mod furnished;
#[path = "support/tasks.rs"]
mod tasks;

struct Rehearsed {
    world: Arc<World>,
    prepared: Prepared,
    /// Dropped with the test: ends every actor.
    _actors: JoinSet<()>,
}

/// How the test's functions behave at each lifecycle event.
type Behaviour = fn(event: &str) -> Reaction;

enum Reaction {
    Answers(bool),
    ReturnsSilently,
    CannotBeInvoked,
}

fn all_say_yes(_: &str) -> Reaction {
    Reaction::Answers(true)
}

async fn rehearse(yaml: &str, behaviour: Behaviour) -> Rehearsed {
    let loaded = furnished::load(yaml);
    let (world, prepared) = furnished::world(&loaded);
    let mut actors = JoinSet::new();
    actors.spawn(rehearsal::ecs::run(Arc::clone(&world)));
    actors.spawn(engine::run(Arc::clone(&world), loaded.scenario.switches.switches()));
    actors.spawn(tasks::run_at_once(Arc::clone(&world)));
    actors.spawn(hooks_react(Arc::clone(&world), behaviour));
    world.until(|state| state.services[0].primary().unwrap().steady.then_some(())).await;
    Rehearsed { world, prepared, _actors: actors }
}

/// In place of Lambda: each invocation reacts as the test says.
async fn hooks_react(world: Arc<World>, behaviour: Behaviour) {
    loop {
        let (id, payload, event) = world
            .until(|state| {
                let queued = state.invocations.iter().find(|it| it.status == InvocationStatus::Queued)?;
                let events = state.codedeploy.deployments.iter().flat_map(|it| &it.events);
                let mut running = events.filter(|it| it.status == EventStatus::InProgress);
                Some((queued.id.clone(), queued.payload.clone(), running.next()?.name))
            })
            .await;
        let payload: serde_json::Value = serde_json::from_str(&payload).unwrap();
        let status = match behaviour(event) {
            Reaction::Answers(yes) => {
                let deployment = payload["DeploymentId"].as_str().unwrap();
                let execution = payload["LifecycleEventHookExecutionId"].as_str().unwrap();
                api::answer_hook(&world, deployment, execution, yes).unwrap();
                InvocationStatus::Returned("null".to_owned())
            }
            Reaction::ReturnsSilently => InvocationStatus::Returned("\"Succeeded\"".to_owned()),
            Reaction::CannotBeInvoked => InvocationStatus::NotInvokable("no such function".to_owned()),
        };
        world.update(|state| state.invocations.iter_mut().find(|it| it.id == id).unwrap().status = status);
    }
}

impl Rehearsed {
    fn create(&self) -> String {
        api::create(&self.world, self.request()).unwrap()
    }

    fn request(&self) -> NewDeployment {
        let Versions::CodeDeploy { application, group, green, .. } = self.prepared.versions.clone() else {
            panic!("CodeDeploy carries it out")
        };
        NewDeployment {
            application,
            group,
            config: None,
            revision: green,
            description: None,
            auto_rollback_override: None,
        }
    }

    async fn ended(&self, id: &str) -> Deployment {
        self.world.until(|state| state.codedeploy.deployment(id).filter(|it| it.status.is_final()).cloned()).await
    }

    /// The deployment and the rollback that followed, ended both.
    async fn ended_and_rolled_back(&self, id: &str) -> (Deployment, Deployment) {
        self.ended(id).await;
        let rollback = self.world.until(|state| state.codedeploy.deployment(id)?.rolled_back_by.clone()).await;
        let rollback = self.ended(&rollback).await;
        (self.ended(id).await, rollback)
    }

    async fn phase(&self, phase: &str) {
        self.world.until(|state| (state.phase == phase).then_some(())).await;
    }

    /// All of production is on green. The step itself is over at once, so its phase may pass unseen.
    async fn shifted(&self, id: &str) {
        self.world.until(|state| (state.codedeploy.deployment(id)?.green_percent == 100).then_some(())).await;
    }

    fn production_weights(&self) -> Vec<u32> {
        self.world.read(|state| {
            let Production::Listener(listener) = &self.prepared.production else { panic!("a service has a listener") };
            let rule = &state.listener(listener).unwrap().rules[0];
            let Action::Forward(groups) = &rule.action else { panic!("the production rule forwards") };
            groups.iter().map(|(_, weight)| *weight).collect()
        })
    }
}

fn ended_events(deployment: &Deployment) -> Vec<(&'static str, EventStatus)> {
    deployment.events.iter().map(|event| (event.name, event.status)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_good_deployment_passes_every_event_in_the_documented_order_and_ends_with_blue_gone() {
    let it = rehearse("", all_say_yes).await;
    let deployment = it.ended(&it.create()).await;
    assert_eq!(deployment.status, DeploymentStatus::Succeeded);
    let started: Vec<_> = deployment.events.iter().map(|event| event.started_at.unwrap()).collect();
    assert!(started.is_sorted(), "{started:?}");
    assert!(deployment.events.iter().all(|event| event.status == EventStatus::Succeeded), "{:?}", deployment.events);
    it.world.read(|state| {
        let sets = &state.services[0].task_sets;
        assert_eq!(sets.len(), 1, "blue is gone");
        assert_eq!((Some(sets[0].id.clone()), sets[0].status), (deployment.green, TaskSetStatus::Primary));
    });
}

#[tokio::test(start_paused = true)]
async fn a_canary_keeps_ten_percent_for_five_minutes() {
    let it = rehearse("", all_say_yes).await;
    let id = it.create();
    it.phase("AllowTraffic 10 %").await;
    let begun = it.world.now();
    assert_eq!(it.production_weights(), [90, 10]);
    it.shifted(&id).await;
    assert_eq!(it.world.now().duration_since(begun).as_secs() / 60, 5);
    assert_eq!(it.ended(&id).await.status, DeploymentStatus::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_linear_shift_takes_its_steps_and_its_interval() {
    let it = rehearse("deployment: { linear: { percent: 25%, interval: 2m } }", all_say_yes).await;
    let id = it.create();
    let mut seen = Vec::new();
    for percent in ["25", "50", "75"] {
        it.phase(&format!("AllowTraffic {percent} %")).await;
        seen.push(it.world.now());
    }
    it.shifted(&id).await;
    seen.push(it.world.now());
    let minutes: Vec<_> = seen.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs() / 60).collect();
    assert_eq!(minutes, [2, 2, 2]);
    assert_eq!(it.ended(&id).await.green_percent, 100);
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_says_no_fails_the_deployment_and_the_rollback_is_a_deployment_of_its_own() {
    let it = rehearse("", |event| Reaction::Answers(event != "AfterAllowTestTraffic")).await;
    let (failed, rollback) = it.ended_and_rolled_back(&it.create()).await;
    assert_eq!(failed.status, DeploymentStatus::Failed);
    assert_eq!(failed.error.as_ref().unwrap().code, "HOOK_EXECUTION_FAILURE");
    assert!(ended_events(&failed).contains(&("AfterAllowTestTraffic", EventStatus::Failed)));
    assert!(ended_events(&failed).contains(&("AllowTraffic", EventStatus::Skipped)));
    assert_eq!((rollback.creator, rollback.status), (Creator::CodeDeployRollback, DeploymentStatus::Succeeded));
    assert_eq!(rollback.rolls_back.as_ref(), Some(&failed.id));
    it.world.read(|state| {
        assert_eq!(state.services[0].task_sets.len(), 1, "green is gone");
        assert_eq!(Some(&state.services[0].task_sets[0].id), failed.blue.as_ref());
    });
    assert_eq!(it.production_weights(), [100]);
}

#[tokio::test(start_paused = true)]
async fn without_automatic_rollback_nothing_moves_back() {
    let it =
        rehearse("deployment: { auto_rollback: [] }", |event| Reaction::Answers(event != "BeforeAllowTraffic")).await;
    let failed = it.ended(&it.create()).await;
    it.world.clock.sleep(Duration::from_secs(24 * 3600)).await;
    let failed = it.ended(&failed.id).await;
    assert_eq!((failed.status, &failed.rolled_back_by), (DeploymentStatus::Failed, &None));
    it.world.read(|state| {
        assert_eq!(state.services[0].task_sets.len(), 2, "green stays");
        let test = state.listeners.iter().find(|listener| listener.role == ListenerRole::Test).unwrap();
        let green = state.task_set(failed.green.as_deref().unwrap()).unwrap();
        let Action::Forward(groups) = &test.rules[0].action else { panic!("the test rule forwards") };
        assert_eq!(groups, &[(green.target_group.clone(), 100)], "the test listener stays on green");
    });
    assert_eq!(it.production_weights(), [100, 0]);
}

#[tokio::test(start_paused = true)]
async fn silence_costs_an_hour_of_the_worlds_time_and_a_moment_of_ours() {
    let it = rehearse("", |event| match event {
        "AfterInstall" => Reaction::ReturnsSilently,
        _ => Reaction::Answers(true),
    })
    .await;
    let real = tokio::time::Instant::now();
    let failed = it.ended(&it.create()).await;
    assert!(real.elapsed() < Duration::from_secs(5), "{:?}", real.elapsed());
    let event = failed.events.iter().find(|event| event.name == "AfterInstall").unwrap();
    let waited = event.ended_at.unwrap().duration_since(event.started_at.unwrap());
    assert_eq!((event.status, waited.as_secs() / 60), (EventStatus::Failed, 60));
}

#[tokio::test(start_paused = true)]
async fn a_function_that_cannot_be_called_fails_the_deployment_at_once() {
    let it = rehearse("", |_| Reaction::CannotBeInvoked).await;
    let begun = it.world.now();
    let failed = it.ended(&it.create()).await;
    assert_eq!(failed.status, DeploymentStatus::Failed);
    assert!(failed.error.unwrap().message.contains("no such function"));
    assert!(it.world.now().duration_since(begun).as_secs() < 60);
}

#[tokio::test(start_paused = true)]
async fn an_alarm_during_the_canary_stops_the_deployment_and_brings_blue_back() {
    let it = rehearse("", all_say_yes).await;
    let id = it.create();
    it.phase("AllowTraffic 10 %").await;
    it.world.update(|state| state.alarms[1].state = AlarmState::Alarm);
    let (stopped, _) = it.ended_and_rolled_back(&id).await;
    assert_eq!((stopped.status, stopped.green_percent), (DeploymentStatus::Stopped, 10));
    assert_eq!(stopped.error.as_ref().unwrap().code, "ALARM_ACTIVE");
    assert_eq!(it.production_weights(), [100]);
}

#[tokio::test(start_paused = true)]
async fn a_person_can_stop_a_deployment_once() {
    let it = rehearse("", all_say_yes).await;
    let id = it.create();
    it.phase("AllowTraffic 10 %").await;
    api::stop(&it.world, &id).unwrap();
    assert_eq!(it.ended(&id).await.error.unwrap().code, "MANUAL_STOP");
    assert_eq!(api::stop(&it.world, &id).unwrap_err().code, "DeploymentAlreadyCompletedException");
}

#[tokio::test(start_paused = true)]
async fn a_group_has_one_deployment_at_a_time() {
    let it = rehearse("", all_say_yes).await;
    it.create();
    assert_eq!(api::create(&it.world, it.request()).unwrap_err().code, "DeploymentLimitExceededException");
}

#[tokio::test(start_paused = true)]
async fn an_answer_counts_once_and_only_for_its_own_hook() {
    let it = rehearse("", |event| match event {
        "BeforeInstall" => Reaction::ReturnsSilently,
        _ => Reaction::Answers(true),
    })
    .await;
    let id = it.create();
    let execution = it.world.until(|state| state.codedeploy.deployment(&id)?.events[0].hook_execution_id.clone()).await;
    let refused = |execution: &str| api::answer_hook(&it.world, &id, execution, true).unwrap_err().code;
    assert_eq!(refused("somebody else's"), "InvalidLifecycleEventHookExecutionIdException");
    api::answer_hook(&it.world, &id, &execution, true).unwrap();
    assert_eq!(refused(&execution), "LifecycleEventAlreadyCompletedException");
    let nobody = api::answer_hook(&it.world, "d-NOBODY000", &execution, true).unwrap_err();
    assert_eq!(nobody.code, "DeploymentDoesNotExistException");
}

#[tokio::test(start_paused = true)]
async fn without_a_test_listener_there_is_no_test_traffic() {
    let it = rehearse("deployment: { test_listener: false }", all_say_yes).await;
    let deployment = it.ended(&it.create()).await;
    assert_eq!(deployment.status, DeploymentStatus::Succeeded);
    assert!(ended_events(&deployment).contains(&("AfterAllowTestTraffic", EventStatus::Skipped)));
}

#[tokio::test(start_paused = true)]
async fn a_rollback_calls_the_hooks_only_where_the_switch_says_so() {
    for (yaml, called) in [("", false), ("switches: { hooks_on_rollback: true }", true)] {
        let it = rehearse(yaml, |event| Reaction::Answers(event != "AfterAllowTestTraffic")).await;
        let (_, rollback) = it.ended_and_rolled_back(&it.create()).await;
        let was_called =
            it.world.read(|state| state.invocations.iter().any(|it| it.payload.contains(rollback.id.as_str())));
        assert_eq!(was_called, called, "{yaml}");
    }
}
