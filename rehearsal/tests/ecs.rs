//! The course of a deployment that ECS carries out, without processes: tasks run at once and the test answers for the hooks.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::time::Duration;

use greenlight::lifecycle_stage::LifecycleStage;
use rehearsal::ecs::{self, api, engine};
use rehearsal::people;
use rehearsal::setup::{Prepared, Production, Versions};
use rehearsal::world::World;
use rehearsal::world::alarms::AlarmState;
use rehearsal::world::deployment_configuration::HookAction;
use rehearsal::world::functions::InvocationStatus;
use rehearsal::world::load_balancer::Action;
use rehearsal::world::service_deployments::{
    HookStatus, ServiceDeployment, ServiceDeploymentStatus, StageStatus, StopType,
};
use rehearsal::world::services::TaskSetStatus;
use serde_json::{Value, json};
use tokio::task::JoinSet;

#[path = "support/furnished.rs"]
mod furnished;
#[path = "support/tasks.rs"]
mod tasks;

/// How the test's functions react to an event.
type Behaviour = fn(event: &Value) -> InvocationStatus;

struct Rehearsed {
    world: Arc<World>,
    prepared: Prepared,
    /// Dropped with the test: ends every actor.
    _actors: JoinSet<()>,
}

fn answers(answer: &Value) -> InvocationStatus {
    InvocationStatus::Returned(answer.to_string())
}

fn all_say_yes(_: &Value) -> InvocationStatus {
    answers(&json!({"hookStatus": "SUCCEEDED"}))
}

/// Says no at this stage while green is on its way, and yes everywhere else.
fn no_at(stage: &str, event: &Value) -> InvocationStatus {
    let status = if event["lifecycleStage"] == stage { "FAILED" } else { "SUCCEEDED" };
    answers(&json!({"hookStatus": status}))
}

async fn rehearse(yaml: &str, behaviour: Behaviour) -> Rehearsed {
    let loaded = furnished::load(&format!("engine: ecs\n{yaml}"));
    let (world, prepared) = furnished::world(&loaded);
    let mut actors = JoinSet::new();
    actors.spawn(ecs::run(Arc::clone(&world)));
    actors.spawn(engine::run(Arc::clone(&world), loaded.scenario.switches.native()));
    actors.spawn(tasks::run_at_once(Arc::clone(&world)));
    actors.spawn(hooks_react(Arc::clone(&world), behaviour));
    for pause in &loaded.scenario.on_ecs.pauses {
        actors.spawn(people::decide(Arc::clone(&world), pause.clone()));
    }
    world.until(|state| state.services[0].primary().unwrap().steady.then_some(())).await;
    Rehearsed { world, prepared, _actors: actors }
}

/// In place of Lambda: each invocation reacts as the test says.
async fn hooks_react(world: Arc<World>, behaviour: Behaviour) {
    loop {
        let (id, payload) = world
            .until(|state| {
                let queued = state.invocations.iter().find(|it| it.status == InvocationStatus::Queued)?;
                Some((queued.id.clone(), queued.payload.clone()))
            })
            .await;
        let status = behaviour(&serde_json::from_str(&payload).unwrap());
        world.update(|state| state.invocations.iter_mut().find(|it| it.id == id).unwrap().status = status);
    }
}

impl Rehearsed {
    fn deploy(&self) -> String {
        let Versions::Ecs { cluster, service, green, .. } = self.prepared.versions.clone() else {
            panic!("ECS carries it out")
        };
        let update = api::Update { cluster, service, task_definition: Some(green), ..api::Update::default() };
        api::update(&self.world, update).unwrap().unwrap()
    }

    /// What is configured, once more.
    fn deploy_anew(&self) -> String {
        let (cluster, service) = ("shop".to_owned(), "orders".to_owned());
        let update = api::Update { cluster, service, force: true, ..api::Update::default() };
        api::update(&self.world, update).unwrap().unwrap()
    }

    async fn ended(&self, arn: &str) -> ServiceDeployment {
        self.world.until(|state| state.service_deployment(arn).filter(|it| it.status.is_final()).cloned()).await
    }

