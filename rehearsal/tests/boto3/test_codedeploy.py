import datetime
import hashlib
import unittest

from botocore.exceptions import ClientError

import wire
from wire import client, code

SPEC = """version: 0.0
Resources:
  - TargetService:
      Type: AWS::ECS::Service
      Properties:
        TaskDefinition: arn:aws:ecs:eu-west-1:123456789012:task-definition/orders:42
        LoadBalancerInfo: { ContainerName: app, ContainerPort: 8080 }
"""


def inline(content):
    return {"revisionType": "AppSpecContent", "appSpecContent": {"content": content}}


class Deployments(unittest.TestCase):
    def setUp(self):
        self.codedeploy = client("codedeploy")

    def refused(self, operation, **arguments):
        with self.assertRaises(ClientError) as error:
            getattr(self.codedeploy, operation)(**arguments)
        return code(error)

    def test_a_deployment_tells_everything_but_the_text_of_its_appspec(self):
        info = self.codedeploy.get_deployment(deploymentId="d-UNDERWAY1")["deploymentInfo"]
        self.assertEqual(info["computePlatform"], "ECS")
        self.assertEqual(info["deploymentStyle"]["deploymentType"], "BLUE_GREEN")
        self.assertEqual(info["revision"]["revisionType"], "AppSpecContent")
        self.assertNotIn("content", info["revision"]["appSpecContent"])
        self.assertEqual(info["previousRevision"]["s3Location"]["bucket"], "specs")
        pair = info["loadBalancerInfo"]["targetGroupPairInfoList"][0]
        self.assertEqual([group["name"] for group in pair["targetGroups"]], ["orders-blue", "orders-green"])
        self.assertEqual(pair["prodTrafficRoute"]["listenerArns"], [wire.PRODUCTION])
        self.assertEqual(pair["testTrafficRoute"]["listenerArns"], [wire.TEST])
        self.assertEqual(info["deploymentOverview"]["InProgress"], 1)
        self.assertNotIn("rollbackInfo", info)

    def test_the_application_revision_tells_the_text(self):
        info = self.codedeploy.get_deployment(deploymentId="d-UNDERWAY1")["deploymentInfo"]
        revision = self.codedeploy.get_application_revision(applicationName="orders", revision=info["revision"])
        content = revision["revision"]["appSpecContent"]["content"]
        self.assertIn("BeforeAllowTraffic", content)
        self.assertEqual(hashlib.sha256(content.encode()).hexdigest(), info["revision"]["appSpecContent"]["sha256"])
        self.assertIn("production", revision["revisionInfo"]["deploymentGroups"])

    def test_a_rollback_names_what_it_undoes_and_is_named_by_it(self):
        both = self.codedeploy.batch_get_deployments(deploymentIds=["d-FAILED001", "d-ROLLBACK1", "d-NOSUCH000"])
        failed, rollback = both["deploymentsInfo"]
        self.assertEqual(failed["errorInformation"]["code"], "HOOK_EXECUTION_FAILURE")
        self.assertEqual(failed["rollbackInfo"]["rollbackDeploymentId"], "d-ROLLBACK1")
        self.assertEqual(rollback["creator"], "codeDeployRollback")
        self.assertEqual(rollback["rollbackInfo"]["rollbackTriggeringDeploymentId"], "d-FAILED001")

    def test_its_own_rollback_setting_hides_the_groups(self):
        own = self.codedeploy.get_deployment(deploymentId="d-WAITING01")["deploymentInfo"]
        self.assertFalse(own["autoRollbackConfiguration"]["enabled"])
        groups = self.codedeploy.get_deployment(deploymentId="d-UNDERWAY1")["deploymentInfo"]
        self.assertEqual(
            groups["autoRollbackConfiguration"]["events"], ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"]
        )

    def test_times_are_the_clients(self):
        created = self.codedeploy.get_deployment(deploymentId="d-UNDERWAY1")["deploymentInfo"]["createTime"]
        age = datetime.datetime.now(datetime.timezone.utc) - created
        self.assertGreater(age, datetime.timedelta(minutes=9))

    def test_the_target_is_the_service_with_its_events_and_task_sets(self):
        ids = self.codedeploy.list_deployment_targets(deploymentId="d-UNDERWAY1")["targetIds"]
        self.assertEqual(ids, ["shop:orders"])
        batch = self.codedeploy.batch_get_deployment_targets(deploymentId="d-UNDERWAY1", targetIds=ids)
        target = batch["deploymentTargets"][0]["ecsTarget"]
        running = [it["lifecycleEventName"] for it in target["lifecycleEvents"] if it["status"] == "InProgress"]
        self.assertEqual(running, ["AllowTestTraffic"])
        sets = {it["taskSetLabel"]: it for it in target["taskSetsInfo"]}
        self.assertEqual(sets["Blue"]["identifer"], wire.BLUE)
        self.assertEqual((sets["Blue"]["trafficWeight"], sets["Green"]["trafficWeight"]), (90.0, 10.0))
        self.assertEqual((sets["Green"]["runningCount"], sets["Green"]["pendingCount"]), (1, 1))
        self.assertEqual(sets["Green"]["targetGroup"]["name"], "orders-green")
        one = self.codedeploy.get_deployment_target(deploymentId="d-UNDERWAY1", targetId=ids[0])
        self.assertEqual(one["deploymentTarget"]["ecsTarget"]["targetId"], "shop:orders")

    def test_why_an_event_failed_is_in_its_diagnostics(self):
        batch = self.codedeploy.batch_get_deployment_targets(deploymentId="d-FAILED001", targetIds=["shop:orders"])
        events = batch["deploymentTargets"][0]["ecsTarget"]["lifecycleEvents"]
        self.assertEqual(events[2]["diagnostics"]["message"], "The function answered Failed")

    def test_a_deployment_has_no_target_before_its_first_event(self):
        self.assertEqual(
            self.refused("list_deployment_targets", deploymentId="d-CREATED01"), "DeploymentNotStartedException"
        )
        self.assertEqual(
            self.refused("batch_get_deployment_targets", deploymentId="d-CREATED01", targetIds=["shop:orders"]),
            "DeploymentNotStartedException",
        )

    def test_what_is_wrong_with_an_id_is_told_apart(self):
        self.assertEqual(self.refused("get_deployment", deploymentId=""), "DeploymentIdRequiredException")
        self.assertEqual(self.refused("get_deployment", deploymentId="orders"), "InvalidDeploymentIdException")
        self.assertEqual(self.refused("get_deployment", deploymentId="d-NOSUCH000"), "DeploymentDoesNotExistException")
        self.assertEqual(
            self.refused("get_deployment_target", deploymentId="d-UNDERWAY1", targetId="shop:other"),
            "DeploymentTargetDoesNotExistException",
        )

    def test_lists_are_newest_first_and_filtered(self):
        wanted = {"applicationName": "orders", "deploymentGroupName": "production"}
        listed = self.codedeploy.list_deployments(**wanted, includeOnlyStatuses=["Succeeded", "Failed"])
        self.assertEqual([it for it in listed["deployments"] if it[2:5] in ("ROL", "FAI", "SUC")],
                         ["d-ROLLBACK1", "d-FAILED001", "d-SUCCEEDED"])
        now = datetime.datetime.now(datetime.timezone.utc)
        minute = datetime.timedelta(minutes=1)
        recent = self.codedeploy.list_deployments(**wanted, createTimeRange={"start": now - minute, "end": now + minute})
        self.assertNotIn("d-SUCCEEDED", recent["deployments"])
        self.assertEqual(self.refused("list_deployments", applicationName="orders"),
                         "DeploymentGroupNameRequiredException")
        self.assertEqual(self.refused("list_deployments", deploymentGroupName="production"),
                         "ApplicationNameRequiredException")
        self.assertEqual(self.refused("list_deployments", nextToken="made up"), "InvalidNextTokenException")

    def test_a_deployment_is_created_stopped_and_cannot_run_twice(self):
        arguments = {
            "applicationName": "orders",
            "deploymentGroupName": "idle",
            "revision": inline(SPEC),
            "autoRollbackConfiguration": {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]},
        }
        made = self.codedeploy.create_deployment(**arguments)["deploymentId"]
        info = self.codedeploy.get_deployment(deploymentId=made)["deploymentInfo"]
        self.assertEqual((info["status"], info["creator"]), ("Created", "user"))
        self.assertEqual(info["deploymentConfigName"], "CodeDeployDefault.ECSCanary10Percent5Minutes")
        self.assertEqual(self.refused("create_deployment", **arguments), "DeploymentLimitExceededException")
        self.assertEqual(
            self.codedeploy.stop_deployment(deploymentId=made, autoRollbackEnabled=True)["status"], "Pending"
        )
        events = self.codedeploy.get_deployment(deploymentId=made)["deploymentInfo"]["autoRollbackConfiguration"]
        self.assertEqual(events["events"], ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST"])
        self.assertEqual(self.refused("stop_deployment", deploymentId="d-SUCCEEDED"),
                         "DeploymentAlreadyCompletedException")

    def test_what_cannot_be_deployed_is_refused(self):
        def why(**changed):
            arguments = {"applicationName": "orders", "deploymentGroupName": "staging", "revision": inline(SPEC)}
            return self.refused("create_deployment", **{**arguments, **changed})

        self.assertEqual(why(applicationName="nobody"), "ApplicationDoesNotExistException")
        self.assertEqual(why(deploymentGroupName="nobody"), "DeploymentGroupDoesNotExistException")
        self.assertEqual(why(deploymentConfigName="nobody"), "DeploymentConfigDoesNotExistException")
        self.assertEqual(why(revision=inline("Resources: [")), "InvalidRevisionException")
        self.assertEqual(
            why(revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": SPEC, "sha256": "0" * 64}}),
            "InvalidRevisionException",
        )
        gone = {"bucket": "specs", "key": "gone.yaml", "bundleType": "YAML"}
        self.assertEqual(why(revision={"revisionType": "S3", "s3Location": gone}), "RevisionDoesNotExistException")
        self.assertEqual(
            why(autoRollbackConfiguration={"enabled": True, "events": []}), "InvalidAutoRollbackConfigException"
        )
        self.assertEqual(why(overrideAlarmConfiguration={"enabled": False}), "NotImplementedException")


class Hooks(unittest.TestCase):
    def setUp(self):
        self.codedeploy = client("codedeploy", key=wire.HOOK)

    def answer(self, deployment, execution, status):
        return self.codedeploy.put_lifecycle_event_hook_execution_status(
            deploymentId=deployment, lifecycleEventHookExecutionId=execution, status=status
        )

    def refused(self, *arguments):
        with self.assertRaises(ClientError) as error:
            self.answer(*arguments)
        return code(error)

    def test_a_hook_answers_once(self):
        wrong_status = self.refused("d-WAITING01", "hook-of-BeforeInstall", "InProgress")
        self.assertEqual(wrong_status, "InvalidLifecycleEventHookExecutionStatusException")
        self.assertEqual(
            self.refused("d-WAITING01", "hook-of-another", "Succeeded"), "InvalidLifecycleEventHookExecutionIdException"
        )
        answered = self.answer("d-WAITING01", "hook-of-BeforeInstall", "Succeeded")
        self.assertEqual(answered["lifecycleEventHookExecutionId"], "hook-of-BeforeInstall")
        self.assertEqual(
            self.refused("d-WAITING01", "hook-of-BeforeInstall", "Failed"), "LifecycleEventAlreadyCompletedException"
        )
        self.assertEqual(self.refused("d-NOSUCH000", "x", "Failed"), "DeploymentDoesNotExistException")


class ApplicationsAndGroups(unittest.TestCase):
    def setUp(self):
        self.codedeploy = client("codedeploy")

    def refused(self, operation, **arguments):
        with self.assertRaises(ClientError) as error:
            getattr(self.codedeploy, operation)(**arguments)
        return code(error)

    def test_applications(self):
        self.assertEqual(self.codedeploy.list_applications()["applications"], ["orders", "payments", "stock", "receipts"])
        application = self.codedeploy.get_application(applicationName="orders")["application"]
        self.assertEqual(application["computePlatform"], "ECS")
        self.assertEqual(self.refused("get_application", applicationName="x"), "ApplicationDoesNotExistException")

    def test_a_group_tells_its_service_alarms_and_last_deployments(self):
        group = self.codedeploy.get_deployment_group(applicationName="orders", deploymentGroupName="production")
        info = group["deploymentGroupInfo"]
        self.assertEqual(info["ecsServices"], [{"serviceName": "orders", "clusterName": "shop"}])
        self.assertEqual([it["name"] for it in info["alarmConfiguration"]["alarms"]], ["orders-5xx", "orders-latency"])
        self.assertEqual(info["lastSuccessfulDeployment"]["deploymentId"], "d-ROLLBACK1")
        self.assertEqual(info["lastAttemptedDeployment"]["deploymentId"], "d-UNDERWAY1")
        wait = info["blueGreenDeploymentConfiguration"]["terminateBlueInstancesOnDeploymentSuccess"]
        self.assertEqual(wait, {"action": "TERMINATE", "terminationWaitTimeInMinutes": 5})
        self.assertEqual(
            self.refused("get_deployment_group", applicationName="orders", deploymentGroupName="x"),
            "DeploymentGroupDoesNotExistException",
        )

    def test_several_groups_at_once(self):
        names = self.codedeploy.list_deployment_groups(applicationName="orders")["deploymentGroups"]
        self.assertEqual(names, ["production", "staging", "idle"])
        both = self.codedeploy.batch_get_deployment_groups(
            applicationName="orders", deploymentGroupNames=["staging", "gone"]
        )
        self.assertEqual([it["deploymentGroupName"] for it in both["deploymentGroupsInfo"]], ["staging"])
        self.assertIn("gone", both["errorMessage"])

    def test_a_group_is_changed_and_what_cannot_be_changed_is_refused(self):
        def of_staging(**changes):
            names = {"applicationName": "orders", "currentDeploymentGroupName": "staging"}
            return self.codedeploy.update_deployment_group(**names, **changes)

        of_staging(
            deploymentConfigName="CodeDeployDefault.ECSAllAtOnce",
            alarmConfiguration={"enabled": False, "alarms": [{"name": "other"}]},
            autoRollbackConfiguration={"enabled": False},
            blueGreenDeploymentConfiguration={
                "terminateBlueInstancesOnDeploymentSuccess": {"terminationWaitTimeInMinutes": 60}
            },
        )
        group = self.codedeploy.get_deployment_group(applicationName="orders", deploymentGroupName="staging")
        info = group["deploymentGroupInfo"]
        self.assertEqual(info["deploymentConfigName"], "CodeDeployDefault.ECSAllAtOnce")
        self.assertEqual(info["alarmConfiguration"]["alarms"], [{"name": "other"}])
        self.assertFalse(info["alarmConfiguration"]["enabled"] or info["autoRollbackConfiguration"]["enabled"])
        with self.assertRaises(ClientError) as error:
            of_staging(newDeploymentGroupName="renamed")
        self.assertEqual(code(error), "NotImplementedException")

    def test_deployment_configurations(self):
        made = self.codedeploy.create_deployment_config(
            deploymentConfigName="Canary20",
            computePlatform="ECS",
            trafficRoutingConfig={
                "type": "TimeBasedCanary",
                "timeBasedCanary": {"canaryPercentage": 20, "canaryInterval": 3},
            },
        )
        config = self.codedeploy.get_deployment_config(deploymentConfigName="Canary20")["deploymentConfigInfo"]
        self.assertEqual(config["deploymentConfigId"], made["deploymentConfigId"])
        canary = config["trafficRoutingConfig"]["timeBasedCanary"]
        self.assertEqual(canary, {"canaryPercentage": 20, "canaryInterval": 3})
        self.assertIn("Canary20", self.codedeploy.list_deployment_configs()["deploymentConfigsList"])
        linear = self.codedeploy.get_deployment_config(
            deploymentConfigName="CodeDeployDefault.ECSLinear10PercentEvery1Minutes"
        )["deploymentConfigInfo"]["trafficRoutingConfig"]
        self.assertEqual(linear["timeBasedLinear"], {"linearPercentage": 10, "linearInterval": 1})
        again = self.refused("create_deployment_config", deploymentConfigName="Canary20", computePlatform="ECS")
        self.assertEqual(again, "DeploymentConfigAlreadyExistsException")
        bad = {"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 0, "linearInterval": 3}}
        wrong = self.refused(
            "create_deployment_config", deploymentConfigName="Zero", computePlatform="ECS", trafficRoutingConfig=bad
        )
        self.assertEqual(wrong, "InvalidTrafficRoutingConfigurationException")

    def test_revisions_are_registered_and_listed(self):
        revision = inline(SPEC + "# registered\n")
        self.codedeploy.register_application_revision(applicationName="orders", revision=revision)
        unused = self.codedeploy.list_application_revisions(applicationName="orders", deployed="exclude")["revisions"]
        sha256 = hashlib.sha256((SPEC + "# registered\n").encode()).hexdigest()
        self.assertIn({"revisionType": "AppSpecContent", "appSpecContent": {"sha256": sha256}}, unused)
        stored = self.codedeploy.list_application_revisions(
            applicationName="orders", s3Bucket="specs", s3KeyPrefix="orders/"
        )["revisions"]
        self.assertEqual([it["s3Location"]["key"] for it in stored], ["orders/41/appspec.yaml"])
        unknown = {"revisionType": "AppSpecContent", "appSpecContent": {"sha256": "0" * 64}}
        self.assertEqual(
            self.refused("get_application_revision", applicationName="orders", revision=unknown),
            "RevisionDoesNotExistException",
        )


class Pages(unittest.TestCase):
    def test_every_list_is_the_same_in_pages_of_two(self):
        lists = [
            ("list_applications", "applications", {}),
            ("list_deployment_configs", "deploymentConfigsList", {}),
            ("list_deployment_groups", "deploymentGroups", {"applicationName": "orders"}),
            ("list_deployments", "deployments", {}),
        ]
        for operation, member, arguments in lists:
            with self.subTest(operation):
                whole = getattr(client("codedeploy"), operation)(**arguments)[member]
                self.assertGreater(len(whole), 2)
                pages = list(client("codedeploy", paged=True).get_paginator(operation).paginate(**arguments))
                self.assertTrue(all(len(page[member]) <= 2 for page in pages))
                self.assertEqual([it for page in pages for it in page[member]], whole)
