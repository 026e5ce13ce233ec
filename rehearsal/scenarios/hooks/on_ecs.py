"""A Lambda function that ECS calls during a deployment, over the bare Runtime API.

It answers by what it returns. ANSWERS are its answers in turn, the last for ever: SUCCEEDED, FAILED, IN_PROGRESS, `nothing`
for an answer without a status, `error` for a function error. FAILS_AT is a share of production on green, in percent, at which it
says no, and ROLLBACK what it answers when production goes back. DELAY is when it wants to be called again, in seconds. How often
it was called it keeps nowhere but in hookDetails.
"""

import json
import os
import urllib.request

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
ANSWERS = os.environ.get("ANSWERS", "SUCCEEDED").split(",")
ON_ROLLBACK = os.environ.get("ROLLBACK")
FAILS_AT = os.environ.get("FAILS_AT")
DELAY = int(os.environ.get("DELAY", "20"))


def in_words(weights, target):
    """`green 10, blue 90`: revisions are numbers that mean nothing to a person."""
    told = sorted(weights.items(), key=lambda entry: entry[0] != target)
    return ", ".join(f"{'green' if arn == target else 'blue'} {weight}" for arn, weight in told) or "-"


def handle(event):
    details = event.get("executionDetails", event)
    target, production = details["targetServiceRevisionArn"], details["productionTrafficWeights"]
    own = event.get("hookDetails", {})
    calls = own.get("calls", 0)
    test = in_words(details["testTrafficWeights"], target)
    stage = event["lifecycleStage"]
    print(f"{stage}: test {test}; production {in_words(production, target)}; hookDetails {json.dumps(own)}")
    goes_back = stage == "PRODUCTION_TRAFFIC_SHIFT" and production.get(target) == 0
    answer = ON_ROLLBACK if ON_ROLLBACK and goes_back else ANSWERS[min(calls, len(ANSWERS) - 1)]
    if FAILS_AT and str(production.get(target)) == FAILS_AT:
        answer = "FAILED"
    if answer == "error":
        raise RuntimeError("the hook broke")
    if answer == "nothing":
        return {"status": "fine"}
    return {"hookStatus": answer, "callBackDelay": DELAY, "hookDetails": {"calls": calls + 1}}


while True:
    with urllib.request.urlopen(f"{API}/next", timeout=None) as response:
        request_id = response.headers["Lambda-Runtime-Aws-Request-Id"]
        event = json.load(response)
    try:
        kind, body = "response", handle(event)
    except RuntimeError as error:
        kind, body = "error", {"errorType": type(error).__name__, "errorMessage": str(error)}
    print(end="", flush=True)
    data = json.dumps(body).encode()
    urllib.request.urlopen(urllib.request.Request(f"{API}/{request_id}/{kind}", data=data, method="POST")).read()
