import unittest

from botocore.exceptions import ClientError

import wire
from wire import client, code


class Parameters(unittest.TestCase):
    def setUp(self):
        self.ssm = client("ssm")

    def refused(self, operation, **arguments):
        with self.assertRaises(ClientError) as error:
            getattr(self.ssm, operation)(**arguments)
        return code(error)

    def test_a_parameter_is_read_by_name_arn_and_version(self):
        name = "/greenlight/orders/production"
        plain = self.ssm.get_parameter(Name=name)["Parameter"]
        self.assertEqual((plain["Value"], plain["Version"]), ("version: 1", 3))
        self.assertEqual(self.ssm.get_parameter(Name=plain["ARN"])["Parameter"]["Name"], name)
        self.assertEqual(self.ssm.get_parameter(Name=f"{name}:3")["Parameter"]["Selector"], ":3")
        self.assertEqual(self.refused("get_parameter", Name=f"{name}:2"), "ParameterVersionNotFound")
        self.assertEqual(self.refused("get_parameter", Name="/gone"), "ParameterNotFound")

    def test_a_parameter_is_written_and_overwritten_only_on_demand(self):
        self.assertEqual(self.ssm.put_parameter(Name="/new", Value="1", Type="String")["Version"], 1)
        again = self.refused("put_parameter", Name="/new", Value="2", Type="String")
        self.assertEqual(again, "ParameterAlreadyExists")
        self.assertEqual(self.ssm.put_parameter(Name="/new", Value="2", Overwrite=True)["Version"], 2)
        both = self.ssm.get_parameters(Names=["/new", "/gone"])
        self.assertEqual([it["Value"] for it in both["Parameters"]], ["2"])
        self.assertEqual(both["InvalidParameters"], ["/gone"])

    def test_parameters_are_described_without_their_values(self):
        name = "/greenlight/orders/production"
        by_name = [{"Key": "Name", "Option": "Equals", "Values": [name, "/gone"]}]
        found = self.ssm.describe_parameters(ParameterFilters=by_name)["Parameters"]
        self.assertEqual([(it["Name"], it["Version"]) for it in found], [(name, 3)])
        self.assertNotIn("Value", found[0])
        by_path = [{"Key": "Path", "Option": "Recursive", "Values": ["/"]}]
        self.assertEqual(self.refused("describe_parameters", ParameterFilters=by_path), "NotImplementedException")


class Secrets(unittest.TestCase):
    def test_a_secret_is_read_by_name_and_arn(self):
        secrets = client("secretsmanager")
        described = secrets.describe_secret(SecretId="orders/migrator")
        value = secrets.get_secret_value(SecretId=described["ARN"])
        self.assertEqual((value["Name"], value["SecretString"]), ("orders/migrator", '{"password":"pw"}'))
        self.assertEqual(described["VersionIdsToStages"], {value["VersionId"]: ["AWSCURRENT"]})
        self.assertEqual(described["Tags"], [{"Key": "greenlight:applications", "Value": "orders"}])
        self.assertEqual(value["ARN"][-7], "-")
        for arguments in [{"SecretId": "gone"}, {"SecretId": "orders/migrator", "VersionStage": "AWSPREVIOUS"}]:
            with self.assertRaises(secrets.exceptions.ResourceNotFoundException):
                secrets.get_secret_value(**arguments)


class Databases(unittest.TestCase):
    def setUp(self):
        self.rds = client("rds")

    def test_instances(self):
        one = self.rds.describe_db_instances(DBInstanceIdentifier="orders-1")["DBInstances"][0]
        self.assertEqual((one["DBInstanceStatus"], one["Endpoint"]["Port"]), ("available", 5432))
        every = self.rds.describe_db_instances()["DBInstances"]
        self.assertEqual([it["DBInstanceIdentifier"] for it in every], ["orders-1", "orders-2", "reports"])
        members = self.rds.describe_db_instances(Filters=[{"Name": "db-cluster-id", "Values": ["orders"]}])
        self.assertEqual(len(members["DBInstances"]), 2)
        with self.assertRaises(self.rds.exceptions.DBInstanceNotFoundFault):
            self.rds.describe_db_instances(DBInstanceIdentifier="gone")

    def test_clusters(self):
        cluster = self.rds.describe_db_clusters(DBClusterIdentifier="orders")["DBClusters"][0]
        self.assertEqual((cluster["Status"], cluster["Port"]), ("available", 5432))
        self.assertEqual([it["IsClusterWriter"] for it in cluster["DBClusterMembers"]], [True, False])
        with self.assertRaises(self.rds.exceptions.DBClusterNotFoundFault):
            self.rds.describe_db_clusters(DBClusterIdentifier="gone")

    def test_pages(self):
        pages = client("rds", paged=True).get_paginator("describe_db_instances").paginate()
        self.assertEqual([len(page["DBInstances"]) for page in pages], [2, 1])


