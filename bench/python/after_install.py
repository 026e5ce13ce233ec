"""AfterInstall as a team would write it in Python: the calls that greenlight's hook makes, with boto3.

It is what `make bench` measures the Rust hook against, so it is written with care: clients are made once, outside the
handler, nothing is asked twice, and two looks at the targets are a second apart as there. What differs: boto3 asks one
thing after the other, nothing is retried before the deadline, and the report is a few log lines.
"""

import logging
import os
import re
import time

import boto3

codedeploy = boto3.client("codedeploy")
ecs = boto3.client("ecs")
elbv2 = boto3.client("elbv2")
ssm = boto3.client("ssm")
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
    application, name = deployment["applicationName"], deployment["deploymentGroupName"]
    group = codedeploy.get_deployment_group(applicationName=application, deploymentGroupName=name)
    pair = group["deploymentGroupInfo"]["loadBalancerInfo"]["targetGroupPairInfoList"][0]
    wanted = task_definition(deployment)
    ids = codedeploy.list_deployment_targets(deploymentId=deployment_id)["targetIds"]
    targets = codedeploy.batch_get_deployment_targets(deploymentId=deployment_id, targetIds=ids)["deploymentTargets"]
    events = targets[0]["ecsTarget"]["lifecycleEvents"]
    now = [event["lifecycleEventName"] for event in events if event["status"] == "InProgress"]
    if now and "AfterInstall" not in now:
        yield f"this function is made for AfterInstall, the deployment is at {now}"

    cluster, service = ids[0].split(":")
    green = task_set(cluster, service, deployment_id)
    names = [group["name"] for group in pair["targetGroups"]]
    known = {group["TargetGroupArn"] for group in elbv2.describe_target_groups(Names=names)["TargetGroups"]}
    routes = [route for route in (pair["prodTrafficRoute"], pair.get("testTrafficRoute")) if route]
    for route in routes:
        listener = elbv2.describe_listeners(ListenerArns=route["listenerArns"])["Listeners"][0]
        rules = elbv2.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
        balancer = elbv2.describe_load_balancers(LoadBalancerArns=[listener["LoadBalancerArn"]])["LoadBalancers"][0]
        log.info("%s:%s sends to %s", balancer["DNSName"], listener["Port"], [forward(rule, known) for rule in rules])
    advisory = plan(wanted, f"/greenlight/{application}/{name}")
    for name, problem in problems(cluster, service, deployment_id, green, wanted):
        if name in advisory:
            log.warning("%s: %s", name, problem)
        else:
            yield problem


def problems(cluster, service, deployment_id, green, wanted):
    """Yields the name of each question that was answered no, and what was seen."""
    if green["taskDefinition"] != wanted:
        yield "green-runs-target-revision", f"green runs {green['taskDefinition']}, the deployment wants {wanted}"
    if green["stabilityStatus"] != "STEADY_STATE":
        yield "green-tasks-are-steady", f"{green['runningCount']} of {green['computedDesiredCount']} tasks run"
    tasks = []
    for status in ("RUNNING", "STOPPED"):
        tasks += ecs.list_tasks(cluster=cluster, startedBy=green["id"], desiredStatus=status)["taskArns"]
    if tasks:
        for task in ecs.describe_tasks(cluster=cluster, tasks=tasks)["tasks"]:
            if task["lastStatus"] != "RUNNING":
                reason = task.get("stoppedReason", "no reason")
                yield "green-tasks-are-steady", f"{task['taskArn']} is {task['lastStatus']}: {reason}"
    for look in range(2):
        if look:
            time.sleep(1)
            green = task_set(cluster, service, deployment_id)
        for load_balancer in green["loadBalancers"]:
            health = elbv2.describe_target_health(TargetGroupArn=load_balancer["targetGroupArn"])
            states = [target["TargetHealth"]["State"] for target in health["TargetHealthDescriptions"]]
            if len(states) < green["computedDesiredCount"] or set(states) - {"healthy", "unused"}:
                yield "green-targets-are-healthy", f"targets of {load_balancer['targetGroupArn']} are {states}"


def task_set(cluster, service, deployment_id):
    """The one that the deployment made."""
    task_sets = ecs.describe_services(cluster=cluster, services=[service])["services"][0]["taskSets"]
    return next(task_set for task_set in task_sets if task_set.get("externalId") == deployment_id)


def forward(rule, known):
    """Which of the two target groups a rule sends to, by weight."""
    groups = rule["Actions"][-1].get("ForwardConfig", {}).get("TargetGroups", [])
    return {group["TargetGroupArn"]: group.get("Weight", 1) for group in groups if group["TargetGroupArn"] in known}


def plan(wanted, parameter):
    """Names of the checks that only advise. PyYAML would be another import; their lines are found without."""
    definition = ecs.describe_task_definition(taskDefinition=wanted)["taskDefinition"]
    labels = [container.get("dockerLabels", {}) for container in definition["containerDefinitions"]]
    text = next((labels["greenlight.plan"] for labels in labels if "greenlight.plan" in labels), None)
    try:
        stored = ssm.get_parameter(Name=parameter, WithDecryption=True)["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        stored = ""
    return re.findall(r"([a-z-]+): advisory", stored if text is None else text)


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
