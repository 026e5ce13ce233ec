import json
import os
import unittest
import urllib.error
import urllib.request

from botocore import UNSIGNED
from botocore.exceptions import ClientError

from wire import client, code, status


class Refusals(unittest.TestCase):
    def test_what_is_not_implemented_is_refused_by_name_in_every_protocol(self):
        calls = [
            ("ecs", "delete_cluster", {"cluster": "shop"}, "ecs:DeleteCluster"),
            ("codedeploy", "delete_application", {"applicationName": "orders"}, "codedeploy:DeleteApplication"),
            ("ssm", "delete_parameter", {"Name": "/x"}, "ssm:DeleteParameter"),
            ("secretsmanager", "list_secrets", {}, "secretsmanager:ListSecrets"),
            ("elbv2", "describe_account_limits", {}, "elasticloadbalancing:DescribeAccountLimits"),
            ("rds", "describe_db_snapshots", {}, "rds:DescribeDBSnapshots"),
            ("cloudwatch", "list_dashboards", {}, "cloudwatch:ListDashboards"),
            ("sts", "get_session_token", {}, "sts:GetSessionToken"),
            ("lambda", "get_function", {"FunctionName": "x"}, "lambda:GetFunction"),
            ("lambda", "list_functions", {}, "lambda:ListFunctions"),
            ("sqs", "list_queues", {}, "sqs:ListQueues"),
        ]
        for service, operation, arguments, name in calls:
            with self.subTest(name):
                with self.assertRaises(ClientError) as error:
                    getattr(client(service, judged=service not in ("lambda", "sqs")), operation)(**arguments)
                self.assertEqual((code(error), status(error)), ("NotImplementedException", 501))
                message = error.exception.response["Error"]["Message"]
                self.assertEqual(message, f"the rehearsal does not implement {name}; see docs/limits.md")

    def test_buckets_are_refused_by_name_too(self):
        with self.assertRaises(ClientError) as error:
            client("s3").list_buckets()
        self.assertEqual((code(error), status(error)), ("NotImplemented", 501))
        self.assertIn("s3:ListBuckets", str(error.exception))

    def test_a_request_without_a_signature_is_refused(self):
        with self.assertRaises(ClientError) as error:
            client("codedeploy", signature_version=UNSIGNED).list_applications()
        self.assertEqual(code(error), "MissingAuthenticationTokenException")
        with self.assertRaises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(os.environ["GREENLIGHT_WIRE_URL"])
        self.assertEqual(error.exception.code, 403)
        self.assertIn(b"<Code>MissingAuthenticationToken</Code>", error.exception.read())

    def test_another_region_is_refused(self):
        for service, operation, expected in [
            ("ecs", "list_clusters", "InvalidSignatureException"),
            ("elbv2", "describe_target_groups", "SignatureDoesNotMatch"),
        ]:
            with self.assertRaises(ClientError) as error:
                getattr(client(service, region="us-east-1"), operation)()
            self.assertEqual(code(error), expected)
            self.assertIn("us-east-1", str(error.exception))

    def test_a_member_of_a_wrong_type_is_refused_and_an_unknown_one_ignored(self):
        def list_services(body):
            request = urllib.request.Request(
                os.environ["GREENLIGHT_WIRE_URL"],
                data=json.dumps(body).encode(),
                headers={
                    "Content-Type": "application/x-amz-json-1.1",
                    "X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListServices",
                    "Authorization": "AWS4-HMAC-SHA256 Credential=A/20261121/eu-west-1/ecs/aws4_request, Signature=0",
                },
            )
            return json.load(urllib.request.urlopen(request))

        self.assertEqual(len(list_services({"cluster": "shop", "novelty": 1})["serviceArns"]), 1)
        with self.assertRaises(urllib.error.HTTPError) as error:
            list_services({"cluster": "shop", "maxResults": "many"})
        self.assertEqual(json.load(error.exception)["__type"], "SerializationException")