class Objects(unittest.TestCase):
    def setUp(self):
        self.s3 = client("s3")

    def test_an_object_comes_back_as_it_was_put(self):
        body = b"version: 0.0\r\n" * 1000
        put = self.s3.put_object(Bucket="specs", Key="a folder/app+spec é.yaml", Body=body)
        got = self.s3.get_object(Bucket="specs", Key="a folder/app+spec é.yaml")
        self.assertEqual((got["Body"].read(), got["ETag"]), (body, put["ETag"]))
        head = self.s3.head_object(Bucket="specs", Key="orders/41/appspec.yaml")
        self.assertGreater(head["ContentLength"], 100)

    def test_what_is_not_there_is_told_apart(self):
        with self.assertRaises(self.s3.exceptions.NoSuchKey):
            self.s3.get_object(Bucket="specs", Key="gone")
        with self.assertRaises(self.s3.exceptions.NoSuchBucket):
            self.s3.get_object(Bucket="gone", Key="gone")
        with self.assertRaises(ClientError) as error:
            self.s3.head_object(Bucket="specs", Key="gone")
        self.assertEqual(code(error), "404")

    def test_a_folder_is_listed_page_by_page(self):
        for key in ["orders/42/1 é+&.sql", "orders/42/2.sql", "orders/42/3.sql", "orders/42/old/1.sql", "orders/420"]:
            self.s3.put_object(Bucket="migrations", Key=key, Body=b"select 1")
        asked = dict(Bucket="migrations", Prefix="orders/42/", Delimiter="/")
        whole = self.s3.list_objects_v2(**asked)
        self.assertEqual(
            ([it["Key"] for it in whole["Contents"]], [it["Size"] for it in whole["Contents"]]),
            (["orders/42/1 é+&.sql", "orders/42/2.sql", "orders/42/3.sql"], [8, 8, 8]),
        )
        self.assertEqual([it["Prefix"] for it in whole["CommonPrefixes"]], ["orders/42/old/"])
        self.assertEqual((whole["KeyCount"], whole["IsTruncated"]), (4, False))
        for pager in [dict(MaxKeys=2), {}]:
            s3 = client("s3", paged=not pager)
            first = s3.list_objects_v2(**asked, **pager)
            self.assertEqual((first["KeyCount"], first["IsTruncated"]), (2, True))
            second = s3.list_objects_v2(**asked, **pager, ContinuationToken=first["NextContinuationToken"])
            self.assertEqual([it["Key"] for it in second["Contents"]], ["orders/42/3.sql"])
            self.assertEqual((len(second["CommonPrefixes"]), second["IsTruncated"]), (1, False))

    def test_what_cannot_be_listed_is_refused(self):
        self.s3.put_object(Bucket="migrations", Key="a", Body=b"")
        with self.assertRaises(self.s3.exceptions.NoSuchBucket):
            self.s3.list_objects_v2(Bucket="gone")
        self.assertEqual(self.s3.list_objects_v2(Bucket="migrations", Prefix="nothing/")["KeyCount"], 0)
        for arguments, expected in [(dict(ContinuationToken="wrong"), "InvalidArgument"), (dict(StartAfter="a"), "NotImplemented")]:
            with self.assertRaises(ClientError) as error:
                self.s3.list_objects_v2(Bucket="migrations", **arguments)
            self.assertEqual(code(error), expected)


class Identity(unittest.TestCase):
    def test_a_person_and_a_hook_are_told_apart(self):
        person = client("sts").get_caller_identity()
        self.assertEqual(person["Arn"], "arn:aws:iam::123456789012:user/rehearsal")
        hook = client("sts", key=wire.HOOK).get_caller_identity()
        self.assertIn(":assumed-role/", hook["Arn"])
        self.assertTrue(hook["UserId"].endswith(":CodeDeployHook_before-install"))


