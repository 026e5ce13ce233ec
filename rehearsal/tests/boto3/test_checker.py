import unittest
import xml.etree.ElementTree as ElementTree

import checker
from wire import client


class Checker(unittest.TestCase):
    """The judge itself: each of these answers would pass botocore."""

    def test_what_the_model_does_not_allow_in_json_is_wrong(self):
        shape = client("codedeploy").meta.service_model.operation_model("GetDeployment").output_shape

        def judged(**info):
            checker.check(shape, {"deploymentInfo": info}, "answer", checker.json_time)

        judged(status="Baking", createTime=1795266000.25, deploymentOverview={"Pending": 1})
        for wrong in [
            {"novelty": 1},
            {"status": "Sleeping"},
            {"status": None},
            {"createTime": "2026-11-21"},
            {"deploymentOverview": {"Pending": "1"}},
            {"deploymentOverview": {"Pending": True}},
            {"deploymentStatusMessages": {}},
        ]:
            with self.subTest(wrong), self.assertRaises(checker.Wrong):
                judged(**wrong)

    def test_a_required_member_that_is_missing_is_wrong(self):
        shape = client("elbv2").meta.service_model.operation_model("DescribeListeners").output_shape
        action = {"Listeners": [{"DefaultActions": [{"Order": 1}]}]}
        with self.assertRaises(checker.Wrong):
            checker.check(shape, action, "answer", checker.json_time)

    def test_what_the_model_does_not_allow_in_xml_is_wrong(self):
        shape = client("rds").meta.service_model.operation_model("DescribeDBInstances").output_shape

        def judged(text):
            checker.check_xml(shape, ElementTree.fromstring(f"<R>{text}</R>"), "answer")

        judged("<DBInstances><DBInstance><MultiAZ>true</MultiAZ></DBInstance></DBInstances>")
        for wrong in [
            "<DBInstances><member/></DBInstances>",
            "<DBInstances><DBInstance><MultiAZ>True</MultiAZ></DBInstance></DBInstances>",
            "<DBInstances><DBInstance><Novelty/></DBInstance></DBInstances>",
            "<DBInstances><DBInstance><InstanceCreateTime>now</InstanceCreateTime></DBInstance></DBInstances>",
            "<Marker/><Marker/>",
        ]:
            with self.subTest(wrong), self.assertRaises(checker.Wrong):
                judged(wrong)
