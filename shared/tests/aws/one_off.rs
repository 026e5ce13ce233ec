//! Tasks that run once: what is asked of ECS, and what its answers mean.

use greenlight::check::CannotTell;
use greenlight::ports::{OneOffTasks as _, Started, TaskOrder};
use serde_json::{Value, json};

use super::wire::json as answer;
use super::*;

fn order() -> TaskOrder {
    TaskOrder {
        cluster: "shop".to_owned(),
        service: "orders".to_owned(),
        task_set: Some("ecs-svc/2".to_owned()),
        task_definition: TASK_DEFINITION.to_owned(),
        mark: "greenlight-d-3QX9ZK2LE".to_owned(),
        container: "app".to_owned(),
        command: vec!["alembic".to_owned(), "upgrade".to_owned()],
        environment: vec![("A".to_owned(), "b".to_owned())],
    }
}

/// What ECS says of the service and its task sets.
fn service(of_green: &Value) -> Reply {
    let network = json!({ "awsvpcConfiguration": { "subnets": ["subnet-service"], "assignPublicIp": "DISABLED" } });
    answer(
        &json!({ "services": [{
            "networkConfiguration": network, "launchType": "EC2",
            "taskSets": [{ "id": "ecs-svc/1", "launchType": "EXTERNAL" }, of_green],
        }] })
        .to_string(),
    )
}

/// Starts a task where green runs so, and ECS answers so; also what ECS was asked for.
async fn start(of_green: Value, ran: fn() -> Reply) -> (Result<Started, CannotTell>, Value) {
    let server = Server::start(move |action, _| match action {
        "DescribeServices" => service(&of_green),
        "RunTask" => ran(),
        other => json_error(400, "UnknownOperationException", other),
    });
    let started = aws(&server).start(&order()).await;
    let asked = server.calls().into_iter().find(|(action, _)| action == "RunTask").expect("ECS is asked");
    (started, serde_json::from_str(&asked.1).expect("JSON"))
}

fn runs() -> Reply {
    answer(
        r#"{"tasks": [{"taskArn": "arn:aws:ecs:eu-central-1:1:task/shop/1", "lastStatus": "PROVISIONING"}], "failures": []}"#,
    )
}

#[tokio::test]
async fn a_task_runs_where_and_how_greens_tasks_run() {
    let network = json!({ "awsvpcConfiguration": { "subnets": ["subnet-green"], "securityGroups": ["sg-1"] } });
    let green = json!({
        "id": "ecs-svc/2", "networkConfiguration": network, "platformVersion": "1.4.0",
        "capacityProviderStrategy": [{ "capacityProvider": "FARGATE_SPOT", "weight": 3, "base": 1 }],
    });
    let (started, asked) = start(green, runs).await;
    assert!(matches!(started, Ok(Started::Task(task)) if task.last_status == "PROVISIONING"));
    assert_eq!(
        asked,
        json!({
            "cluster": "shop", "taskDefinition": TASK_DEFINITION, "count": 1,
            "clientToken": "greenlight-d-3QX9ZK2LE", "startedBy": "greenlight-d-3QX9ZK2LE",
            "networkConfiguration": network, "platformVersion": "1.4.0",
            "capacityProviderStrategy": [{ "capacityProvider": "FARGATE_SPOT", "weight": 3, "base": 1 }],
            "overrides": { "containerOverrides": [
                { "name": "app", "command": ["alembic", "upgrade"], "environment": [{ "name": "A", "value": "b" }] },
            ] },
        })
    );
}

#[tokio::test]
async fn what_the_task_set_does_not_say_the_service_says() {
    let (_, asked) = start(json!({ "id": "ecs-svc/2", "launchType": "FARGATE" }), runs).await;
    assert_eq!((&asked["launchType"], &asked["capacityProviderStrategy"]), (&json!("FARGATE"), &Value::Null));
    assert_eq!(asked["networkConfiguration"]["awsvpcConfiguration"]["subnets"], json!(["subnet-service"]));
    let (_, asked) = start(json!({ "id": "ecs-svc/3" }), runs).await;
    assert_eq!(asked["launchType"], "EC2");
}