    /// A whole deployment.
    async fn deployed(&self) -> ServiceDeployment {
        self.ended(&self.deploy()).await
    }

    async fn phase(&self, phase: &str) {
        self.world.until(|state| (state.phase == phase).then_some(())).await;
    }

    /// What every function was told, oldest first.
    fn events(&self) -> Vec<Value> {
        self.world.read(|state| state.invocations.iter().map(|it| serde_json::from_str(&it.payload).unwrap()).collect())
    }

    fn stages_called(&self) -> Vec<String> {
        self.events().iter().map(|event| event["lifecycleStage"].as_str().unwrap().to_owned()).collect()
    }

    /// The weights of the rule that users come through.
    fn production_weights(&self) -> Vec<u32> {
        self.world.read(|state| {
            let Production::Listener(listener) = &self.prepared.production else { panic!("a service has a listener") };
            let Action::Forward(groups) = &state.listener(listener).unwrap().rules[0].action else {
                panic!("the production rule forwards")
            };
            groups.iter().map(|(_, weight)| *weight).collect()
        })
    }

    fn task_sets(&self) -> Vec<(String, TaskSetStatus)> {
        self.world.read(|state| {
            state.services[0].task_sets.iter().map(|set| (set.id.clone(), set.status)).collect::<Vec<_>>()
        })
    }

    fn task_set_of(&self, revision: &str) -> String {
        self.world.read(|state| state.service_revision(revision).unwrap().task_set.clone())
    }

