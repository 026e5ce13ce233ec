import base64
import json
import unittest

from botocore.exceptions import ClientError

from wire import client, code, status


class Functions(unittest.TestCase):
    def setUp(self):
        self.functions = client("lambda")

    def refused(self, operation, **arguments):
        with self.assertRaises(ClientError) as error:
            getattr(self.functions, operation)(**arguments)
        return code(error), status(error)

    def test_an_alias_tells_its_version_and_the_share_of_the_other(self):
        alias = self.functions.get_alias(FunctionName="receipts", Name="live")
        self.assertEqual(alias["FunctionVersion"], "1")
        self.assertEqual(alias["RoutingConfig"]["AdditionalVersionWeights"], {"2": 0.25})
        self.assertTrue(alias["AliasArn"].endswith(":function:receipts:live"))
        by_arn = self.functions.get_alias(FunctionName=alias["AliasArn"].rsplit(":", 1)[0], Name="live")
        self.assertEqual(by_arn["AliasArn"], alias["AliasArn"])

    def test_versions_are_listed_and_have_a_configuration(self):
        versions = self.functions.list_versions_by_function(FunctionName="receipts")["Versions"]
        self.assertEqual([it["Version"] for it in versions], ["1", "2"])
        told = self.functions.get_function_configuration(FunctionName="receipts", Qualifier="2")
        self.assertEqual((told["Version"], told["Timeout"], told["State"]), ("2", 10, "Active"))

    def test_a_version_is_invoked_and_tells_that_it_was_it(self):
        event = json.dumps({"sku": "A1"})
        answer = self.functions.invoke(FunctionName="receipts", Qualifier="2", Payload=event, LogType="Tail")
        self.assertEqual((answer["StatusCode"], answer["ExecutedVersion"]), (200, "2"))
        self.assertNotIn("FunctionError", answer)
        self.assertEqual(json.load(answer["Payload"])["version"], "2")
        log = base64.b64decode(answer["LogResult"]).decode()
        self.assertTrue(log.startswith("START RequestId: ") and "Version: 2" in log, log)

    def test_a_function_that_fails_is_no_error_of_the_call(self):
        answer = self.functions.invoke(FunctionName="receipts", Qualifier="1", Payload="{}")
        self.assertEqual((answer["StatusCode"], answer["FunctionError"]), (200, "Unhandled"))
        self.assertEqual(json.load(answer["Payload"])["errorType"], "ValidationError")

    def test_an_alias_is_invoked_by_weight(self):
        ran = [
            self.functions.invoke(FunctionName="receipts", Qualifier="live", Payload='{"sku": "A1"}')["ExecutedVersion"]
            for _ in range(8)
        ]
        self.assertEqual((ran.count("1"), ran.count("2")), (6, 2))

    def test_an_event_is_taken_and_a_dry_run_does_nothing(self):
        taken = self.functions.invoke(FunctionName="receipts", Qualifier="1", InvocationType="Event", Payload="{}")
        self.assertEqual(taken["StatusCode"], 202)
        dry = self.functions.invoke(FunctionName="receipts", InvocationType="DryRun")
        self.assertEqual(dry["StatusCode"], 204)

    def test_what_is_wrong_is_told_apart(self):
        missing = ("ResourceNotFoundException", 404)
        self.assertEqual(self.refused("invoke", FunctionName="receipts", Qualifier="9", Payload="{}"), missing)
        self.assertEqual(self.refused("invoke", FunctionName="nobody", Payload="{}"), missing)
        self.assertEqual(self.refused("get_alias", FunctionName="receipts", Name="dead"), missing)
        self.assertEqual(self.refused("get_function_configuration", FunctionName="nobody"), missing)
        garbage = self.refused("invoke", FunctionName="receipts", Qualifier="1", Payload="{")
        self.assertEqual(garbage, ("InvalidRequestContentException", 400))


class Deployments(unittest.TestCase):
    def setUp(self):
        self.codedeploy = client("codedeploy")
        self.id = self.codedeploy.list_deployments(applicationName="receipts", deploymentGroupName="receipts")[
            "deployments"
        ][0]

    def test_the_target_is_the_function_with_its_versions(self):
        info = self.codedeploy.get_deployment(deploymentId=self.id)["deploymentInfo"]
        self.assertEqual(info["computePlatform"], "Lambda")
        self.assertNotIn("loadBalancerInfo", info)
        ids = self.codedeploy.list_deployment_targets(deploymentId=self.id)["targetIds"]
        self.assertEqual(ids, ["receipts:live"])
        target = self.codedeploy.batch_get_deployment_targets(deploymentId=self.id, targetIds=ids)["deploymentTargets"][0]
        self.assertEqual(target["deploymentTargetType"], "LambdaTarget")
        told = target["lambdaTarget"]["lambdaFunctionInfo"]
        self.assertEqual((told["functionName"], told["functionAlias"]), ("receipts", "live"))
        self.assertEqual((told["currentVersion"], told["targetVersion"]), ("1", "2"))
        self.assertEqual(told["targetVersionWeight"], 25.0)
        events = [(it["lifecycleEventName"], it["status"]) for it in target["lambdaTarget"]["lifecycleEvents"]]
        self.assertEqual(
            events,
            [("BeforeAllowTraffic", "Succeeded"), ("AllowTraffic", "InProgress"), ("AfterAllowTraffic", "Pending")],
        )

    def test_its_group_has_no_service_and_no_load_balancer(self):
        group = self.codedeploy.get_deployment_group(applicationName="receipts", deploymentGroupName="receipts")
        told = group["deploymentGroupInfo"]
        self.assertEqual((told["computePlatform"], told["ecsServices"]), ("Lambda", []))
        self.assertNotIn("loadBalancerInfo", told)
        application = self.codedeploy.get_application(applicationName="receipts")["application"]
        self.assertEqual(application["computePlatform"], "Lambda")

    def test_an_appspec_of_a_service_is_refused(self):
        spec = """version: 0.0
Resources:
  - TargetService:
      Type: AWS::ECS::Service
      Properties:
        TaskDefinition: orders:42
        LoadBalancerInfo: { ContainerName: app, ContainerPort: 8080 }
"""
        with self.assertRaises(ClientError) as error:
            self.codedeploy.create_deployment(
                applicationName="receipts",
                deploymentGroupName="receipts",
                revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": spec}},
            )
        self.assertEqual(code(error), "InvalidRevisionException")
