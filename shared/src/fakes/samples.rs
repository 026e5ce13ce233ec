//! One deployment whose parts fit together, and builders for its parts.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::deployment::{
    Action, AlarmConfiguration, AutoRollback, Deployment, DeploymentId, Engine, FunctionDeployment, HealthCheck,
    Listener, LoadBalancer, Rule, Service, TargetGroup, TaskSet, VersionShift,
};
use crate::discovery::NativeRecord;
use crate::event::ServiceDeploymentArn;
use crate::ports::{Container, ContainerLog, ProbeResponse, TargetHealth, Task, TaskDefinition};

/// What blue runs.
pub const BLUE_TASK_DEFINITION: &str = "arn:aws:ecs:eu-central-1:123456789012:task-definition/orders:41";
/// What green runs, and what is being deployed.
pub const GREEN_TASK_DEFINITION: &str = "arn:aws:ecs:eu-central-1:123456789012:task-definition/orders:42";
/// Blue's target group.
pub const BLUE_GROUP: &str =
    "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/tg-blue/1111111111111111";
/// Green's target group.
pub const GREEN_GROUP: &str =
    "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/tg-green/2222222222222222";
/// The production listener.
pub const PRODUCTION_LISTENER: &str =
    "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/shop/aaaaaaaaaaaaaaaa/3333333333333333";
/// The test listener.
pub const TEST_LISTENER: &str =
    "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/shop/aaaaaaaaaaaaaaaa/4444444444444444";

const LOAD_BALANCER: &str =
    "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/shop/aaaaaaaaaaaaaaaa";

/// The sample deployment as it stands at `AfterAllowTestTraffic`: production on blue, the test listener on green.
pub fn deployment() -> Deployment {
    Deployment {
        id: DeploymentId("d-3QX9ZK2LE".to_owned()),
        engine: Engine::CodeDeploy { application: "shop".to_owned(), group: "orders".to_owned() },
        rollback: None,
        auto_rollback: AutoRollback {
            enabled: true,
            events: vec!["DEPLOYMENT_FAILURE".to_owned(), "DEPLOYMENT_STOP_ON_ALARM".to_owned()],
        },
        alarms: AlarmConfiguration {
            enabled: true,
            ignore_poll_failure: false,
            names: vec!["orders-5xx".to_owned(), "orders-unhealthy-hosts".to_owned()],
        },
        termination_wait_minutes: Some(5),
        events_in_progress: Vec::new(),
        shift_began: "2026-11-21T12:00:00Z".parse().ok(),
        service: Service {
            cluster: "shop".to_owned(),
            name: "orders".to_owned(),
            desired_count: 2,
            health_check_grace_seconds: 0,
        },
        target_task_definition: GREEN_TASK_DEFINITION.to_owned(),
        container_name: "app".to_owned(),
        container_port: 8080,
        blue: Some(TaskSet {
            status: "PRIMARY".to_owned(),
            traffic_percent: Some(100.0),
            ..task_set("ecs-svc/1111", BLUE_TASK_DEFINITION, BLUE_GROUP)
        }),
        green: Some(TaskSet {
            status: "ACTIVE".to_owned(),
            traffic_percent: Some(0.0),
            ..task_set("ecs-svc/2222", GREEN_TASK_DEFINITION, GREEN_GROUP)
        }),
        target_groups: vec![target_group("tg-blue", BLUE_GROUP), target_group("tg-green", GREEN_GROUP)],
        production: listener(PRODUCTION_LISTENER, 80, vec![forward(&[(BLUE_GROUP, 100)])]),
        test: Some(listener(TEST_LISTENER, 9001, vec![forward(&[(GREEN_GROUP, 100)])])),
    }
}

/// The sample deployment of function `orders` as it stands at `BeforeAllowTraffic`: alias `live` leads to version 41, and
/// version 42 is being deployed.
pub fn function_deployment() -> FunctionDeployment {
    let Deployment { id, auto_rollback, .. } = deployment();
    FunctionDeployment {
        id,
        application: "shop".to_owned(),
        group: "orders".to_owned(),
        config: "CodeDeployDefault.LambdaCanary10Percent5Minutes".to_owned(),
        creator: "user".to_owned(),
        status: "InProgress".to_owned(),
        rollback: None,
        auto_rollback,
        alarms: AlarmConfiguration {
            enabled: true,
            ignore_poll_failure: false,
            names: vec!["orders-errors".to_owned()],
        },
        events_in_progress: Vec::new(),
        shift: VersionShift {
            function: "orders".to_owned(),
            alias: "live".to_owned(),
            current: "41".to_owned(),
            target: "42".to_owned(),
        },
        target_percent: Some(0.0),
    }
}

