"""Tasks that run once. Nothing runs them here: they stay where they begin."""

import unittest

from botocore.exceptions import ClientError

from wire import client, code

DEFINITION = "arn:aws:ecs:eu-west-1:123456789012:task-definition/orders:42"
NETWORK = {
    "awsvpcConfiguration": {
        "subnets": ["subnet-0000000000000000a", "subnet-0000000000000000b"],
        "securityGroups": ["sg-00000000000000000"],
        "assignPublicIp": "DISABLED",
    }
}
OVERRIDES = {
    "containerOverrides": [
        {"name": "app", "command": ["migrate", "up"], "environment": [{"name": "A", "value": "b"}]}
    ]
}


class OneOffTasks(unittest.TestCase):
    def setUp(self):
        self.ecs = client("ecs")

    def run_task(self, **changes):
        order = {
            "cluster": "shop",
            "taskDefinition": DEFINITION,
            "launchType": "FARGATE",
            "platformVersion": "1.4.0",
            "networkConfiguration": NETWORK,
            "overrides": OVERRIDES,
        }
        order.update(changes)
        return self.ecs.run_task(**{name: value for name, value in order.items() if value is not None})

    def refused(self, **changes):
        with self.assertRaises(ClientError) as error:
            self.run_task(**changes)
        return code(error), error.exception.response["Error"]["Message"]

    def test_a_task_is_found_by_who_started_it_and_started_once_for_a_token(self):
        mine = {"startedBy": "greenlight-d-1", "clientToken": "greenlight-d-1"}
        answer = self.run_task(**mine)
        self.assertEqual(answer["failures"], [])
        task = answer["tasks"][0]
        self.assertEqual((task["lastStatus"], task["desiredStatus"]), ("PROVISIONING", "RUNNING"))
        self.assertEqual((task["group"], task["startedBy"]), ("family:orders", "greenlight-d-1"))
        self.assertEqual((task["taskDefinitionArn"], task["overrides"]), (DEFINITION, OVERRIDES))
        self.assertEqual(self.run_task(**mine)["tasks"][0]["taskArn"], task["taskArn"])
        self.assertEqual(self.refused(overrides=None, **mine)[0], "ConflictException")
        listed = self.ecs.list_tasks(cluster="shop", startedBy="greenlight-d-1")["taskArns"]
        self.assertEqual(listed, [task["taskArn"]])
        stopped = self.ecs.stop_task(cluster="shop", task=task["taskArn"], reason="enough")["task"]
        self.assertEqual((stopped["desiredStatus"], stopped["stopCode"]), ("STOPPED", "UserInitiated"))
        self.assertEqual(stopped["stoppedReason"], "enough")
        listed = self.ecs.list_tasks(cluster="shop", startedBy="greenlight-d-1", desiredStatus="STOPPED")["taskArns"]
        self.assertEqual(listed, [task["taskArn"]])
        told = self.ecs.describe_tasks(cluster="shop", tasks=listed)["tasks"][0]
        self.assertEqual((told["containers"][0]["name"], told["overrides"]), ("app", OVERRIDES))

    def test_several_tasks_on_capacity_providers(self):
        strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
        made = self.run_task(launchType=None, capacityProviderStrategy=strategy, count=2, taskDefinition="orders")
        self.assertEqual(len(made["tasks"]), 2)
        self.assertEqual(made["tasks"][0]["taskDefinitionArn"], DEFINITION)

    def test_what_ecs_would_not_start_is_refused_in_its_words(self):
        invalid = "InvalidParameterException"
        elsewhere = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
        other = {"containerOverrides": [{"name": "web", "command": ["x"]}]}
        strategy = [{"capacityProvider": "mine", "weight": 1}]
        cases = [
            ({"cluster": "gone"}, "ClusterNotFoundException", "Cluster not found."),
            ({"taskDefinition": "orders:7"}, "ClientException", "TaskDefinition not found."),
            ({"taskDefinition": "orders:40"}, "ClientException", "TaskDefinition is inactive"),
            ({"networkConfiguration": None}, invalid, "Network Configuration must be provided"),
            ({"networkConfiguration": elsewhere}, invalid, "The subnet ID 'subnet-1' does not exist"),
            ({"overrides": other}, invalid, "Override for container named web is not a container"),
            ({"capacityProviderStrategy": strategy}, invalid, "both a launch type and capacity provider strategy"),
            ({"capacityProviderStrategy": strategy, "launchType": None}, invalid, "'mine' was not found"),
            ({"launchType": None}, invalid, "No Container Instances"),
            ({"platformVersion": "9"}, "PlatformUnknownException", "does not exist"),
            ({"count": 11}, invalid, "between 1 and 10"),
            ({"clientToken": "ä"}, invalid, "ClientToken"),
        ]
        for changes, expected, words in cases:
            with self.subTest(str(changes)):
                refusal, message = self.refused(**changes)
                self.assertEqual(refusal, expected)
                self.assertIn(words, message)
        with self.assertRaises(ClientError) as error:
            self.ecs.stop_task(cluster="shop", task="f" * 32)
        self.assertEqual(code(error), invalid)
