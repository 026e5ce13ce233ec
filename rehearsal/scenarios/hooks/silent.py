"""A Lambda function that does its work and forgets to answer CodeDeploy. Any language will do: this is the bare Runtime API."""

import json
import os
import urllib.request

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"

while True:
    with urllib.request.urlopen(f"{API}/next", timeout=None) as event:
        request_id = event.headers["Lambda-Runtime-Aws-Request-Id"]
        deployment = json.load(event)["DeploymentId"]
    print(f"validated deployment {deployment}, all good", flush=True)
    body = json.dumps("Succeeded").encode()
    urllib.request.urlopen(urllib.request.Request(f"{API}/{request_id}/response", data=body, method="POST")).read()
