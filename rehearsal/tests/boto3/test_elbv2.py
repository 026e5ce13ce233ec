import unittest

from botocore.exceptions import ClientError

import wire
from wire import client, code


class LoadBalancing(unittest.TestCase):
    def setUp(self):
        self.elbv2 = client("elbv2")

    def refused(self, operation, **arguments):
        with self.assertRaises(ClientError) as error:
            getattr(self.elbv2, operation)(**arguments)
        return code(error)

    def test_the_load_balancer_is_on_loopback(self):
        found = self.elbv2.describe_load_balancers(LoadBalancerArns=[wire.LOAD_BALANCER])["LoadBalancers"]
        self.assertEqual([it["DNSName"] for it in found], ["127.0.0.1"])
        named = self.elbv2.describe_load_balancers(Names=["orders"])["LoadBalancers"]
        self.assertEqual([it["LoadBalancerArn"] for it in named], [wire.LOAD_BALANCER])
        self.assertEqual(self.refused("describe_load_balancers", Names=["gone"]), "LoadBalancerNotFound")

    def test_a_forward_to_one_group_names_it_twice_and_one_by_weight_does_not(self):
        listeners = self.elbv2.describe_listeners(ListenerArns=[wire.PRODUCTION, wire.TEST])["Listeners"]
        production, test = listeners
        self.assertEqual((production["Port"], test["Port"]), (41000, 41001))
        self.assertEqual((production["Protocol"], test["Protocol"]), ("HTTP", "HTTPS"))
        self.assertNotIn("Certificates", production)
        self.assertEqual([it["CertificateArn"].split(":")[2] for it in test["Certificates"]], ["acm"])
        weighted = production["DefaultActions"][0]
        self.assertNotIn("TargetGroupArn", weighted)
        self.assertEqual(
            weighted["ForwardConfig"]["TargetGroups"],
            [
                {"TargetGroupArn": wire.BLUE_GROUP, "Weight": 90},
                {"TargetGroupArn": wire.GREEN_GROUP, "Weight": 10},
            ],
        )
        self.assertEqual(test["DefaultActions"][0]["TargetGroupArn"], wire.GREEN_GROUP)
        of_balancer = self.elbv2.describe_listeners(LoadBalancerArn=wire.LOAD_BALANCER)["Listeners"]
        self.assertEqual(of_balancer, listeners)
        self.assertEqual(self.refused("describe_listeners"), "ValidationError")
        self.assertEqual(self.refused("describe_listeners", ListenerArns=[wire.TEST + "0"]), "ListenerNotFound")

    def test_rules_tell_conditions_and_the_default_rule_is_last(self):
        rules = self.elbv2.describe_rules(ListenerArn=wire.PRODUCTION)["Rules"]
        self.assertEqual([(it["Priority"], it["IsDefault"]) for it in rules], [("10", False), ("default", True)])
        fields = [it["Field"] for it in rules[0]["Conditions"]]
        self.assertEqual(fields, ["host-header", "path-pattern", "http-header"])
        self.assertEqual(rules[0]["Conditions"][2]["HttpHeaderConfig"]["HttpHeaderName"], "x-version")
        self.assertEqual(rules[0]["Actions"][0]["FixedResponseConfig"]["StatusCode"], "404")
        one = self.elbv2.describe_rules(RuleArns=[rules[1]["RuleArn"]])["Rules"]
        self.assertEqual(one, rules[1:])
        self.assertEqual(self.refused("describe_rules", RuleArns=[wire.TEST]), "RuleNotFound")

    def test_target_groups_tell_their_health_check(self):
        groups = self.elbv2.describe_target_groups(TargetGroupArns=[wire.GREEN_GROUP])["TargetGroups"]
        check = groups[0]
        self.assertEqual((check["HealthCheckPath"], check["Matcher"]["HttpCode"]), ("/health", "200-299"))
        self.assertEqual((check["HealthyThresholdCount"], check["HealthCheckIntervalSeconds"]), (3, 10))
        self.assertEqual(check["LoadBalancerArns"], [wire.LOAD_BALANCER])
        by_name = self.elbv2.describe_target_groups(Names=["orders-blue"])["TargetGroups"]
        self.assertEqual(by_name[0]["TargetGroupArn"], wire.BLUE_GROUP)
        every = self.elbv2.describe_target_groups(LoadBalancerArn=wire.LOAD_BALANCER)["TargetGroups"]
        self.assertEqual(len(every), 2)
        self.assertEqual(self.refused("describe_target_groups", Names=["gone"]), "TargetGroupNotFound")

    def test_targets_tell_state_and_reason(self):
        green = self.elbv2.describe_target_health(TargetGroupArn=wire.GREEN_GROUP)["TargetHealthDescriptions"]
        self.assertEqual(
            [(it["TargetHealth"]["State"], it["TargetHealth"]["Reason"]) for it in green],
            [
                ("unhealthy", "Target.ResponseCodeMismatch"),
                ("initial", "Elb.InitialHealthChecking"),
                ("unused", "Target.NotInUse"),
                ("unhealthy", "Target.Timeout"),
            ],
        )
        self.assertIn("[500]", green[0]["TargetHealth"]["Description"])
        blue = self.elbv2.describe_target_health(
            TargetGroupArn=wire.BLUE_GROUP, Targets=[{"Id": "127.0.0.1", "Port": 40001}, {"Id": "10.0.0.1", "Port": 1}]
        )["TargetHealthDescriptions"]
        self.assertEqual(blue[0]["TargetHealth"], {"State": "healthy"})
        self.assertEqual(blue[1]["TargetHealth"]["Reason"], "Target.NotRegistered")
        gone = wire.GREEN_GROUP + "0"
        self.assertEqual(self.refused("describe_target_health", TargetGroupArn=gone), "TargetGroupNotFound")

    def test_attributes_and_tags(self):
        attributes = self.elbv2.describe_target_group_attributes(TargetGroupArn=wire.BLUE_GROUP)["Attributes"]
        self.assertIn({"Key": "deregistration_delay.timeout_seconds", "Value": "60"}, attributes)
        attributes = self.elbv2.describe_load_balancer_attributes(LoadBalancerArn=wire.LOAD_BALANCER)["Attributes"]
        self.assertIn("idle_timeout.timeout_seconds", [it["Key"] for it in attributes])
        tags = self.elbv2.describe_tags(ResourceArns=[wire.BLUE_GROUP, wire.LOAD_BALANCER])["TagDescriptions"]
        self.assertEqual([it["Tags"] for it in tags], [[], []])
        self.assertEqual(self.refused("describe_tags", ResourceArns=[wire.TEST + "0"]), "ListenerNotFound")

    def test_pages_hold_as_much_as_the_client_wants(self):
        pages = self.elbv2.get_paginator("describe_rules").paginate(
            ListenerArn=wire.PRODUCTION, PaginationConfig={"PageSize": 1}
        )
        self.assertEqual([len(page["Rules"]) for page in pages], [1, 1])
        wrong = self.refused("describe_rules", ListenerArn=wire.PRODUCTION, Marker="made up")
        self.assertEqual(wrong, "ValidationError")
