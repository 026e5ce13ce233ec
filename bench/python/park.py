"""A Lambda function that stands still: it hands its event and its environment to the benchmark, and answers CodeDeploy
only when the benchmark has measured the real hook against the world as it is now.

    park.py <hook> <host:port of the benchmark>
"""

import json
import os
import socket
import sys
import urllib.request

RUNTIME = "http://{}/2018-06-01/runtime/invocation/".format(os.environ["AWS_LAMBDA_RUNTIME_API"])


def main(hook, benchmark):
    host, port = benchmark.rsplit(":", 1)
    while True:
        with urllib.request.urlopen(RUNTIME + "next") as invocation:
            request_id = invocation.headers["Lambda-Runtime-Aws-Request-Id"]
            event = json.load(invocation)
        with socket.create_connection((host, int(port))) as connection:
            standing = {
                "hook": hook,
                "endpoint": os.environ["AWS_ENDPOINT_URL"].rstrip("/"),
                "event": event,
                "environment": {name: value for name, value in os.environ.items() if is_passed_on(name)},
            }
            connection.sendall(json.dumps(standing).encode() + b"\n")
            if not connection.recv(1):
                sys.exit("the benchmark went away")
        answer(event)
        post(RUNTIME + request_id + "/response", b"null", {})


def is_passed_on(name):
    return name.startswith("GREENLIGHT_") or name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    )


def answer(event):
    """Says yes. The rehearsal reads who asks and which service is meant from the header, and checks no signature."""
    scope = "{}/20260101/{}/codedeploy/aws4_request".format(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_REGION"])
    body = {
        "deploymentId": event["DeploymentId"],
        "lifecycleEventHookExecutionId": event["LifecycleEventHookExecutionId"],
        "status": "Succeeded",
    }
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none",
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus",
    }
    post(os.environ["AWS_ENDPOINT_URL"], json.dumps(body).encode(), headers)


def post(url, body, headers):
    with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as response:
        response.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
