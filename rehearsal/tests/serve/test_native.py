"""A pipeline against `rehearse serve` of a service whose deployments ECS carries out; every answer judged."""

import unittest

from botocore.exceptions import ClientError

from test_pipeline import client, until

SERVICE = {"cluster": "shop", "service": "orders"}
ENDED = ("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")


class Native(unittest.TestCase):
    """The tests run in the order of their names: each deployment begins where the one before it ended."""

    def setUp(self):
        self.ecs, self.elbv2 = client("ecs"), client("elbv2")

    def service(self):
        return self.ecs.describe_services(cluster="shop", services=["orders"])["services"][0]

    def deploy(self, **more):
        return self.ecs.update_service(**SERVICE, **more)["service"]["currentServiceDeployment"]

    def deployment(self, arn):
        return self.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]

    def end(self, arn):
        def ended():
            deployment = self.deployment(arn)
            return deployment if deployment["status"] in ENDED else None

        return until(ended)

    def pause(self, arn):
        """The id of the hook that waits for a person."""

        def waiting():
            hooks = self.deployment(arn).get("lifecycleHookDetails", [])
            ids = [it["hookId"] for it in hooks if it["status"] == "AWAITING_ACTION"]
            return ids[0] if ids else None

        return until(waiting)

    def weights(self, rule):
        arn = self.service()["loadBalancers"][0]["advancedConfiguration"][rule]
        groups = self.elbv2.describe_rules(RuleArns=[arn])["Rules"][0]["Actions"][0]["ForwardConfig"]["TargetGroups"]
        return {it["TargetGroupArn"]: it["Weight"] for it in groups if it["Weight"]}

    def revision(self, arn):
        return self.ecs.describe_service_revisions(serviceRevisionArns=[arn])["serviceRevisions"][0]

    def uses(self, arn):
        return self.revision(arn)["resolvedConfiguration"]["loadBalancers"][0]["targetGroupArn"]

    def test_1_a_deployment_pauses_until_it_is_continued(self):
        arn = self.deploy(taskDefinition="orders:2")
        hook = self.pause(arn)
        deployment = self.deployment(arn)
        self.assertEqual((deployment["status"], deployment["lifecycleStage"]), ("IN_PROGRESS", "POST_TEST_TRAFFIC_SHIFT"))
        target = deployment["targetServiceRevision"]
        source = deployment["sourceServiceRevisions"][0]
        self.assertEqual(target["requestedTestTrafficWeight"], 100.0)
        self.assertEqual(self.weights("testListenerRule"), {self.uses(target["arn"]): 100})
        self.assertEqual(self.weights("productionListenerRule"), {self.uses(source["arn"]): 100})
        green, blue = self.service()["deployments"]
        self.assertEqual((green["status"], blue["status"]), ("PRIMARY", "ACTIVE"))
        for one in (green, blue):
            tasks = self.ecs.list_tasks(cluster="shop", startedBy=one["id"])["taskArns"]
            self.assertEqual(len(tasks), 2)
            told = self.ecs.describe_tasks(cluster="shop", tasks=tasks)["tasks"]
            self.assertEqual({it["taskDefinitionArn"] for it in told}, {one["taskDefinition"]})
        self.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=hook)
        self.assertEqual(self.end(arn)["status"], "SUCCESSFUL")
        self.assertEqual(list(self.weights("productionListenerRule").values()), [100])
        self.assertTrue(self.service()["taskDefinition"].endswith("orders:2"))
        self.assertEqual(len(self.service()["deployments"]), 1)
        self.assertNotIn("resolvedConfiguration", self.revision(source["arn"]), "it does not run any more")

    def test_2_a_deployment_is_stopped_and_goes_back(self):
        before = self.weights("productionListenerRule")
        arn = self.deploy(taskDefinition="orders:1")
        self.pause(arn)
        self.ecs.stop_service_deployment(serviceDeploymentArn=arn)
        ended = self.end(arn)
        self.assertEqual(ended["status"], "ROLLBACK_SUCCESSFUL")
        self.assertEqual(ended["rollback"]["serviceRevisionArn"], ended["sourceServiceRevisions"][0]["arn"])
        self.assertEqual(self.weights("productionListenerRule"), before)
        self.assertTrue(self.service()["taskDefinition"].endswith("orders:2"))
        with self.assertRaises(ClientError) as refused:
            self.ecs.stop_service_deployment(serviceDeploymentArn=arn)
        self.assertEqual(refused.exception.response["Error"]["Code"], "ConflictException")

    def test_3_another_configuration_holds_from_the_next_deployment_on(self):
        configuration = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0, "lifecycleHooks": []}
        arn = self.deploy(forceNewDeployment=True, deploymentConfiguration=configuration)
        self.assertEqual(self.end(arn)["status"], "SUCCESSFUL")
        listed = self.ecs.list_service_deployments(**SERVICE)["serviceDeployments"]
        self.assertEqual([it["status"] for it in listed], ["SUCCESSFUL", "ROLLBACK_SUCCESSFUL", "SUCCESSFUL", "SUCCESSFUL"])
        with self.assertRaises(ClientError) as refused:
            client("codedeploy").create_deployment(applicationName="orders", deploymentGroupName="orders")
        self.assertIn("ApplicationDoesNotExist", refused.exception.response["Error"]["Code"])


if __name__ == "__main__":
    unittest.main()