class Images(unittest.TestCase):
    def setUp(self):
        self.ecr = client("ecr")

    def test_an_image_is_found_by_tag_and_digest(self):
        asked = dict(registryId="123456789012", repositoryName="orders")
        by_tag = self.ecr.describe_images(**asked, imageIds=[{"imageTag": "42"}])["imageDetails"][0]
        by_digest = self.ecr.describe_images(**asked, imageIds=[{"imageDigest": by_tag["imageDigest"]}])
        self.assertEqual([it["imageTags"] for it in by_digest["imageDetails"]], [["42"]])
        pages = client("ecr", paged=True).get_paginator("describe_images").paginate(**asked)
        self.assertEqual([len(page["imageDetails"]) for page in pages], [2, 1])

    def test_what_is_not_there_is_told_apart(self):
        with self.assertRaises(self.ecr.exceptions.ImageNotFoundException):
            self.ecr.describe_images(repositoryName="orders", imageIds=[{"imageTag": "gone"}])
        with self.assertRaises(self.ecr.exceptions.RepositoryNotFoundException):
            self.ecr.describe_images(repositoryName="gone")
        with self.assertRaises(ClientError) as error:
            self.ecr.describe_images(registryId="210987654321", repositoryName="orders")
        self.assertEqual(code(error), "AccessDeniedException")
        self.assertEqual(self.ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"], [])

    def test_a_scan_has_a_status_and_counts(self):
        scan = self.ecr.describe_image_scan_findings(repositoryName="orders", imageId={"imageTag": "42"})
        self.assertEqual(scan["imageScanStatus"]["status"], "COMPLETE")
        self.assertEqual(scan["imageScanFindings"]["findingSeverityCounts"], {"HIGH": 2})
        with self.assertRaises(self.ecr.exceptions.ScanNotFoundException):
            self.ecr.describe_image_scan_findings(repositoryName="orders", imageId={"imageTag": "41"})


class Logs(unittest.TestCase):
    def setUp(self):
        self.logs = client("logs")

    def test_the_last_events_come_first_and_tokens_lead_both_ways(self):
        stream = dict(logGroupName="/ecs/orders", logStreamName="ecs/app/0123")
        last = self.logs.get_log_events(**stream, limit=2)
        self.assertEqual([it["message"] for it in last["events"]], ["listening", "no route to db.internal"])
        before = self.logs.get_log_events(**stream, limit=2, nextToken=last["nextBackwardToken"])
        self.assertEqual([it["message"] for it in before["events"]], ["starting"])
        start = self.logs.get_log_events(**stream, nextToken=before["nextBackwardToken"])
        self.assertEqual((start["events"], start["nextBackwardToken"]), ([], before["nextBackwardToken"]))
        head = self.logs.get_log_events(**stream, limit=1, startFromHead=True)
        self.assertEqual([it["message"] for it in head["events"]], ["starting"])
        rest = self.logs.get_log_events(**stream, nextToken=head["nextForwardToken"])
        self.assertEqual(len(rest["events"]), 2)

    def test_words_are_looked_for_in_all_streams_of_a_group_page_by_page(self):
        def messages(**asked):
            found = self.logs.filter_log_events(logGroupName="/ecs/orders", **asked)
            return [it["message"] for it in found["events"]], found.get("nextToken")

        self.assertEqual(messages(filterPattern='"to db.internal" route'), (["no route to db.internal"], None))
        self.assertEqual(messages(filterPattern='"nobody wrote this"'), ([], None))
        first, token = messages(limit=2)
        rest, end = messages(limit=2, nextToken=token)
        self.assertEqual((first + rest, end), (["starting", "listening", "no route to db.internal"], None))
        for pattern in ['{ $.level = "ERROR" }', '?ERROR ?WARN', '-DEBUG', '"open']:
            with self.assertRaises(self.logs.exceptions.InvalidParameterException, msg=pattern):
                messages(filterPattern=pattern)
        with self.assertRaises(self.logs.exceptions.ResourceNotFoundException):
            self.logs.filter_log_events(logGroupName="/gone")

    def test_what_is_not_there_is_told_apart(self):
        for group, stream in [("/gone", "a"), ("/ecs/orders", "gone")]:
            with self.assertRaises(self.logs.exceptions.ResourceNotFoundException):
                self.logs.get_log_events(logGroupName=group, logStreamName=stream)
        with self.assertRaises(self.logs.exceptions.InvalidParameterException):
            self.logs.get_log_events(logGroupName="/ecs/orders", logStreamName="ecs/app/0123", nextToken="wrong")