    fn fire(&self, alarm: &str) {
        let now = self.world.now();
        self.world.update(|state| {
            let alarm = state.alarms.iter_mut().find(|it| it.name == alarm).unwrap();
            (alarm.state, alarm.since) = (AlarmState::Alarm, now);
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_good_deployment_passes_every_stage_in_the_documented_order_and_ends_with_blue_gone() {
    let it = rehearse("", all_say_yes).await;
    let deployment = it.deployed().await;
    assert_eq!(deployment.status, ServiceDeploymentStatus::Successful);
    let stages: Vec<_> = deployment.stages.iter().map(|it| it.stage).collect();
    assert_eq!(stages, LifecycleStage::ALL[1..], "there is nothing to reconcile");
    assert!(deployment.stages.iter().all(|it| it.status == StageStatus::Succeeded), "{:?}", deployment.stages);
    assert_eq!(it.task_sets(), [(it.task_set_of(&deployment.target), TaskSetStatus::Primary)], "blue is gone");
}

#[tokio::test(start_paused = true)]
async fn hooks_before_and_at_the_shift_are_called_at_every_step() {
    let yaml = "deployment: { linear: { percent: 40%, interval: 1m } }\n\
                on_ecs: { hooks: { after_allow_traffic: { stages: [PRODUCTION_TRAFFIC_SHIFT] } } }";
    let it = rehearse(yaml, all_say_yes).await;
    it.deployed().await;
    let shifts: Vec<_> = it.stages_called().into_iter().filter(|it| it.contains("PRODUCTION_TRAFFIC_SHIFT")).collect();
    let step = ["PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"];
    assert_eq!(shifts, [step, step, step].concat());
}

/// The payloads of AWS's guide, revision for revision.
#[tokio::test(start_paused = true)]
async fn weights_are_told_where_traffic_moves_and_nowhere_else() {
    let all = "[PRE_SCALE_UP, POST_SCALE_UP, TEST_TRAFFIC_SHIFT, POST_TEST_TRAFFIC_SHIFT, PRE_PRODUCTION_TRAFFIC_SHIFT, \
               PRODUCTION_TRAFFIC_SHIFT, POST_PRODUCTION_TRAFFIC_SHIFT]";
    let none = ["after_install", "after_allow_test_traffic", "before_allow_traffic", "after_allow_traffic"];
    let none = none.map(|event| format!("{event}: {{ none: true }}")).join(", ");
    let yaml = format!(
        "deployment: {{ canary: {{ percent: 10%, interval: 5m }} }}\nhooks: {{ {none} }}\n\
         on_ecs: {{ hooks: {{ before_install: {{ stages: {all} }} }} }}"
    );
    let it = rehearse(&yaml, all_say_yes).await;
    let deployment = it.deployed().await;
    let (green, blue) = (deployment.target.as_str(), deployment.source().unwrap());
    let told: Vec<_> = it
        .events()
        .iter()
        .map(|event| {
            assert_eq!(event["resourceArn"], deployment.arn);
            let details = &event["executionDetails"];
            assert_eq!(details["serviceArn"], "arn:aws:ecs:eu-west-1:123456789012:service/shop/orders");
            assert_eq!(details["targetServiceRevisionArn"], green);
            let share = |weights: &Value| match weights.as_object().unwrap().len() {
                0 => None,
                2 => Some((weights[green].as_u64().unwrap(), weights[blue].as_u64().unwrap())),
                _ => panic!("{weights}"),
            };
            let stage = event["lifecycleStage"].as_str().unwrap().to_owned();
            (stage, share(&details["testTrafficWeights"]), share(&details["productionTrafficWeights"]))
        })
        .collect();
    let stage = |name: &str, test, production| (name.to_owned(), test, production);
    assert_eq!(
        told,
        [
            stage("PRE_SCALE_UP", None, None),
            stage("POST_SCALE_UP", None, None),
            stage("TEST_TRAFFIC_SHIFT", Some((100, 0)), None),
            stage("POST_TEST_TRAFFIC_SHIFT", None, None),
            stage("PRE_PRODUCTION_TRAFFIC_SHIFT", None, Some((0, 100))),
            stage("PRODUCTION_TRAFFIC_SHIFT", None, Some((10, 90))),
            stage("PRE_PRODUCTION_TRAFFIC_SHIFT", None, Some((10, 90))),
            stage("PRODUCTION_TRAFFIC_SHIFT", None, Some((100, 0))),
            stage("POST_PRODUCTION_TRAFFIC_SHIFT", None, None),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_event_of_2025_has_no_execution_details() {
    let it = rehearse("switches: { flat_events: true }", all_say_yes).await;
    let deployment = it.deployed().await;
    let first = &it.events()[0];
    assert_eq!(first["targetServiceRevisionArn"], deployment.target);
    assert_eq!(first["productionTrafficWeights"], json!({}));
    assert!(first.get("executionDetails").is_none(), "{first}");
}

/// Asks for two more calls at `PRE_SCALE_UP`, and counts them in nothing but `hookDetails`.
fn counts_to_two(event: &Value) -> InvocationStatus {
    let calls = event["hookDetails"]["calls"].as_u64().unwrap_or_default();
    if event["lifecycleStage"] == "PRE_SCALE_UP" && calls < 2 {
        let details = json!({"calls": calls + 1});
        return answers(&json!({"hookStatus": "IN_PROGRESS", "callBackDelay": 60, "hookDetails": details}));
    }
    all_say_yes(event)
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_is_not_done_is_called_again_with_what_it_returned() {
    let yaml = "on_ecs: { hooks: { before_install: { details: { team: orders } } } }";
    let it = rehearse(yaml, counts_to_two).await;
    let deployment = it.deployed().await;
    assert_eq!(deployment.status, ServiceDeploymentStatus::Successful);
    let events = it.events();
    let given: Vec<_> = events[..3].iter().map(|event| event["hookDetails"].clone()).collect();
    let orders = |calls: u64| json!({"team": "orders", "calls": calls});
    assert_eq!(given, [json!({"team": "orders"}), orders(1), orders(2)]);
    assert_eq!(events[0]["executionId"], events[2]["executionId"], "it is one execution");
    assert_eq!((deployment.hooks[0].invocations, deployment.hooks[0].status), (3, HookStatus::Succeeded));
    let took = deployment.stages[0].ended_at.unwrap().duration_since(deployment.stages[0].started_at);
    assert!((120..125).contains(&took.as_secs()), "twice 60 s: {took}");
    assert!(events[3].get("hookDetails").is_none(), "another hook is given nothing of it");
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_says_no_leads_all_back_to_blue() {
    let it = rehearse("", |event| no_at("POST_TEST_TRAFFIC_SHIFT", event)).await;
    let deployment = it.deployed().await;
    assert_eq!(deployment.status, ServiceDeploymentStatus::RollbackSuccessful);
    let reason = deployment.status_reason.unwrap();
    assert!(reason.contains("after-allow-test-traffic answered FAILED"), "{reason}");
    assert_eq!(deployment.rollback.unwrap().revision, deployment.sources[0]);
    assert_eq!(deployment.stages.last().map(|it| it.status), Some(StageStatus::Failed));
    assert_eq!(it.production_weights(), [100, 0]);
    assert_eq!(it.task_sets(), [(it.task_set_of(&deployment.sources[0]), TaskSetStatus::Primary)], "green is gone");
}

#[tokio::test(start_paused = true)]
async fn what_gives_no_answer_that_counts_is_a_no() {
    let behaviours: [Behaviour; 4] = [
        |_| answers(&json!("SUCCEEDED")),
        |_| InvocationStatus::Errored("{}".to_owned()),
        |_| InvocationStatus::TimedOut,
        |_| InvocationStatus::NotInvokable("no such function".to_owned()),
    ];
    for behaviour in behaviours {
        let it = rehearse("", behaviour).await;
        let deployment = it.deployed().await;
        assert_eq!(deployment.status, ServiceDeploymentStatus::RollbackSuccessful);
        assert_eq!(deployment.stages.len(), 1, "nothing was started: {:?}", deployment.stages);
    }
}

/// Where the functions of both shifts are called: with green as the target, and all weight on blue.
const AT_SHIFTS: &str =
    "on_ecs: { hooks: { before_install: { stages: [TEST_TRAFFIC_SHIFT, PRODUCTION_TRAFFIC_SHIFT] } } }";

#[tokio::test(start_paused = true)]
async fn a_rollback_calls_the_hooks_of_both_shifts_again_with_green_as_the_target() {
    let it = rehearse(AT_SHIFTS, |event| no_at("POST_PRODUCTION_TRAFFIC_SHIFT", event)).await;
    let deployment = it.deployed().await;
    assert_eq!(deployment.status, ServiceDeploymentStatus::RollbackSuccessful);
    let events = it.events();
    let [.., production, test] = events.as_slice() else { panic!("{events:?}") };
    let (green, blue) = (deployment.target.as_str(), deployment.source().unwrap());
    assert_eq!(production["lifecycleStage"], "PRODUCTION_TRAFFIC_SHIFT");
    assert_eq!(production["executionDetails"]["targetServiceRevisionArn"], green);
    assert_eq!(production["executionDetails"]["productionTrafficWeights"], json!({green: 0, blue: 100}));
    assert_eq!(test["lifecycleStage"], "TEST_TRAFFIC_SHIFT");
    assert_eq!(test["executionDetails"]["testTrafficWeights"], json!({green: 0, blue: 100}));
    assert_eq!(deployment.hooks.iter().filter(|hook| hook.rolls_back).count(), 2);
}

fn always_no_once_green_serves(event: &Value) -> InvocationStatus {
    let weights = event["executionDetails"]["productionTrafficWeights"].as_object().unwrap();
    let goes_back = event["lifecycleStage"] == "PRODUCTION_TRAFFIC_SHIFT" && weights.values().any(|it| *it == 0);
    let no = event["lifecycleStage"] == "POST_PRODUCTION_TRAFFIC_SHIFT"
        || goes_back && weights[event["executionDetails"]["targetServiceRevisionArn"].as_str().unwrap()] == 0;
    answers(&json!({"hookStatus": if no { "FAILED" } else { "SUCCEEDED" }}))
}

#[tokio::test(start_paused = true)]
async fn a_no_on_the_way_back_is_told_and_blocks_nothing_unless_the_scenario_says_so() {
    let it = rehearse(AT_SHIFTS, always_no_once_green_serves).await;
    assert_eq!(it.deployed().await.status, ServiceDeploymentStatus::RollbackSuccessful);
    let yaml = format!("{AT_SHIFTS}\nswitches: {{ hooks_can_fail_a_rollback: true }}");
    let it = rehearse(&yaml, always_no_once_green_serves).await;
    assert_eq!(it.deployed().await.status, ServiceDeploymentStatus::RollbackFailed);
    assert_eq!(it.production_weights(), [100, 0], "traffic went back first");
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_begins_to_fire_in_the_bake_leads_back_to_blue() {
    let it = rehearse("on_ecs: { bake: 3m }", all_say_yes).await;
    let arn = it.deploy();
    it.phase("BAKE_TIME").await;
    it.fire("orders-5xx");
    let deployment = it.ended(&arn).await;
    assert_eq!(deployment.status, ServiceDeploymentStatus::RollbackSuccessful);
    assert_eq!(deployment.triggered_alarms, ["orders-5xx"]);
    assert_eq!(deployment.stages.last().map(|it| it.stage), Some(LifecycleStage::BakeTime));
    assert_eq!(it.production_weights(), [100, 0]);
}

#[tokio::test(start_paused = true)]
async fn an_alarm_without_rollback_stops_everything_where_it_is() {
    let it = rehearse("deployment: { auto_rollback: [] }", all_say_yes).await;
    let arn = it.deploy();
    it.phase("PRODUCTION_TRAFFIC_SHIFT 10 %").await;
    it.world.clock.sleep(Duration::from_secs(30)).await;
    it.fire("orders-5xx");
    let deployment = it.ended(&arn).await;
    assert_eq!((deployment.status, deployment.production_share), (ServiceDeploymentStatus::Stopped, 10.0));
    assert_eq!(it.production_weights(), [90, 10]);
    assert_eq!(it.task_sets().len(), 2, "both run");
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_fired_before_is_not_looked_at_unless_the_scenario_says_so() {
    let it = rehearse("", all_say_yes).await;
    it.fire("orders-5xx");
    it.world.clock.sleep(Duration::from_secs(1)).await;
    assert_eq!(it.deployed().await.status, ServiceDeploymentStatus::Successful);
    let it = rehearse("switches: { stops_for_alarms_that_fired_before: true }", all_say_yes).await;
    it.fire("orders-5xx");
    assert_eq!(it.deployed().await.status, ServiceDeploymentStatus::RollbackSuccessful);
}

#[tokio::test(start_paused = true)]
async fn a_person_can_have_it_rolled_back_or_left_as_it_is() {
    for (how, status) in [
        (StopType::Rollback, ServiceDeploymentStatus::RollbackSuccessful),
        (StopType::Abort, ServiceDeploymentStatus::Stopped),
    ] {
        let it = rehearse("", all_say_yes).await;
        let arn = it.deploy();
        it.phase("PRODUCTION_TRAFFIC_SHIFT 10 %").await;
        api::stop(&it.world, &arn, how).unwrap();
        let refused = api::stop(&it.world, &arn, how).unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert_eq!(it.ended(&arn).await.status, status);
    }
}

/// Holds up whatever waits for the deployment's end, also on the way back.
fn never_done_at_the_shift(event: &Value) -> InvocationStatus {
    let shifts = event["lifecycleStage"] == "PRODUCTION_TRAFFIC_SHIFT";
    answers(&if shifts {
        json!({"hookStatus": "IN_PROGRESS", "callBackDelay": 600})
    } else {
        json!({"hookStatus": "SUCCEEDED"})
    })
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_has_not_begun_can_be_stopped_and_the_next_one_begins() {
    let yaml = "on_ecs: { hooks: { after_install: { stages: [PRODUCTION_TRAFFIC_SHIFT], timeout: { after: 1h } } } }";
    for how in [StopType::Rollback, StopType::Abort] {
        let it = rehearse(yaml, never_done_at_the_shift).await;
        let first = it.deploy();
        it.phase("PRODUCTION_TRAFFIC_SHIFT 10 %").await;
        api::stop(&it.world, &first, StopType::Rollback).unwrap();
        it.phase("rollback").await;
        let waiting = it.deploy_anew();
        api::stop(&it.world, &waiting, how).unwrap();
        let stopped = it.ended(&waiting).await;
        assert_eq!((stopped.status, stopped.started_at), (ServiceDeploymentStatus::Stopped, None));
        assert!(it.ended(&it.deploy_anew()).await.started_at.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_can_stop_a_deployment_that_cleans_up() {
    let it = rehearse("", all_say_yes).await;
    let arn = it.deploy();
    it.phase("CLEAN_UP").await;
    assert_eq!(api::stop(&it.world, &arn, StopType::Rollback).unwrap_err().code, "ConflictException");
    assert_eq!(it.ended(&arn).await.status, ServiceDeploymentStatus::Successful);
}

#[tokio::test(start_paused = true)]
async fn a_no_while_two_revisions_share_production_leads_all_of_it_to_blue() {
    let yaml = "on_ecs: { hooks: { before_install: { stages: [RECONCILE_SERVICE] } } }";
    let it = rehearse(yaml, |event| no_at("RECONCILE_SERVICE", event)).await;
    let first = it.deploy();
    it.phase("PRODUCTION_TRAFFIC_SHIFT 10 %").await;
    api::stop(&it.world, &first, StopType::Abort).unwrap();
    it.ended(&first).await;
    let second = it.ended(&it.deploy_anew()).await;
    assert_eq!(second.status, ServiceDeploymentStatus::RollbackSuccessful);
    assert_eq!(it.production_weights(), [100, 0]);
}

#[tokio::test(start_paused = true)]
async fn an_abort_after_the_last_step_leaves_green_to_be_blue_of_the_next() {
    let yaml = "deployment: { config: CodeDeployDefault.ECSAllAtOnce }\n\
                on_ecs: { hooks: { after_install: { stages: [PRODUCTION_TRAFFIC_SHIFT], timeout: { after: 1h } } } }";
    let it = rehearse(yaml, never_done_at_the_shift).await;
    let first = it.deploy();
    it.phase("PRODUCTION_TRAFFIC_SHIFT 100 %").await;
    api::stop(&it.world, &first, StopType::Abort).unwrap();
    let first = it.ended(&first).await;
    let second = it.ended(&it.deploy_anew()).await;
    assert_eq!(second.source(), Some(first.target.as_str()));
}

#[tokio::test(start_paused = true)]
async fn the_revision_that_an_aborted_deployment_left_is_reconciled_first() {
    let it = rehearse("on_ecs: { hooks: { before_install: { stages: [RECONCILE_SERVICE] } } }", all_say_yes).await;
    let first = it.deploy();
    it.phase("PRODUCTION_TRAFFIC_SHIFT 10 %").await;
    api::stop(&it.world, &first, StopType::Abort).unwrap();
    it.ended(&first).await;
    let second = it.deploy_anew();
    let deployment = it.ended(&second).await;
    assert_eq!(deployment.status, ServiceDeploymentStatus::Successful);
    assert_eq!(deployment.stages[0].stage, LifecycleStage::ReconcileService);
    assert!(it.stages_called().contains(&"RECONCILE_SERVICE".to_owned()));
    assert_eq!(it.task_sets(), [(it.task_set_of(&deployment.target), TaskSetStatus::Primary)]);
}

#[tokio::test(start_paused = true)]
async fn the_next_deployment_goes_to_the_other_target_group() {
    let it = rehearse("", all_say_yes).await;
    let groups: Vec<_> = it.world.read(|state| state.target_groups.iter().map(|it| it.arn.clone()).collect());
    let first = it.deployed().await;
    let second = it.ended(&it.deploy_anew()).await;
    let used = |arn: &str| it.world.read(|state| state.service_revision(arn).unwrap().target_group.clone());
    assert_eq!(
        [first.source().unwrap(), &first.target, &second.target].map(used),
        [&groups[0], &groups[1], &groups[0]].map(String::clone)
    );
    assert_eq!(second.source(), Some(first.target.as_str()));
    assert_eq!(it.production_weights(), [0, 100], "blue's group first, green's second");
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_is_begun_while_another_runs_takes_its_place() {
    let it = rehearse("", all_say_yes).await;
    let first = it.deploy();
    it.phase("PRODUCTION_TRAFFIC_SHIFT 10 %").await;
    let second = it.deploy_anew();
    assert_eq!(it.ended(&first).await.status, ServiceDeploymentStatus::Stopped);
    assert_eq!(it.ended(&second).await.status, ServiceDeploymentStatus::Successful);
}

fn pause(says: &str) -> String {
    format!("on_ecs: {{ pauses: [{{ stage: POST_TEST_TRAFFIC_SHIFT, {says} }}] }}")
}

#[tokio::test(start_paused = true)]
async fn a_pause_waits_until_a_person_decides() {
    let it = rehearse(&pause("continues_after: 2h"), all_say_yes).await;
    let arn = it.deploy();
    it.world
        .until(|state| {
            let hooks = &state.service_deployment(&arn)?.hooks;
            hooks.iter().any(|hook| hook.status == HookStatus::AwaitingAction).then_some(())
        })
        .await;
    let deployment = it.ended(&arn).await;
    assert_eq!(deployment.status, ServiceDeploymentStatus::Successful);
    let paused = deployment.stages.iter().find(|it| it.stage == LifecycleStage::PostTestTrafficShift).unwrap();
    let took = paused.ended_at.unwrap().duration_since(paused.started_at);
    assert!((7200..7300).contains(&took.as_secs()), "{took}");
    let late = api::decide(&it.world, &arn, &deployment.hooks[2].id, HookAction::Rollback).unwrap_err();
    assert_eq!(late.code, "InvalidParameterException");

    let it = rehearse(&pause("rolls_back_after: 1m"), all_say_yes).await;
    let deployment = it.deployed().await;
    assert_eq!(deployment.status, ServiceDeploymentStatus::RollbackSuccessful);
}

#[tokio::test(start_paused = true)]
async fn a_pause_at_which_nobody_decides_ends_as_it_was_told_to() {
    let it = rehearse(&pause("timeout: { after: 30m, action: continue }"), all_say_yes).await;
    let deployment = it.deployed().await;
    assert_eq!(deployment.status, ServiceDeploymentStatus::Successful);
    assert!(deployment.hooks.iter().any(|hook| hook.status == HookStatus::TimedOut));

    let it = rehearse(&pause("timeout: { after: 30m }"), all_say_yes).await;
    let deployment = it.deployed().await;
    assert_eq!(deployment.status, ServiceDeploymentStatus::RollbackSuccessful);
    assert!(deployment.status_reason.unwrap().contains("was not done within 30 minutes"));
}

fn never_done(_: &Value) -> InvocationStatus {
    answers(&json!({"hookStatus": "IN_PROGRESS", "callBackDelay": 60}))
}

#[tokio::test(start_paused = true)]
async fn a_function_that_is_never_done_is_given_up_in_time() {
    let yaml = "on_ecs: { hooks: { before_install: { timeout: { after: 5m } } } }";
    let it = rehearse(yaml, never_done).await;
    let deployment = it.deployed().await;
    assert_eq!(deployment.status, ServiceDeploymentStatus::RollbackSuccessful);
    assert_eq!((deployment.hooks[0].status, deployment.hooks[0].invocations), (HookStatus::TimedOut, 5));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_deployed_is_refused() {
    let it = rehearse("", all_say_yes).await;
    let update = |task_definition: &str| api::Update {
        cluster: "shop".to_owned(),
        service: "orders".to_owned(),
        task_definition: Some(task_definition.to_owned()),
        ..api::Update::default()
    };
    assert_eq!(api::update(&it.world, update("orders:9")).unwrap_err().code, "ClientException");
    let unknown = api::Update { service: "gone".to_owned(), ..update("orders:2") };
    assert_eq!(api::update(&it.world, unknown).unwrap_err().code, "ServiceNotFoundException");
    assert_eq!(api::update(&it.world, update("orders:1")).unwrap(), None, "it runs already");
}
