"""Clients of the endpoint under test, every answer of theirs judged."""

import os
import unittest.mock

import boto3
import botocore.model
from botocore.config import Config

import checker

REGION = "eu-west-1"
LB = f"arn:aws:elasticloadbalancing:{REGION}:123456789012"
LOAD_BALANCER = f"{LB}:loadbalancer/app/orders/0123456789abcdef"
PRODUCTION = f"{LB}:listener/app/orders/0123456789abcdef/aaaaaaaaaaaaaaaa"
TEST = f"{LB}:listener/app/orders/0123456789abcdef/bbbbbbbbbbbbbbbb"
BLUE_GROUP = f"{LB}:targetgroup/orders-blue/1111111111111111"
GREEN_GROUP = f"{LB}:targetgroup/orders-green/2222222222222222"
BLUE, GREEN = "ecs-svc/1000000000000000001", "ecs-svc/1000000000000000002"

PERSON, HOOK = "AKIDPERSON", "AKIDHOOK"


def client(service, key=PERSON, paged=False, region=REGION, judged=True, protocol=None, **config):
    """A client of a person, or of the hook's role; of the endpoint with pages of two; of one of several protocols."""
    preference = (protocol,) if protocol else botocore.model.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS
    with unittest.mock.patch("botocore.model.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS", preference):
        made = boto3.client(
            service,
            region_name=region,
            endpoint_url=os.environ["GREENLIGHT_WIRE_PAGED_URL" if paged else "GREENLIGHT_WIRE_URL"],
            aws_access_key_id=key,
            aws_secret_access_key="not verified",
            config=Config(retries={"max_attempts": 1, "mode": "standard"}, **config),
        )
        # Asked now, because the model remembers it.
        made.meta.service_model.resolved_protocol  # noqa: B018
    if judged:
        checker.watch(made)
    return made


def code(error):
    return error.exception.response["Error"]["Code"]


def status(error):
    return error.exception.response["ResponseMetadata"]["HTTPStatusCode"]
