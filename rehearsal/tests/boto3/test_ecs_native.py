import datetime
import unittest

from botocore.exceptions import ClientError

import wire
from wire import client, code

ECS = "arn:aws:ecs:eu-west-1:123456789012"
SERVICE = f"{ECS}:service/market/cart"
FIRST, SECOND, THIRD = [f"{ECS}:service-deployment/market/cart/{name}" for name in ("first", "second", "third")]
GONE, SOURCE, TARGET = [f"{ECS}:service-revision/market/cart/{number}" for number in (1000, 1001, 1002)]
RULES = wire.LB + ":listener-rule/app/orders/0123456789abcdef/"


class Native(unittest.TestCase):
    def setUp(self):
        self.ecs = client("ecs")

    def refused(self, operation, **arguments):
        with self.assertRaises(ClientError) as error:
            getattr(self.ecs, operation)(**arguments)
        return code(error)

    def described(self, arn):
        return self.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]

    def test_a_service_tells_its_hooks_rules_and_both_revisions(self):
        service = self.ecs.describe_services(cluster="market", services=["cart"])["services"][0]
        self.assertEqual(service["deploymentController"], {"type": "ECS"})
        self.assertEqual(service["taskSets"], [])
        self.assertTrue(service["taskDefinition"].endswith("orders:42"), "what is being deployed")
        self.assertEqual(service["currentServiceDeployment"], THIRD)
        self.assertEqual([it["arn"] for it in service["currentServiceRevisions"]], [TARGET, SOURCE])
        [balancer] = service["loadBalancers"]
        self.assertEqual(balancer["targetGroupArn"], wire.BLUE_GROUP)
        advanced = balancer["advancedConfiguration"]
        self.assertEqual(advanced["alternateTargetGroupArn"], wire.GREEN_GROUP)
        self.assertEqual(advanced["productionListenerRule"], RULES + "aaaaaaaaaaaaaaaa/0000000000000001")
        self.assertEqual(advanced["testListenerRule"], RULES + "bbbbbbbbbbbbbbbb/0000000000000000")
        green, blue = service["deployments"]
        self.assertEqual((green["status"], green["rolloutState"]), ("PRIMARY", "IN_PROGRESS"))
        self.assertEqual((blue["status"], blue["rolloutState"]), ("ACTIVE", "COMPLETED"))
        self.assertRegex(green["id"], r"^ecs-svc/\d+$")
        configuration = service["deploymentConfiguration"]
        self.assertEqual((configuration["strategy"], configuration["bakeTimeInMinutes"]), ("CANARY", 3))
        self.assertEqual(
            configuration["canaryConfiguration"], {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 5}
        )
        function, pause = configuration["lifecycleHooks"]
        self.assertEqual(function["hookDetails"], {"team": "cart"})
        self.assertEqual(function["lifecycleStages"], ["POST_TEST_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT"])
        self.assertEqual(pause["targetType"], "PAUSE")
        self.assertEqual(pause["timeoutConfiguration"], {"timeoutInMinutes": 60, "action": "CONTINUE"})

    def test_a_deployment_tells_its_revisions_with_their_weights_its_stage_and_its_hooks(self):
        deployment = self.described(THIRD)
        self.assertEqual((deployment["status"], deployment["serviceArn"]), ("IN_PROGRESS", SERVICE))
        self.assertEqual(deployment["lifecycleStage"], "POST_TEST_TRAFFIC_SHIFT")
        [source] = deployment["sourceServiceRevisions"]
        target = deployment["targetServiceRevision"]
        self.assertEqual((source["arn"], target["arn"]), (SOURCE, TARGET))
        weights = ("requestedTestTrafficWeight", "requestedProductionTrafficWeight")
        self.assertEqual([target[it] for it in weights], [100.0, 0.0])
        self.assertEqual([source[it] for it in weights], [0.0, 100.0])
        self.assertEqual(target["requestedTaskCount"], 2)
        self.assertEqual(deployment["alarms"]["status"], "MONITORING")
        self.assertEqual(deployment["deploymentCircuitBreaker"]["threshold"], 3)
        function, *pauses = deployment["lifecycleHookDetails"]
        self.assertEqual((function["targetType"], function["status"]), ("AWS_LAMBDA", "SUCCEEDED"))
        self.assertEqual({it["hookId"] for it in pauses}, {"ecs-pause-1", "ecs-pause-2"})
        self.assertNotIn("finishedAt", deployment)

    def test_a_deployment_that_went_back_says_why(self):
        deployment = self.described(SECOND)
        self.assertEqual(deployment["status"], "ROLLBACK_SUCCESSFUL")
        self.assertEqual(deployment["rollback"]["serviceRevisionArn"], SOURCE)
        self.assertIn("orders-5xx", deployment["statusReason"])
        self.assertEqual(deployment["alarms"]["status"], "TRIGGERED")
        self.assertEqual(deployment["alarms"]["triggeredAlarmNames"], ["orders-5xx"])

    def test_deployments_and_revisions_that_are_not_there_are_failures(self):
        gone = f"{ECS}:service-deployment/market/cart/never"
        answer = self.ecs.describe_service_deployments(serviceDeploymentArns=[THIRD, gone])
        self.assertEqual((len(answer["serviceDeployments"]), answer["failures"]), (1, [{"arn": gone, "reason": "MISSING"}]))
        gone = f"{ECS}:service-revision/market/cart/7"
        answer = self.ecs.describe_service_revisions(serviceRevisionArns=[gone])
        self.assertEqual(answer["failures"], [{"arn": gone, "reason": "MISSING"}])
        self.assertEqual(
            self.refused("describe_service_deployments", serviceDeploymentArns=["third"]), "InvalidParameterException"
        )
        self.assertEqual(
            self.refused("describe_service_revisions", serviceRevisionArns=[TARGET] * 21), "InvalidParameterException"
        )

    def test_only_a_revision_that_runs_says_which_target_group_it_uses(self):
        answer = self.ecs.describe_service_revisions(serviceRevisionArns=[TARGET, SOURCE, GONE])
        target, source, gone = answer["serviceRevisions"]
        used = [it["resolvedConfiguration"]["loadBalancers"][0]["targetGroupArn"] for it in (target, source)]
        self.assertEqual(used, [wire.GREEN_GROUP, wire.BLUE_GROUP])
        self.assertNotIn("resolvedConfiguration", gone)
        self.assertEqual(target["containerImages"][0]["image"], "orders:42")
        self.assertIn("advancedConfiguration", gone["loadBalancers"][0])

    def test_deployments_are_listed_newest_first_by_status_and_time(self):
        def listed(**filters):
            answer = self.ecs.list_service_deployments(cluster="market", service="cart", **filters)
            return [it["serviceDeploymentArn"] for it in answer["serviceDeployments"]]

        self.assertEqual(listed(status=["SUCCESSFUL", "ROLLBACK_SUCCESSFUL"])[-2:], [SECOND, FIRST])
        now = datetime.datetime.now(datetime.timezone.utc)
        self.assertEqual(listed(createdAt={"after": now + datetime.timedelta(hours=1)}), [])
        paged = client("ecs", paged=True).list_service_deployments(cluster="market", service="cart")
        self.assertEqual(len(paged["serviceDeployments"]), 2)
        self.assertIn("nextToken", paged)
        self.assertEqual(
            self.refused("list_service_deployments", cluster="market", service="gone"), "ServiceNotFoundException"
        )

    def test_a_person_decides_at_a_pause(self):
        decided = self.ecs.continue_service_deployment(
            serviceDeploymentArn=THIRD, hookId="ecs-pause-1", action="CONTINUE"
        )
        self.assertEqual(decided["serviceDeploymentArn"], THIRD)
        self.assertEqual(
            self.refused("continue_service_deployment", serviceDeploymentArn=THIRD, hookId="ecs-pause-9"),
            "InvalidParameterException",
        )
        self.assertEqual(
            self.refused("continue_service_deployment", serviceDeploymentArn=THIRD + "x", hookId="ecs-pause-1"),
            "ServiceDeploymentNotFoundException",
        )


