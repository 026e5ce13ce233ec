"""Judges raw answers by botocore's service models, more strictly than botocore does itself.

botocore drops members it does not know and takes what it gets for the others. Here every member must be known, have
the right type, be an allowed value where the model lists them, and required members must be there.
"""

import datetime
import io
import json
import re
import xml.etree.ElementTree as ElementTree

from botocore.parsers import RpcV2CBORParser

COMMON_ERRORS = {
    "AccessDenied",
    "AccessDeniedException",
    "InvalidParameterValue",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotImplementedException",
    "SerializationException",
    "SignatureDoesNotMatch",
    "ValidationError",
    "ValidationException",
}
ISO_8601 = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

#: "service:Operation" of every answer that was judged and was no error.
judged = set()


class Wrong(AssertionError):
    """An answer that the service's model does not allow."""


def watch(client):
    """Judges every answer to this client before it is parsed."""
    client.meta.events.register("before-parse", judge)


def judge(operation_model, response_dict, **_):
    service = operation_model.service_model
    protocol = service.resolved_protocol
    headers = {name.lower(): value for name, value in response_dict["headers"].items()}
    if "x-amzn-requestid" not in headers:
        raise Wrong(f"{operation_model.name}: no x-amzn-requestid")
    status, body = response_dict["status_code"], response_dict["body"]
    if status >= 300:
        judge_error(operation_model, protocol, headers, body)
        return
    where = operation_model.name
    shape = operation_model.output_shape
    if protocol == "json":
        content_type = f"application/x-amz-json-{service.metadata['jsonVersion']}"
        want(headers["content-type"] == content_type, where, headers)
        check(shape, json.loads(body), where, json_time)
    elif protocol == "smithy-rpc-v2-cbor":
        want(headers.get("smithy-protocol") == "rpc-v2-cbor", where, headers)
        check(shape, cbor(body), where, cbor_time)
    elif protocol == "query":
        check_query(operation_model, ElementTree.fromstring(body), where)
    elif protocol == "rest-xml":
        want("x-amz-request-id" in headers, where, headers)
        in_body = {it for it in shape.members.values() if "location" not in it.serialization}
        if in_body and "payload" not in shape.serialization:
            root = strip(ElementTree.fromstring(body))
            check_xml(shape, root, where)
            headers = {name: value for name, value in headers.items() if name != "content-type"}
        # All other members are headers: those that the model does not know are HTTP's own.
        known = {it.serialization.get("name", "").lower() for it in shape.members.values()}
        of_http = {"content-length", "date", "x-amz-request-id", "x-amzn-requestid", "connection"}
        want(not headers.keys() - known - of_http, where, headers)
    elif protocol == "rest-json":
        check_rest_json(shape, headers, body, where)
    else:
        raise Wrong(f"{where}: the protocol {protocol} is not judged")
    judged.add(f"{iam_name(service)}:{operation_model.name}")


def judge_error(operation_model, protocol, headers, body):
    where = f"{operation_model.name}'s error"
    if protocol == "json":
        error = json.loads(body)
        code = error["__type"]
        want("message" in error or "Message" in error, where, error)
    elif protocol == "smithy-rpc-v2-cbor":
        error = cbor(body)
        code = error["__type"]
        want("message" in error, where, error)
    elif protocol == "query":
        root = strip(ElementTree.fromstring(body))
        want(root.tag == "ErrorResponse" and root.find("RequestId") is not None, where, root.tag)
        want(root.findtext("Error/Type") in ("Sender", "Receiver"), where, root.findtext("Error/Type"))
        want(root.findtext("Error/Message"), where, "no message")
        code = root.findtext("Error/Code")
    elif protocol == "rest-json":
        code = headers["x-amzn-errortype"]
        want(json.loads(body).get("Message"), where, body)
    else:
        return
    if operation_model.service_model.is_query_compatible and protocol != "query":
        want(re.fullmatch(r"\w+;(Sender|Receiver)", headers["x-amzn-query-error"]), where, headers)
    modelled = {shape.name for shape in operation_model.error_shapes}
    modelled |= {shape.metadata.get("error", {}).get("code") for shape in operation_model.error_shapes}
    want(code in modelled | COMMON_ERRORS, where, f"{code} is not an error of this operation")


def check_rest_json(shape, headers, body, where):
    """Members in headers, in the status, or in the body, which is one of them or holds the others."""
    of_http = {"content-type", "content-length", "date", "x-amzn-requestid", "connection"}
    in_headers = {
        member.serialization["name"].lower()
        for member in shape.members.values()
        if member.serialization.get("location") == "header"
    }
    want(not headers.keys() - in_headers - of_http, where, headers)
    if "payload" in shape.serialization:
        return
    value = json.loads(body)
    for name in value:
        want(name in shape.members, where, f"unknown member {name}")
        want("location" not in shape.members[name].serialization, where, f"{name} does not belong into the body")
    check(shape, value, where, json_time)