/// ECS says so with status 200.
#[tokio::test]
async fn a_failure_is_no_task() {
    let green = || json!({ "id": "ecs-svc/2", "launchType": "FARGATE" });
    let full = || answer(r#"{"tasks": [], "failures": [{"arn": "arn:instance", "reason": "RESOURCE:MEMORY"}]}"#);
    assert_eq!(start(green(), full).await.0.expect("an answer"), Started::NoRoom("RESOURCE:MEMORY".to_owned()));
    let gone = || answer(r#"{"tasks": [], "failures": [{"reason": "MISSING", "detail": "no such instance"}]}"#);
    assert_eq!(
        start(green(), gone).await.0.expect("an answer"),
        Started::Refused("MISSING: no such instance".to_owned())
    );
    let empty = || answer(r#"{"tasks": [], "failures": []}"#);
    let error = start(green(), empty).await.0.expect_err("nobody knows what that means");
    assert!(chain(&error).ends_with("the answer has no task and no failure"), "{}", chain(&error));
}

#[tokio::test]
async fn what_ecs_refuses_for_good_is_told_apart_from_what_nobody_knows() {
    let green = || json!({ "id": "ecs-svc/2", "launchType": "FARGATE" });
    let conflict = || json_error(400, "ConflictException", "the token is in use");
    let refused = start(green(), conflict).await.0.expect("an answer");
    assert_eq!(refused, Started::Refused("ConflictException: the token is in use (request request-1)".to_owned()));
    let busy = || json_error(400, "ClientException", "Capacity is unavailable at this time. Please try again later");
    assert!(matches!(start(green(), busy).await.0, Ok(Started::NoRoom(_))));
    let denied = || json_error(400, "AccessDeniedException", "User: x is not authorized to perform: ecs:RunTask");
    let error = start(green(), denied).await.0.expect_err("nobody knows");
    assert_eq!(error.remedy, "Allow ecs:RunTask in the function's role, then redeploy.");
    let passed =
        || json_error(400, "AccessDeniedException", "x is not authorized to perform: iam:PassRole on resource: y");
    let error = start(green(), passed).await.0.expect_err("nobody knows");
    assert!(error.remedy.contains("MigrationTaskRoles"), "{}", error.remedy);
}

#[tokio::test]
async fn a_task_is_found_by_its_mark_whether_it_runs_or_has_stopped() {
    let server = Server::start(|action, body| match action {
        "ListTasks" if body.contains("STOPPED") => answer(r#"{"taskArns": ["arn:stopped"]}"#),
        "ListTasks" => answer(r#"{"taskArns": []}"#),
        "DescribeTasks" if body.contains("arn:stopped") => answer(
            r#"{"tasks": [{"taskArn": "arn:stopped", "lastStatus": "STOPPED", "stopCode": "EssentialContainerExited",
                "startedAt": 1700000000.5, "containers": [
                {"name": "app", "exitCode": 137, "reason": "OutOfMemoryError: killed"}, {"name": "envoy"}]}]}"#,
        ),
        "DescribeTasks" => answer(r#"{"tasks": [], "failures": [{"arn": "arn:gone", "reason": "MISSING"}]}"#),
        "StopTask" => answer(r#"{"task": {}}"#),
        other => json_error(400, "UnknownOperationException", other),
    });
    let aws = aws(&server);
    let found = aws.marked("shop", "greenlight-d-1").await.expect("an answer");
    assert_eq!((found.len(), found[0].exit_codes.as_slice()), (1, &[("app".to_owned(), 137)][..]));
    assert_eq!(found[0].reasons, [("app".to_owned(), "OutOfMemoryError: killed".to_owned())]);
    assert_eq!(found[0].started_at.map(|at| at.as_second()), Some(1_700_000_000));
    assert_eq!(aws.task("shop", "arn:gone").await.expect("an answer"), None);
    aws.stop("shop", "arn:stopped", "enough").await.expect("it is stopped");
    let stop = server.calls().pop().expect("calls");
    assert_eq!(serde_json::from_str::<Value>(&stop.1).expect("JSON")["reason"], "enough");
}
