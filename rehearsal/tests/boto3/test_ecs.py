import unittest

from botocore.exceptions import ClientError

import wire
from wire import client, code

DEFINITION = "arn:aws:ecs:eu-west-1:123456789012:task-definition/orders:42"


class Services(unittest.TestCase):
    def setUp(self):
        self.ecs = client("ecs")

    def refused(self, operation, **arguments):
        with self.assertRaises(ClientError) as error:
            getattr(self.ecs, operation)(**arguments)
        return code(error)

    def test_clusters(self):
        arns = self.ecs.list_clusters()["clusterArns"]
        cluster = "arn:aws:ecs:eu-west-1:123456789012:cluster/"
        self.assertEqual(arns, [cluster + "market", cluster + "shop"])
        answer = self.ecs.describe_clusters(clusters=[cluster + "shop", "gone"])
        self.assertEqual(answer["clusters"][0]["runningTasksCount"], 3)
        self.assertEqual(answer["failures"][0]["reason"], "MISSING")

    def test_a_service_tells_its_task_sets_with_deployment_and_target_group(self):
        services = self.ecs.describe_services(cluster="shop", services=["orders", "gone"])
        self.assertEqual(services["failures"][0]["reason"], "MISSING")
        service = services["services"][0]
        self.assertEqual(service["deploymentController"], {"type": "CODE_DEPLOY"})
        blue, green = service["taskSets"]
        self.assertEqual((blue["status"], green["status"]), ("PRIMARY", "ACTIVE"))
        self.assertEqual((green["externalId"], green["startedBy"]), ("d-UNDERWAY1", "CODE_DEPLOY"))
        self.assertEqual(green["loadBalancers"][0]["targetGroupArn"], wire.GREEN_GROUP)
        self.assertEqual(green["stabilityStatus"], "STEADY_STATE")
        self.assertEqual(green["taskDefinition"], DEFINITION)
        self.assertTrue(service["taskDefinition"].endswith("orders:41"))

    def test_task_sets_alone(self):
        every = self.ecs.describe_task_sets(cluster="shop", service="orders")["taskSets"]
        self.assertEqual([it["id"] for it in every], [wire.BLUE, wire.GREEN])
        some = self.ecs.describe_task_sets(cluster="shop", service="orders", taskSets=[wire.GREEN, "ecs-svc/0"])
        self.assertEqual(([it["id"] for it in some["taskSets"]], len(some["failures"])), ([wire.GREEN], 1))
        self.assertEqual(
            self.refused("describe_task_sets", cluster="shop", service="gone"), "ServiceNotFoundException"
        )

    def test_a_cluster_that_is_not_there_is_named(self):
        for operation, arguments in [
            ("describe_services", {"services": ["orders"]}),
            ("list_services", {}),
            ("list_tasks", {"cluster": "gone"}),
        ]:
            self.assertEqual(self.refused(operation, **arguments), "ClusterNotFoundException")

    def test_services_are_listed(self):
        arns = self.ecs.list_services(cluster="shop")["serviceArns"]
        self.assertEqual(arns, ["arn:aws:ecs:eu-west-1:123456789012:service/shop/orders"])
        self.assertEqual(
            self.refused("list_services", cluster="shop", maxResults=101), "InvalidParameterException"
        )