def check(shape, value, where, is_time):
    """A tree of dicts, lists and scalars against a shape."""
    if shape is None:
        want(value == {}, where, f"the operation has no output, got {value!r}")
        return
    kind = shape.type_name
    want(value is not None, where, "null")
    if kind == "structure" and shape.is_document_type:
        return
    if kind == "structure":
        want(isinstance(value, dict), where, value)
        names = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        for name, inner in value.items():
            want(name in names, where, f"unknown member {name}")
            check(names[name], inner, f"{where}.{name}", is_time)
        for name in shape.required_members:
            want(name in value, where, f"required member {name} is missing")
    elif kind == "list":
        want(isinstance(value, list), where, value)
        for place, inner in enumerate(value):
            check(shape.member, inner, f"{where}[{place}]", is_time)
    elif kind == "map":
        want(isinstance(value, dict), where, value)
        for key, inner in value.items():
            check(shape.value, inner, f"{where}[{key}]", is_time)
    elif kind == "string":
        want(isinstance(value, str), where, value)
        want(not shape.enum or value in shape.enum, where, f"{value} is not one of {shape.enum}")
    elif kind in ("integer", "long"):
        want(isinstance(value, int) and not isinstance(value, bool), where, value)
    elif kind in ("float", "double"):
        want(isinstance(value, (int, float)) and not isinstance(value, bool), where, value)
    elif kind == "boolean":
        want(isinstance(value, bool), where, value)
    elif kind == "timestamp":
        want(is_time(value), where, f"{value!r} is not a time")
    else:
        raise Wrong(f"{where}: the type {kind} is not judged")


def check_query(operation_model, root, where):
    root = strip(root)
    want(root.tag == f"{operation_model.name}Response", where, root.tag)
    want(root.findtext("ResponseMetadata/RequestId"), where, "no RequestId")
    shape = operation_model.output_shape
    if shape is None:
        want([child.tag for child in root] == ["ResponseMetadata"], where, [child.tag for child in root])
        return
    wrapper = root.find(shape.serialization["resultWrapper"])
    want(wrapper is not None, where, "no result")
    check_xml(shape, wrapper, where)


def check_xml(shape, element, where):
    kind = shape.type_name
    text = element.text or ""
    if kind == "structure":
        names = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        seen = set()
        for child in element:
            want(child.tag in names, where, f"unknown member {child.tag}")
            member = names[child.tag]
            if member.serialization.get("flattened"):
                # The items of such a list stand side by side, each with the list's name.
                check_xml(member.member, child, f"{where}.{child.tag}")
                seen.add(child.tag)
                continue
            want(child.tag not in seen, where, f"{child.tag} twice")
            seen.add(child.tag)
            check_xml(member, child, f"{where}.{child.tag}")
        for name in shape.required_members:
            want(shape.members[name].serialization.get("name", name) in seen, where, f"{name} is missing")
    elif kind == "list":
        item = shape.member.serialization.get("name", "member")
        for place, child in enumerate(element):
            want(child.tag == item, where, f"an item is called {child.tag}, not {item}")
            check_xml(shape.member, child, f"{where}[{place}]")
    elif kind == "map":
        for child in element:
            want([it.tag for it in child] == ["key", "value"], where, [it.tag for it in child])
            check_xml(shape.value, child[1], f"{where}[{child[0].text}]")
    elif kind == "string":
        want(len(element) == 0, where, "elements where text belongs")
        want(not shape.enum or text in shape.enum, where, f"{text} is not one of {shape.enum}")
    elif kind in ("integer", "long"):
        want(re.fullmatch(r"-?\d+", text), where, text)
    elif kind in ("float", "double"):
        float(text)
    elif kind == "boolean":
        want(text in ("true", "false"), where, text)
    elif kind == "timestamp":
        want(ISO_8601.match(text), where, text)
    else:
        raise Wrong(f"{where}: the type {kind} is not judged")


def strip(element):
    """Without namespaces."""
    for each in element.iter():
        each.tag = each.tag.rpartition("}")[2]
    return element


def cbor(body):
    return RpcV2CBORParser().parse_data_item(io.BufferedReader(io.BytesIO(body)))


def json_time(value):
    return isinstance(value, (int, float)) and value > 1_000_000_000


def cbor_time(value):
    return isinstance(value, datetime.datetime)


def iam_name(service):
    return {"elbv2": "elasticloadbalancing"}.get(service.service_name, service.service_name)


def want(condition, where, got):
    if not condition:
        raise Wrong(f"{where}: {got}")
