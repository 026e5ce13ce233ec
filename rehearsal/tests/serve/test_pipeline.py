"""A pipeline against `rehearse serve`: nothing but the variables that it printed, every answer judged."""

import datetime
import time
import unittest

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

import checker

EVENTS = [
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "AllowTestTraffic",
    "AfterAllowTestTraffic",
    "BeforeAllowTraffic",
    "AllowTraffic",
    "AfterAllowTraffic",
]
GROUP = {"applicationName": "orders", "deploymentGroupName": "orders"}
#: A quarter of an hour of the world: long enough to act in, whatever else this machine does.
LONG_CANARY = "CodeDeployDefault.ECSCanary10Percent15Minutes"
PATIENCE = 120
ENDED = ("Succeeded", "Failed", "Stopped")


def client(service):
    made = boto3.client(service, config=Config(retries={"max_attempts": 1, "mode": "standard"}))
    checker.watch(made)
    return made


def until(look):
    """Asks until the answer is not None."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        found = look()
        if found is not None:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {PATIENCE} s")


class Pipeline(unittest.TestCase):
    """The tests run in the order of their names: each deployment begins where the one before it ended."""

    def setUp(self):
        self.codedeploy, self.ecs, self.elbv2 = client("codedeploy"), client("ecs"), client("elbv2")

    def register(self, environment, labels=None):
        """The next revision of what serves, with these variables."""
        service = self.ecs.describe_services(cluster="shop", services=["orders"])["services"][0]
        serves = next(it for it in service["taskSets"] if it["status"] == "PRIMARY")["taskDefinition"]
        latest = self.ecs.list_task_definitions(familyPrefix="orders", sort="DESC")["taskDefinitionArns"][0]
        revision = int(latest.rpartition(":")[2]) + 1
        container = self.ecs.describe_task_definition(taskDefinition=serves)["taskDefinition"]["containerDefinitions"][0]
        variables = {it["name"]: it["value"] for it in container["environment"]}
        variables |= {"VERSION": str(revision)} | environment
        container["environment"] = [{"name": name, "value": value} for name, value in variables.items()]
        if labels is not None:
            container["dockerLabels"] = labels
        made = self.ecs.register_task_definition(family="orders", containerDefinitions=[container])["taskDefinition"]
        self.assertEqual(made["revision"], revision)
        return made["taskDefinitionArn"]

    def deploy(self, task_definition, **more):
        spec = "version: 0.0\nResources:\n  - TargetService:\n      Type: AWS::ECS::Service\n      Properties:\n"
        spec += f'        TaskDefinition: "{task_definition}"\n'
        spec += "        LoadBalancerInfo: { ContainerName: app, ContainerPort: 8080 }\nHooks:\n"
        for event, hook in [
            ("BeforeInstall", "before-install"),
            ("AfterInstall", "after-install"),
            ("AfterAllowTestTraffic", "after-allow-test-traffic"),
            ("BeforeAllowTraffic", "before-allow-traffic"),
            ("AfterAllowTraffic", "after-allow-traffic"),
        ]:
            spec += f"  - {event}: CodeDeployHook_greenlight-{hook}\n"
        revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": spec}}
        return self.codedeploy.create_deployment(**GROUP, revision=revision, **more)["deploymentId"]

    def info(self, deployment):
        return self.codedeploy.get_deployment(deploymentId=deployment)["deploymentInfo"]

    def end(self, deployment):
        def ended():
            info = self.info(deployment)
            return info if info["status"] in ENDED else None

        return until(ended)

    def target(self, deployment):
        listed = self.codedeploy.list_deployment_targets(deploymentId=deployment)["targetIds"]
        self.assertEqual(listed, ["shop:orders"])
        told = self.codedeploy.batch_get_deployment_targets(deploymentId=deployment, targetIds=listed)
        return told["deploymentTargets"][0]["ecsTarget"]

    def events(self, deployment):
        return [(it["lifecycleEventName"], it["status"]) for it in self.target(deployment)["lifecycleEvents"]]

    def listeners(self):
        balancer = self.elbv2.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
        return self.elbv2.describe_listeners(LoadBalancerArn=balancer)["Listeners"]

    def weights(self):
        """The production listener's, without those of nothing."""
        groups = self.listeners()[0]["DefaultActions"][0]["ForwardConfig"]["TargetGroups"]
        return {it["TargetGroupArn"]: it["Weight"] for it in groups if it["Weight"]}

    def canary(self):
        """Waits until a tenth of production is on green; returns the two target groups, blue's first."""

        def shifted():
            weights = self.weights()
            return sorted(weights, key=weights.get, reverse=True) if sorted(weights.values()) == [10, 90] else None

        return until(shifted)

    def test_1_a_good_revision_is_deployed(self):
        before = self.weights()
        self.assertEqual(list(before.values()), [100])
        new = self.register({})
        deployment = self.deploy(new, description="from a pipeline")
        with self.assertRaises(ClientError) as refused:
            self.deploy(new)
        self.assertEqual(refused.exception.response["Error"]["Code"], "DeploymentLimitExceededException")

        blue, green = self.canary()
        self.assertEqual([blue], list(before))
        for group in (blue, green):
            told = self.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
            self.assertEqual([it["TargetHealth"]["State"] for it in told], ["healthy", "healthy"])
        sets = {it["status"]: it for it in self.target(deployment)["taskSetsInfo"]}
        self.assertEqual((sets["PRIMARY"]["trafficWeight"], sets["ACTIVE"]["trafficWeight"]), (90.0, 10.0))
        self.assertEqual((sets["PRIMARY"]["taskSetLabel"], sets["ACTIVE"]["taskSetLabel"]), ("Blue", "Green"))

        info = self.end(deployment)
        self.assertEqual((info["status"], info["creator"], info["description"]), ("Succeeded", "user", "from a pipeline"))
        self.assertEqual(self.events(deployment), [(event, "Succeeded") for event in EVENTS])
        started = [it["startTime"] for it in self.target(deployment)["lifecycleEvents"]]
        self.assertEqual(started, sorted(started))
        self.assertEqual(self.weights(), {green: 100})
        service = self.ecs.describe_services(cluster="shop", services=["orders"])["services"][0]
        self.assertEqual([(it["status"], it["taskDefinition"]) for it in service["taskSets"]], [("PRIMARY", new)])

    def test_2_a_hook_stops_a_bad_revision_and_codedeploy_rolls_back(self):
        before = self.weights()
        deployment = self.deploy(self.register({"FAULT": "orders-500"}))
        info = self.end(deployment)
        self.assertEqual(info["status"], "Failed")
        self.assertEqual(info["errorInformation"]["code"], "HOOK_EXECUTION_FAILURE")
        self.assertIn("AfterAllowTestTraffic", info["errorInformation"]["message"])
        ended = [status for _, status in self.events(deployment)]
        self.assertEqual(ended, ["Succeeded"] * 4 + ["Failed"] + ["Skipped"] * 3)

        rollback = self.end(info["rollbackInfo"]["rollbackDeploymentId"])
        self.assertEqual((rollback["creator"], rollback["status"]), ("codeDeployRollback", "Succeeded"))
        self.assertEqual(rollback["rollbackInfo"]["rollbackTriggeringDeploymentId"], deployment)
        listed = self.codedeploy.list_deployments(**GROUP, includeOnlyStatuses=["Failed"])["deployments"]
        self.assertEqual(listed, [deployment])
        self.assertEqual(self.weights(), before)

    def test_3_a_person_stops_a_canary(self):
        before = self.weights()
        deployment = self.deploy(self.register({}), deploymentConfigName=LONG_CANARY)
        self.canary()
        self.assertEqual(self.codedeploy.stop_deployment(deploymentId=deployment)["status"], "Pending")
        info = self.end(deployment)
        self.assertEqual((info["status"], info["errorInformation"]["code"]), ("Stopped", "MANUAL_STOP"))
        self.assertEqual(self.end(info["rollbackInfo"]["rollbackDeploymentId"])["status"], "Succeeded")
        self.assertEqual(self.weights(), before)
        with self.assertRaises(ClientError) as refused:
            self.codedeploy.stop_deployment(deploymentId=deployment)
        self.assertEqual(refused.exception.response["Error"]["Code"], "DeploymentAlreadyCompletedException")

    def test_4_a_plan_in_a_parameter_is_asked_when_the_revision_brings_none(self):
        plan = "version: 1\ntest_traffic: { requests: [{ get: /nowhere, expect: { status: 200 } }] }\n"
        ssm = client("ssm")
        self.assertEqual(ssm.put_parameter(Name="/greenlight/orders/orders", Value=plan, Type="String")["Version"], 1)
        deployment = self.deploy(self.register({}, labels={}))
        self.assertEqual(self.end(deployment)["status"], "Failed")
        self.assertEqual(self.events(deployment)[4], ("AfterAllowTestTraffic", "Failed"))

    def test_5_the_last_five_minutes_are_the_worlds(self):
        """Its clock is far ahead by now, and users have not stopped for a second of it."""
        now = datetime.datetime.now(datetime.timezone.utc)
        balancer = self.elbv2.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
        metric = {
            "Namespace": "AWS/ApplicationELB",
            "MetricName": "RequestCount",
            "Dimensions": [{"Name": "LoadBalancer", "Value": balancer.partition("loadbalancer/")[2]}],
        }
        told = client("cloudwatch").get_metric_data(
            MetricDataQueries=[{"Id": "sent", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}],
            StartTime=now - datetime.timedelta(minutes=5),
            EndTime=now,
        )["MetricDataResults"][0]
        self.assertIn(len(told["Values"]), (4, 5, 6))
        self.assertTrue(all(sent > 0 for sent in told["Values"]), told)
        for at in told["Timestamps"]:
            self.assertLess(abs(now - at), datetime.timedelta(minutes=7))

    def test_6_what_is_wrong_is_refused_as_aws_refuses_it(self):
        unknown = "d-AAAAAAAAA"
        arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/none/0123456789abcdef"
        for code, call in [
            ("DeploymentDoesNotExistException", lambda: self.info(unknown)),
            ("InvalidDeploymentIdException", lambda: self.info("42")),
            ("DeploymentDoesNotExistException", lambda: self.codedeploy.stop_deployment(deploymentId=unknown)),
            ("ApplicationDoesNotExistException", lambda: self.codedeploy.get_application(applicationName="none")),
            ("ClientException", lambda: self.ecs.describe_task_definition(taskDefinition="none")),
            ("TargetGroupNotFound", lambda: self.elbv2.describe_target_health(TargetGroupArn=arn)),
            ("ParameterNotFound", lambda: client("ssm").get_parameter(Name="/none")),
        ]:
            with self.subTest(code), self.assertRaises(ClientError) as refused:
                call()
            self.assertEqual(refused.exception.response["Error"]["Code"], code)

    def test_7_what_is_not_built_is_refused_by_name(self):
        with self.assertRaises(ClientError) as refused:
            self.codedeploy.delete_application(applicationName="orders")
        self.assertEqual(refused.exception.response["Error"]["Code"], "NotImplementedException")
        self.assertIn("codedeploy:DeleteApplication", refused.exception.response["Error"]["Message"])


if __name__ == "__main__":
    unittest.main()