class Tasks(unittest.TestCase):
    def setUp(self):
        self.ecs = client("ecs")

    def listed(self, **filters):
        return [it[-1] for it in self.ecs.list_tasks(cluster="shop", **filters)["taskArns"]]

    def test_tasks_are_listed_by_what_they_are_wanted_to_be(self):
        self.assertEqual(self.listed(), ["1", "2", "3", "4"])
        self.assertEqual(self.listed(desiredStatus="STOPPED"), ["5"])
        self.assertEqual(self.listed(desiredStatus="PENDING"), [])

    def test_tasks_are_listed_by_family_service_and_task_set(self):
        self.assertEqual(self.listed(family="orders", serviceName="orders"), ["1", "2", "3", "4"])
        self.assertEqual(self.listed(family="payments"), [])
        self.assertEqual(self.listed(startedBy=wire.GREEN), ["3", "4"])
        with self.assertRaises(ClientError) as error:
            self.listed(startedBy=wire.GREEN, family="orders")
        self.assertEqual(code(error), "InvalidParameterException")
        with self.assertRaises(ClientError) as error:
            self.listed(serviceName="gone")
        self.assertEqual(code(error), "ServiceNotFoundException")

    def test_pages_hold_as_many_tasks_as_the_client_wants(self):
        pages = list(self.ecs.get_paginator("list_tasks").paginate(cluster="shop", PaginationConfig={"PageSize": 3}))
        self.assertEqual([len(page["taskArns"]) for page in pages], [3, 1])

    def test_a_running_task_tells_its_port_and_a_stopped_one_why(self):
        arns = self.ecs.list_tasks(cluster="shop")["taskArns"]
        stopped = self.ecs.list_tasks(cluster="shop", desiredStatus="STOPPED")["taskArns"]
        answer = self.ecs.describe_tasks(cluster="shop", tasks=arns + stopped + ["f" * 32])
        self.assertEqual(len(answer["failures"]), 1)
        running, crashed = answer["tasks"][0], answer["tasks"][-1]
        self.assertEqual((running["lastStatus"], running["group"]), ("RUNNING", "service:orders"))
        self.assertEqual(running["containers"][0]["networkBindings"][0]["hostPort"], 40001)
        self.assertEqual((crashed["lastStatus"], crashed["desiredStatus"]), ("STOPPED", "STOPPED"))
        self.assertEqual((crashed["stopCode"], crashed["containers"][0]["exitCode"]), ("EssentialContainerExited", 1))


class TaskDefinitions(unittest.TestCase):
    def setUp(self):
        self.ecs = client("ecs")

    def test_a_task_definition_is_found_by_arn_revision_and_family(self):
        for name in [DEFINITION, "orders:42", "orders"]:
            definition = self.ecs.describe_task_definition(taskDefinition=name)["taskDefinition"]
            self.assertEqual((definition["revision"], definition["status"]), (42, "ACTIVE"))
        container = definition["containerDefinitions"][0]
        self.assertEqual(container["dockerLabels"], {"greenlight.plan": "version: 1"})
        self.assertEqual(container["portMappings"][0]["containerPort"], 8080)
        with self.assertRaises(ClientError) as error:
            self.ecs.describe_task_definition(taskDefinition="orders:7")
        self.assertEqual(code(error), "ClientException")

    def test_task_definitions_are_listed_by_status(self):
        def listed(**filters):
            arns = self.ecs.list_task_definitions(familyPrefix="orders", **filters)["taskDefinitionArns"]
            return [it.rpartition(":")[2] for it in arns]

        self.assertEqual(listed(), ["41", "42"])
        self.assertEqual(listed(sort="DESC"), ["42", "41"])
        self.assertEqual(listed(status="INACTIVE"), ["40"])

    def test_what_is_registered_comes_back_as_it_was_given(self):
        given = {
            "name": "web",
            "image": "web:1",
            "portMappings": [{"containerPort": 80}],
            "environment": [{"name": "A", "value": "b"}],
            "secrets": [{"name": "PW", "valueFrom": "orders/migrator"}],
            "dockerLabels": {"team": "shop"},
            "memory": 256,
        }
        made = self.ecs.register_task_definition(
            family="web", containerDefinitions=[given], networkMode="awsvpc", cpu="512", memory="1024"
        )["taskDefinition"]
        self.assertEqual((made["revision"], made["cpu"]), (1, "512"))
        told = self.ecs.describe_task_definition(taskDefinition="web")["taskDefinition"]["containerDefinitions"][0]
        for member in ["name", "image", "environment", "secrets", "dockerLabels", "memory"]:
            self.assertEqual(told[member], given[member])
        again = self.ecs.register_task_definition(family="web", containerDefinitions=[given])["taskDefinition"]
        self.assertEqual(again["revision"], 2)
        gone = self.ecs.deregister_task_definition(taskDefinition="web:2")["taskDefinition"]
        self.assertEqual(gone["status"], "INACTIVE")
        self.assertEqual(self.ecs.describe_task_definition(taskDefinition="web")["taskDefinition"]["revision"], 1)
