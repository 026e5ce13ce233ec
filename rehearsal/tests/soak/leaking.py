"""A hook that says yes to everything and keeps five MiB and an open file of every event."""

import json
import os
import urllib.request

RUNTIME = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
CODEDEPLOY = os.environ["AWS_ENDPOINT_URL"]
# The rehearsal tells the service by the signature's scope, and verifies none.
SCOPE = f"{os.environ['AWS_ACCESS_KEY_ID']}/20260101/eu-west-1/codedeploy/aws4_request"

kept = []
while True:
    with urllib.request.urlopen(f"{RUNTIME}/next", timeout=None) as event:
        request_id = event.headers["Lambda-Runtime-Aws-Request-Id"]
        asked = json.load(event)
    kept.append((bytearray(os.urandom(5 * 1024 * 1024)), open(os.devnull)))
    print(f"yes  shop/orders  {asked['DeploymentId']}", flush=True)
    answer = {
        "deploymentId": asked["DeploymentId"],
        "lifecycleEventHookExecutionId": asked["LifecycleEventHookExecutionId"],
        "status": "Succeeded",
    }
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host, Signature=none",
    }
    call = urllib.request.Request(CODEDEPLOY, data=json.dumps(answer).encode(), headers=headers, method="POST")
    urllib.request.urlopen(call).read()
    done = urllib.request.Request(f"{RUNTIME}/{request_id}/response", data=b"null", method="POST")
    urllib.request.urlopen(done).read()