/// The sample deployment as ECS tells of it where it carries it out: the service `orders` of cluster `shop`, in progress.
pub fn native_record() -> NativeRecord {
    let arn = "arn:aws:ecs:eu-central-1:123456789012:service-deployment/shop/orders/ejGvqq2ilnbKT9qj0vLJe";
    let revision = |id: &str| format!("arn:aws:ecs:eu-central-1:123456789012:service-revision/shop/orders/{id}");
    let Deployment { alarms, shift_began, .. } = deployment();
    NativeRecord {
        arn: ServiceDeploymentArn::parse(arn).expect("an ARN"),
        status: "IN_PROGRESS".to_owned(),
        sources: vec![revision("1111111111111111111")],
        serving: None,
        target: Some(revision("2222222222222222222")),
        green_percent: Some(0.0),
        alarms,
        alarms_roll_back: true,
        bake_minutes: Some(3),
        began: shift_began,
    }
}

/// A steady `ACTIVE` task set of two running tasks.
pub fn task_set(id: &str, task_definition: &str, target_group_arn: &str) -> TaskSet {
    TaskSet {
        id: id.to_owned(),
        task_definition: task_definition.to_owned(),
        status: "ACTIVE".to_owned(),
        steady: true,
        desired: 2,
        pending: 0,
        running: 2,
        failed: None,
        traffic_percent: None,
        target_group_arn: target_group_arn.to_owned(),
    }
}

/// An active task definition with one container `app` on port 8080 and no labels.
pub fn task_definition(arn: &str) -> TaskDefinition {
    let revision = arn.rsplit(':').next().unwrap_or_default();
    TaskDefinition {
        arn: arn.to_owned(),
        active: true,
        containers: vec![Container {
            name: "app".to_owned(),
            image: format!("123456789012.dkr.ecr.eu-central-1.amazonaws.com/orders:{revision}"),
            essential: true,
            ports: vec![8080],
            labels: BTreeMap::new(),
            log: Some(ContainerLog {
                region: Some("eu-central-1".to_owned()),
                group: "/ecs/orders".to_owned(),
                prefix: Some("ecs".to_owned()),
            }),
            secrets: Vec::new(),
            registry_login: None,
            stop_timeout_seconds: None,
        }],
    }
}

/// A running task of this task set at address `10.0.0.<last>`.
pub fn task(task_set: &TaskSet, last: u8) -> Task {
    Task {
        arn: format!("arn:aws:ecs:eu-central-1:123456789012:task/shop/{last:032x}"),
        last_status: "RUNNING".to_owned(),
        task_definition: task_set.task_definition.clone(),
        started_by: Some(task_set.id.clone()),
        zone: if last.is_multiple_of(2) { "eu-central-1a".to_owned() } else { "eu-central-1b".to_owned() },
        stop_code: None,
        stopped_reason: None,
        started_at: None,
        stopped_at: None,
        exit_codes: Vec::new(),
        reasons: Vec::new(),
        addresses: vec![format!("10.0.0.{last}")],
    }
}

/// A healthy target at this address, port 8080.
pub fn healthy(address: &str) -> TargetHealth {
    TargetHealth {
        target: address.to_owned(),
        port: 8080,
        zone: None,
        state: "healthy".to_owned(),
        reason: None,
        description: None,
    }
}

/// An HTTP listener of the sample's load balancer.
pub fn listener(arn: &str, port: u16, rules: Vec<Rule>) -> Listener {
    Listener {
        arn: arn.to_owned(),
        rule: None,
        protocol: "HTTP".to_owned(),
        port,
        load_balancer: LoadBalancer {
            arn: LOAD_BALANCER.to_owned(),
            dns_name: "shop-1234.eu-central-1.elb.amazonaws.com".to_owned(),
            scheme: "internal".to_owned(),
            kind: "application".to_owned(),
        },
        rules,
    }
}

/// A default rule that forwards to these target groups by weight.
pub fn forward(groups: &[(&str, u32)]) -> Rule {
    Rule {
        arn: format!("{LOAD_BALANCER}/default-rule"),
        priority: None,
        hosts: Vec::new(),
        paths: Vec::new(),
        headers: Vec::new(),
        action: Action::Forward(groups.iter().map(|(arn, weight)| ((*arn).to_owned(), *weight)).collect()),
    }
}

/// A response after 3 ms with this status and body, from the application.
pub fn answer(status: u16, body: &str) -> ProbeResponse {
    ProbeResponse {
        status,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.as_bytes().to_vec(),
        truncated: false,
        took: Duration::from_millis(3),
    }
}

fn target_group(name: &str, arn: &str) -> TargetGroup {
    TargetGroup {
        name: name.to_owned(),
        arn: arn.to_owned(),
        port: 8080,
        health_check: HealthCheck {
            path: "/health".to_owned(),
            interval_seconds: 10,
            timeout_seconds: 5,
            healthy_threshold: 2,
            unhealthy_threshold: 2,
            matcher: "200".to_owned(),
        },
    }
}
