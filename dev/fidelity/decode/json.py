"""AWS's JSON protocols: the operation in the X-Amz-Target header, the parameters in the body."""

import json
from typing import Any

from botocore.model import Shape

from .. import models
from ..recordings import Recorded
from ..shapes import decode_blob
from . import Call, Undecodable


def decode(recorded: Recorded) -> Call:
    """What `recorded` asks for. Raises Undecodable."""
    metadata = models.service(recorded.service).metadata
    prefix, _, name = recorded.headers.get("x-amz-target", "").rpartition(".")
    operation = models.operation(recorded.service, name)
    if operation is None or prefix != metadata["targetPrefix"]:
        raise Undecodable(f"{recorded.headers.get('x-amz-target')!r} is no operation of {recorded.service}")
    if recorded.body is None:
        raise Undecodable("the body was not kept")
    try:
        body = json.loads(recorded.body or b"{}")
    except ValueError as error:
        raise Undecodable(f"the body is no JSON: {error}") from error
    problems = _envelope(recorded, f"application/x-amz-json-{metadata['jsonVersion']}")
    return Call(recorded, operation, _read(operation.input_shape, body, name, problems), problems)


def _envelope(recorded: Recorded, content_type: str) -> list[str]:
    problems = []
    if (recorded.method, recorded.path) != ("POST", "/"):
        problems.append(f"{recorded.method} {recorded.path}: {recorded.service} takes POST /")
    if recorded.headers.get("content-type") != content_type:
        problems.append(f"the Content-Type is {recorded.headers.get('content-type')!r}, not {content_type}")
    return problems


def _read(shape: Shape | None, value: Any, where: str, problems: list[str]) -> Any:
    """The value by the names of the model, with blobs as bytes. What does not fit is left as it is: shapes.check finds it."""
    kind = shape.type_name if shape else None
    if kind == "structure" and isinstance(value, dict):
        names = {member.serialization.get("name", name): name for name, member in shape.members.items()}
        # null stands for a member that is not there.
        present = {key: child for key, child in value.items() if child is not None}
        return {
            names.get(key, key): _read(shape.members.get(names.get(key)), child, f"{where}.{key}", problems)
            for key, child in present.items()
        }
    if kind == "list" and isinstance(value, list):
        return [_read(shape.member, child, where, problems) for child in value]
    if kind == "map" and isinstance(value, dict):
        return {key: _read(shape.value, child, f"{where}[{key}]", problems) for key, child in value.items()}
    if kind == "blob" and isinstance(value, str):
        try:
            return decode_blob(value)
        except ValueError as error:
            problems.append(f"{where}: {error}")
    return value
