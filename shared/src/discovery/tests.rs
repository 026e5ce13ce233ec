use super::*;
use crate::fakes::{BLUE_GROUP, BLUE_TASK_DEFINITION, GREEN_GROUP, GREEN_TASK_DEFINITION, deployment, task_set};

pub(super) fn record() -> Record {
    Record {
        id: DeploymentId("d-3QX9ZK2LE".to_owned()),
        application: "shop".to_owned(),
        group: "orders".to_owned(),
        config: "CodeDeployDefault.ECSAllAtOnce".to_owned(),
        creator: "user".to_owned(),
        status: "InProgress".to_owned(),
        platform: Platform::Ecs,
        undoes: None,
        override_alarms: None,
        settings: Settings::default(),
        revision: Revision::Other("in memory".to_owned()),
        target_ids: vec!["shop:orders".to_owned()],
    }
}

fn parts(candidates: Vec<Candidate>, target: Target) -> Parts {
    let sample = deployment();
    Parts {
        group: Group::default(),
        app_spec: AppSpec {
            task_definition: sample.target_task_definition,
            container_name: sample.container_name,
            container_port: sample.container_port,
            hooks: Vec::new(),
        },
        target,
        service: sample.service,
        candidates,
        target_groups: sample.target_groups,
        production: sample.production,
        test: sample.test,
    }
}

fn blue(status: &str) -> Candidate {
    let task_set = task_set("ecs-svc/1", BLUE_TASK_DEFINITION, BLUE_GROUP);
    Candidate {
        task_set: TaskSet { status: status.to_owned(), ..task_set },
        external_id: Some("d-EARLIER01".to_owned()),
    }
}

fn green(status: &str) -> Candidate {
    let task_set = task_set("ecs-svc/2", GREEN_TASK_DEFINITION, GREEN_GROUP);
    Candidate {
        task_set: TaskSet { status: status.to_owned(), ..task_set },
        external_id: Some("d-3QX9ZK2LE".to_owned()),
    }
}

fn anonymous(candidate: Candidate) -> Candidate {
    Candidate { external_id: None, ..candidate }
}

/// Target groups of blue and green as they were told apart.
fn sides(candidates: Vec<Candidate>, target: Target) -> (Option<String>, Option<String>) {
    let deployment = assemble(record(), parts(candidates, target));
    let group = |side: Option<TaskSet>| side.map(|side| side.target_group_arn);
    (group(deployment.blue), group(deployment.green))
}

fn both() -> (Option<String>, Option<String>) {
    (Some(BLUE_GROUP.to_owned()), Some(GREEN_GROUP.to_owned()))
}

#[test]
fn green_is_what_this_deployment_made_in_whatever_order_it_is_listed() {
    assert_eq!(sides(vec![blue("PRIMARY"), green("ACTIVE")], Target::default()), both());
    assert_eq!(sides(vec![green("ACTIVE"), blue("PRIMARY")], Target::default()), both());
}

/// After the shift ECS calls green the primary task set.
#[test]
fn green_stays_green_once_it_is_primary() {
    assert_eq!(sides(vec![blue("ACTIVE"), green("PRIMARY")], Target::default()), both());
    assert_eq!(sides(vec![green("PRIMARY"), blue("DRAINING")], Target::default()), both());
}

#[test]
fn codedeploys_label_counts_where_ecs_does_not_say_who_made_a_task_set() {
    let label =
        |id: &str, side: &str| (format!("arn:aws:ecs:…:task-set/shop/orders/{id}"), Some(side.to_owned()), 50.0);
    let target = Target { sides: vec![label("1", "Blue"), label("2", "Green")], ..Target::default() };
    let candidates = vec![anonymous(green("PRIMARY")), anonymous(blue("ACTIVE"))];
    assert_eq!(sides(candidates, target), both());
}

#[test]
fn the_task_set_that_is_not_primary_is_green_only_once_install_is_over() {
    let candidates = || vec![anonymous(blue("PRIMARY")), anonymous(green("ACTIVE"))];
    assert_eq!(sides(candidates(), Target { installed: true, ..Target::default() }), both());
    assert_eq!(sides(candidates(), Target::default()).1, None);
}

#[test]
fn before_install_there_is_no_green() {
    assert_eq!(sides(vec![blue("PRIMARY")], Target::default()), (Some(BLUE_GROUP.to_owned()), None));
}

#[test]
fn shares_of_traffic_are_those_that_codedeploy_reports() {
    let sides = vec![("ecs-svc/1".to_owned(), None, 90.0), ("ecs-svc/2".to_owned(), None, 10.0)];
    let found =
        assemble(record(), parts(vec![blue("PRIMARY"), green("ACTIVE")], Target { sides, ..Target::default() }));
    assert_eq!(found.blue.and_then(|side| side.traffic_percent), Some(90.0));
    assert_eq!(found.green.and_then(|side| side.traffic_percent), Some(10.0));
}

#[test]
fn codedeploys_own_way_back_is_known_by_its_creator_or_by_what_it_undoes() {
    let by_creator = Record { creator: "codeDeployRollback".to_owned(), ..record() };
    assert_eq!(by_creator.automatic_rollback(), Some(Rollback::Automatic { of: None }));
    let broken = Some(DeploymentId("d-BROKEN".to_owned()));
    let by_trigger = Record { undoes: broken.clone(), ..record() };
    assert_eq!(by_trigger.automatic_rollback(), Some(Rollback::Automatic { of: broken }));
    assert_eq!(record().automatic_rollback(), None);
}

/// A person who deploys `orders:40` while `orders:41` serves is on the way back, whatever the creator is called.
#[test]
fn an_older_revision_of_the_same_family_is_a_way_back() {
    let rollback = |target: &str| {
        let mut parts = parts(vec![blue("PRIMARY")], Target::default());
        parts.app_spec.task_definition = target.to_owned();
        assemble(record(), parts).rollback
    };
    let family = |revision| format!("arn:aws:ecs:eu-central-1:123456789012:task-definition/{revision}");
    let back = Rollback::Manual { from: "orders:41".to_owned(), to: "orders:9".to_owned() };
    assert_eq!(rollback(&family("orders:9")), Some(back));
    assert_eq!(rollback(&family("orders:41")), None);
    assert_eq!(rollback(&family("orders:100")), None);
    assert_eq!(rollback(&family("payments:9")), None);
}

#[test]
fn the_deployments_own_alarms_override_the_groups() {
    let alarms = |name: &str| AlarmConfiguration { enabled: true, names: vec![name.to_owned()], ..Default::default() };
    let parts = || {
        let mut parts = parts(vec![blue("PRIMARY")], Target::default());
        parts.group.alarms = alarms("groups");
        parts
    };
    assert_eq!(assemble(record(), parts()).alarms.names, ["groups"]);
    let overriding = Record { override_alarms: Some(alarms("own")), ..record() };
    assert_eq!(assemble(overriding, parts()).alarms.names, ["own"]);
}

#[test]
fn an_app_spec_that_is_not_the_one_of_the_deployment_is_refused() {
    let error = app_spec("version: 0.0", Some("00ff"), "appspec.yaml").expect_err("the digest differs");
    assert!(error.to_string().ends_with("the deployment names 00ff"), "{error}");
    assert!(!error.is_transient());
}
