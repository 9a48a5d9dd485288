"""S3's REST protocol: operation and parameters in the method, the path, the query, the headers and an XML body."""

import re
from typing import Any
from urllib.parse import parse_qsl, unquote

from botocore.model import OperationModel, Shape

from .. import models
from ..recordings import Recorded
from ..shapes import scalar
from . import Call, Undecodable, xml

VIRTUAL_HOST = re.compile(r"^(?P<bucket>.+)\.s3[.-]")


def decode(recorded: Recorded) -> Call:
    """What `recorded` asks for. Raises Undecodable."""
    labels = _labels(recorded)
    query = dict(parse_qsl(recorded.query, keep_blank_values=True))
    operation = _operation(recorded, labels, query)
    problems: list[str] = []
    params: dict[str, Any] = dict(labels)
    shape = operation.input_shape
    _query(operation, shape, query, params, problems)
    _headers(shape, recorded.headers, params, problems)
    _body(operation, shape, recorded, params, problems)
    return Call(recorded, operation, params, problems)


def _labels(recorded: Recorded) -> dict[str, str]:
    """Bucket and key, from the host or the path."""
    path = recorded.path.removeprefix("/")
    virtual = VIRTUAL_HOST.match(recorded.headers.get("host", ""))
    bucket, _, key = (virtual["bucket"], "/", path) if virtual else path.partition("/")
    labels = {"Bucket": unquote(bucket), "Key": unquote(key)}
    return {name: value for name, value in labels.items() if value}


def _operation(recorded: Recorded, labels: dict[str, str], query: dict[str, str]) -> OperationModel:
    fitting = []
    for name in models.service("s3").operation_names:
        operation = models.operation("s3", name)
        template, _, literal = operation.http["requestUri"].partition("?")
        literals = dict(parse_qsl(literal, keep_blank_values=True))
        # `{Key+}` names what `Key` is.
        in_path = set(re.findall(r"\{(\w+)\+?\}", template))
        if operation.http["method"] == recorded.method and in_path == set(labels) and literals.items() <= query.items():
            missing, required = _required(operation, recorded, query)
            fitting.append((not missing, len(literals), required, name))
    if not fitting:
        raise Undecodable(f"S3 has no operation {recorded.method} with {', '.join(labels) or 'no bucket'} and the query {recorded.query!r}")
    # Many operations share a path: the one that has all it requires and explains most of the request.
    best = models.operation("s3", max(fitting)[3])
    if query.get("x-id", best.name) != best.name:
        raise Undecodable(f"the SDK says {query['x-id']}, but it is {best.name}")
    return best


def _required(operation: OperationModel, recorded: Recorded, query: dict[str, str]) -> tuple[int, int]:
    """How many of the required headers and query parameters are missing, and how many there are."""
    given = {"header": recorded.headers, "querystring": query}
    places = [operation.input_shape.members[name].serialization for name in operation.input_shape.required_members]
    places = [(given[place["location"]], place["name"]) for place in places if place.get("location") in given]
    present = [name.lower() in sent or name in sent for sent, name in places]
    return present.count(False), len(present)


def _members(shape: Shape, location: str) -> dict[str, tuple[str, Shape]]:
    members = {name: member for name, member in shape.members.items() if member.serialization.get("location") == location}
    return {member.serialization["name"]: (name, member) for name, member in members.items()}


def _query(operation: OperationModel, shape: Shape, query: dict[str, str], params: dict, problems: list[str]) -> None:
    literals = dict(parse_qsl(operation.http["requestUri"].partition("?")[2], keep_blank_values=True))
    members = _members(shape, "querystring")
    for key, text in query.items():
        if key in members:
            _put(params, *members[key], text, problems)
        elif key not in literals and key != "x-id":
            problems.append(f"{key} is no query parameter of {operation.name}")


# What HTTP, signing and the SDKs' own bookkeeping add to every request.
COMMON = re.compile(
    r"x-amz-(date|content-sha256|security-token|user-agent|decoded-content-length|trailer|te"
    r"|(sdk-)?checksum-(algorithm|mode|crc32c?|crc64nvme|sha1|sha256))$"
)


def _headers(shape: Shape, headers: dict[str, str], params: dict, problems: list[str]) -> None:
    members = {name.lower(): member for name, member in _members(shape, "header").items()}
    prefixes = {prefix.lower(): member for prefix, member in _members(shape, "headers").items()}
    for header, text in headers.items():
        prefix = next((prefix for prefix in prefixes if header.startswith(prefix)), None)
        if header in members:
            _put(params, *members[header], text, problems)
        elif prefix:
            params.setdefault(prefixes[prefix][0], {})[header.removeprefix(prefix)] = text
        elif header.startswith("x-amz-") and not COMMON.match(header):
            problems.append(f"{header} is no header of {shape.name}")


def _put(params: dict, name: str, member: Shape, text: str, problems: list[str]) -> None:
    try:
        params[name] = text.split(",") if member.type_name == "list" else scalar(member, text)
    except ValueError as error:
        problems.append(f"{name}: {error}")


def _body(operation: OperationModel, shape: Shape, recorded: Recorded, params: dict, problems: list[str]) -> None:
    payload = shape.serialization.get("payload")
    structured = payload and shape.members[payload].type_name == "structure"
    if structured and recorded.body is None:
        problems.append("the body was not kept")
    elif structured and recorded.body:
        params[payload] = xml.read(shape.members[payload], recorded.body, problems)
    elif payload and not structured:
        # Its bytes are the user's; that they were sent is all there is to see.
        params[payload] = recorded.body or b""
    elif recorded.body:
        problems.append(f"{operation.name} takes no body")
    checksum = any(name == "content-md5" or name.startswith("x-amz-checksum-") for name in recorded.headers)
    if operation.http_checksum.get("requestChecksumRequired") and not checksum and "x-amz-trailer" not in recorded.headers:
        problems.append(f"{operation.name} must carry a checksum")
