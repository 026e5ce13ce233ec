"""A Lambda function that takes orders. Any language will do: this is the bare Runtime API.

FAULT makes a version misbehave: `no-table` fails every order, `large-orders` fails those of more than ten.
"""

import http.client
import json
import os

FAULT = os.environ.get("FAULT", "")
API = "/2018-06-01/runtime/invocation"
runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])


class ValidationError(Exception):
    """The event is no order."""


class OperationalError(Exception):
    """The database has refused."""


def place(event):
    if not event.get("sku"):
        raise ValidationError("sku is missing")
    quantity = event.get("quantity", 1)
    if FAULT == "no-table" or (FAULT == "large-orders" and quantity > 10):
        print(f"placing {quantity} of {event['sku']}: no such table: order_lines", flush=True)
        raise OperationalError("no such table: order_lines")
    return {"statusCode": 201, "version": os.environ["VERSION"], "sku": event["sku"], "quantity": quantity}


def call(method, path, body=None, headers=None):
    runtime.request(method, path, body=body, headers=headers or {})
    response = runtime.getresponse()
    return response.headers, response.read()


while True:
    headers, event = call("GET", f"{API}/next")
    request = f"{API}/{headers['Lambda-Runtime-Aws-Request-Id']}"
    try:
        call("POST", f"{request}/response", json.dumps(place(json.loads(event))))
    except (ValidationError, OperationalError) as error:
        kind = type(error).__name__
        body = json.dumps({"errorType": kind, "errorMessage": str(error)})
        call("POST", f"{request}/error", body, {"Lambda-Runtime-Function-Error-Type": kind})
