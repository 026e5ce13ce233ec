"""AfterInstall as a team would write it in Python: the questions that greenlight's hook asks, with boto3.

It is what `make bench` measures the Rust hook against, so it is written with care: clients are made once, outside the
handler, and nothing is asked twice.
"""

import logging
import os
import re

import boto3

codedeploy = boto3.client("codedeploy")
ecs = boto3.client("ecs")
elbv2 = boto3.client("elbv2")
log = logging.getLogger()
log.setLevel(os.environ.get("AWS_LAMBDA_LOG_LEVEL", "INFO"))


def handler(event, _context):
    deployment_id = event["DeploymentId"]
    status = "Failed"
    try:
        problems = list(check(deployment_id))
        for problem in problems:
            log.error("%s: %s", deployment_id, problem)
        status = "Failed" if problems else "Succeeded"
    except Exception:
        log.exception("%s: a question could not be asked", deployment_id)
    codedeploy.put_lifecycle_event_hook_execution_status(
        deploymentId=deployment_id,
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status=status,
    )


def check(deployment_id):
    """Yields what is wrong with green."""
    deployment = codedeploy.get_deployment(deploymentId=deployment_id)["deploymentInfo"]
    if deployment.get("creator") == "codeDeployRollback":
        return
    wanted = task_definition(deployment)
    cluster, service = codedeploy.list_deployment_targets(deploymentId=deployment_id)["targetIds"][0].split(":")
    task_sets = ecs.describe_services(cluster=cluster, services=[service])["services"][0]["taskSets"]
    green = next(task_set for task_set in task_sets if task_set.get("externalId") == deployment_id)

    if green["taskDefinition"] != wanted:
        yield f"green runs {green['taskDefinition']}, the deployment wants {wanted}"
    if green["stabilityStatus"] != "STEADY_STATE":
        yield f"{green['runningCount']} of {green['computedDesiredCount']} tasks run"
    tasks = ecs.list_tasks(cluster=cluster, startedBy=green["id"])["taskArns"]
    if tasks:
        for task in ecs.describe_tasks(cluster=cluster, tasks=tasks)["tasks"]:
            if task["lastStatus"] != "RUNNING":
                yield f"{task['taskArn']} is {task['lastStatus']}: {task.get('stoppedReason', 'no reason')}"
    for load_balancer in green["loadBalancers"]:
        health = elbv2.describe_target_health(TargetGroupArn=load_balancer["targetGroupArn"])
        states = [target["TargetHealth"]["State"] for target in health["TargetHealthDescriptions"]]
        if len(states) < green["computedDesiredCount"] or set(states) - {"healthy", "unused"}:
            yield f"targets of {load_balancer['targetGroupArn']} are {states}"


def task_definition(deployment):
    """The one that the AppSpec asks for. GetDeployment leaves its text out."""
    found = codedeploy.get_application_revision(
        applicationName=deployment["applicationName"],
        revision={
            "revisionType": "AppSpecContent",
            "appSpecContent": {"sha256": deployment["revision"]["appSpecContent"]["sha256"]},
        },
    )
    content = found["revision"]["appSpecContent"]["content"]
    return re.search(r"""TaskDefinition["']?\s*:\s*["']?([^\s"',}]+)""", content).group(1)