class Updates(unittest.TestCase):
    """Comes last: it changes the service. Nobody carries its deployments out here."""

    def setUp(self):
        self.ecs = client("ecs")

    def test_an_update_begins_a_deployment_that_can_be_stopped(self):
        hook = {
            "hookTargetArn": "arn:aws:lambda:eu-west-1:123456789012:function:smoke",
            "roleArn": "arn:aws:iam::123456789012:role/hooks",
            "lifecycleStages": ["PRE_SCALE_UP"],
            "hookDetails": {"depth": {"of": [1, 2.5, True, None]}},
        }
        configuration = {
            "strategy": "LINEAR",
            "linearConfiguration": {"stepPercent": 12.5, "stepBakeTimeInMinutes": 1},
            "lifecycleHooks": [hook],
            "alarms": {"alarmNames": [], "enable": False, "rollback": False},
        }
        service = self.ecs.update_service(
            cluster="market",
            service=SERVICE,
            taskDefinition="orders:41",
            forceNewDeployment=True,
            desiredCount=3,
            deploymentConfiguration=configuration,
        )["service"]
        told = service["deploymentConfiguration"]
        self.assertEqual((told["strategy"], told["linearConfiguration"]["stepPercent"]), ("LINEAR", 12.5))
        self.assertEqual(told["lifecycleHooks"][0]["hookDetails"], hook["hookDetails"])
        self.assertEqual(told["bakeTimeInMinutes"], 3, "what is not said stays")
        self.assertFalse(told["alarms"]["enable"])
        self.assertEqual(service["desiredCount"], 3)
        begun = service["currentServiceDeployment"]
        self.assertNotEqual(begun, THIRD)
        stopped = self.ecs.stop_service_deployment(serviceDeploymentArn=begun, stopType="ROLLBACK")
        self.assertEqual(stopped["serviceDeploymentArn"], begun)
        with self.assertRaises(ClientError) as error:
            self.ecs.stop_service_deployment(serviceDeploymentArn=begun)
        self.assertEqual(code(error), "ConflictException")

    def test_what_makes_no_sense_is_refused(self):
        pause = {"targetType": "PAUSE", "lifecycleStages": ["PRODUCTION_TRAFFIC_SHIFT"]}
        for configuration in [
            {"strategy": "ROLLING"},
            {"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 0.01}},
            {"bakeTimeInMinutes": 1441},
            {"lifecycleHooks": [pause]},
            {"lifecycleHooks": [{"lifecycleStages": ["PRE_SCALE_UP"]}]},
            {"lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["SCALE_UP"]}]},
        ]:
            with self.subTest(configuration), self.assertRaises(ClientError) as error:
                self.ecs.update_service(cluster="market", service="cart", deploymentConfiguration=configuration)
            self.assertEqual(code(error), "InvalidParameterException")
        for wrong, expected in [
            ({"service": "gone"}, "ServiceNotFoundException"),
            ({"taskDefinition": "orders:7"}, "ClientException"),
            ({"taskDefinition": "orders:40"}, "ClientException"),
            ({"platformVersion": "1.3.0"}, "InvalidParameterException"),
            ({"cluster": "shop", "service": "orders", "taskDefinition": "orders:42"}, "InvalidParameterException"),
        ]:
            with self.subTest(wrong), self.assertRaises(ClientError) as error:
                self.ecs.update_service(**{"cluster": "market", "service": "cart", **wrong})
            self.assertEqual(code(error), expected)

    def test_a_service_of_codedeploys_can_only_be_resized(self):
        service = self.ecs.update_service(cluster="shop", service="orders", desiredCount=2)["service"]
        self.assertEqual((service["desiredCount"], service["deploymentController"]), (2, {"type": "CODE_DEPLOY"}))
