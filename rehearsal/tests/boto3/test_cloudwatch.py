import datetime
import unittest

from botocore.exceptions import ClientError

from wire import client, code, status

DIMENSIONS = [
    {"Name": "TargetGroup", "Value": "targetgroup/orders-blue/1111111111111111"},
    {"Name": "LoadBalancer", "Value": "app/orders/0123456789abcdef"},
]
METRIC = {"Namespace": "AWS/ApplicationELB", "MetricName": "RequestCount", "Dimensions": DIMENSIONS}


def last(minutes):
    now = datetime.datetime.now(datetime.timezone.utc)
    return {"StartTime": now - datetime.timedelta(minutes=minutes), "EndTime": now}


def query(name="requests", stat="Sum", period=60, **metric):
    return {"Id": name, "MetricStat": {"Metric": {**METRIC, **metric}, "Period": period, "Stat": stat}}


class OfOneProtocol:
    """CloudWatch speaks three protocols: every test below is run in each."""

    def setUp(self):
        self.cloudwatch = client("cloudwatch", protocol=self.protocol)

    def test_the_client_speaks_this_protocol(self):
        self.assertEqual(self.cloudwatch.meta.service_model.resolved_protocol, self.protocol)


class Alarms(OfOneProtocol):
    def test_alarms_tell_state_and_rule(self):
        alarms = self.cloudwatch.describe_alarms(AlarmNames=["orders-5xx", "orders-latency"])["MetricAlarms"]
        errors, latency = alarms
        self.assertEqual((errors["StateValue"], errors["Threshold"]), ("OK", 5.0))
        self.assertEqual((errors["Statistic"], latency["ExtendedStatistic"]), ("Sum", "p99"))
        self.assertEqual((errors["DatapointsToAlarm"], errors["TreatMissingData"]), (2, "notBreaching"))
        self.assertEqual(self.cloudwatch.describe_alarms(AlarmNamePrefix="nothing")["MetricAlarms"], [])
        self.assertEqual(self.cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])["MetricAlarms"], [])

    def test_an_alarm_is_made_and_set(self):
        name = f"z-{self.protocol}"
        self.cloudwatch.put_metric_alarm(
            AlarmName=name, Namespace="AWS/ApplicationELB", MetricName="RequestCount", Statistic="Sum",
            Dimensions=DIMENSIONS, Period=60, EvaluationPeriods=2, Threshold=0.5,
            ComparisonOperator="LessThanThreshold", TreatMissingData="breaching",
        )
        made = self.cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
        self.assertEqual((made["StateValue"], made["DatapointsToAlarm"]), ("INSUFFICIENT_DATA", 2))
        self.cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a rehearsal")
        fires = self.cloudwatch.describe_alarms(StateValue="ALARM")["MetricAlarms"]
        self.assertIn((name, "a rehearsal"), [(it["AlarmName"], it["StateReason"]) for it in fires])

    def test_an_alarm_that_is_not_there_is_a_modelled_error(self):
        with self.assertRaises(self.cloudwatch.exceptions.ResourceNotFound) as error:
            self.cloudwatch.set_alarm_state(AlarmName="gone", StateValue="OK", StateReason="why")
        self.assertEqual((code(error), status(error)), ("ResourceNotFound", 404))

    def test_pages_hold_as_many_alarms_as_the_client_wants(self):
        pages = self.cloudwatch.get_paginator("describe_alarms").paginate(
            AlarmNamePrefix="orders-", PaginationConfig={"PageSize": 1}
        )
        self.assertEqual([len(page["MetricAlarms"]) for page in pages], [1, 1])


class Metrics(OfOneProtocol):
    def test_the_clients_last_minutes_are_the_worlds(self):
        result = self.cloudwatch.get_metric_data(
            MetricDataQueries=[query(), query("p50", "p50", MetricName="TargetResponseTime")], **last(60)
        )["MetricDataResults"]
        requests, latency = result
        self.assertEqual(requests["Values"], [10.0, 20.0, 30.0, 40.0])
        self.assertEqual(requests["StatusCode"], "Complete")
        self.assertEqual(requests["Timestamps"], sorted(requests["Timestamps"], reverse=True))
        self.assertEqual(latency["Values"], [0.05])
        nothing = self.cloudwatch.get_metric_data(MetricDataQueries=[query(MetricName="No")], **last(60))
        self.assertEqual(nothing["MetricDataResults"][0]["Values"], [])

    def test_data_comes_in_pages(self):
        pages = self.cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[query()], ScanBy="TimestampAscending", **last(60), PaginationConfig={"PageSize": 3}
        )
        told = [(it["Values"], it["StatusCode"]) for page in pages for it in page["MetricDataResults"]]
        self.assertEqual(told, [([40.0, 30.0, 20.0], "PartialData"), ([10.0], "Complete")])

    def test_statistics(self):
        answer = self.cloudwatch.get_metric_statistics(
            **METRIC, **last(60), Period=3600, Statistics=["Sum", "SampleCount"], ExtendedStatistics=["p99"]
        )
        self.assertEqual(sum(it["Sum"] for it in answer["Datapoints"]), 100.0)
        self.assertEqual(answer["Datapoints"][0]["ExtendedStatistics"], {"p99": 1.0})
        with self.assertRaises(self.cloudwatch.exceptions.MissingRequiredParameterException):
            self.cloudwatch.get_metric_statistics(**METRIC, **last(60), Period=60)
        with self.assertRaises(self.cloudwatch.exceptions.InvalidParameterValueException):
            self.cloudwatch.get_metric_statistics(**METRIC, **last(60), Period=61, Statistics=["Sum"])

    def test_metrics_are_listed_by_what_is_known_of_them(self):
        def names(**filters):
            return [it["MetricName"] for it in self.cloudwatch.list_metrics(**filters)["Metrics"]]

        self.assertEqual(names(Namespace="AWS/ApplicationELB"), ["RequestCount", "TargetResponseTime"])
        self.assertEqual(names(MetricName="RequestCount", Dimensions=[{"Name": "LoadBalancer"}]), ["RequestCount"])
        self.assertEqual(names(Dimensions=[{"Name": "LoadBalancer", "Value": "app/other/0"}]), [])

    def test_metric_math_is_refused_by_name(self):
        with self.assertRaises(ClientError) as error:
            self.cloudwatch.get_metric_data(MetricDataQueries=[{"Id": "e", "Expression": "1"}], **last(5))
        self.assertEqual((code(error), status(error)), ("NotImplementedException", 501))


class AlarmsInCbor(Alarms, unittest.TestCase):
    protocol = "smithy-rpc-v2-cbor"


class AlarmsInJson(Alarms, unittest.TestCase):
    protocol = "json"


class AlarmsInQuery(Alarms, unittest.TestCase):
    protocol = "query"


class MetricsInCbor(Metrics, unittest.TestCase):
    protocol = "smithy-rpc-v2-cbor"


class MetricsInJson(Metrics, unittest.TestCase):
    protocol = "json"


class MetricsInQuery(Metrics, unittest.TestCase):
    protocol = "query"
