"""EC2's query protocol: a form whose keys are paths, such as `TagSpecification.1.Tag.2.Key`."""

from typing import Any
from urllib.parse import parse_qsl

from botocore.model import Shape

from .. import models
from ..recordings import Recorded
from ..shapes import scalar
from . import Call, Undecodable

FORM = "application/x-www-form-urlencoded"


def decode(recorded: Recorded) -> Call:
    """What `recorded` asks for. Raises Undecodable."""
    if recorded.body is None:
        raise Undecodable("the body was not kept")
    try:
        pairs = parse_qsl(recorded.body.decode(), keep_blank_values=True, strict_parsing=True)
    except ValueError as error:
        raise Undecodable(f"the body is no form: {error}") from error
    fields = dict(pairs)
    operation = models.operation("ec2", fields.pop("Action", ""))
    if operation is None:
        raise Undecodable(f"EC2 has no operation {dict(pairs).get('Action')!r}")
    problems = _envelope(recorded, pairs, fields.pop("Version", None))
    tree = _tree(fields, problems)
    params = _read(operation.input_shape, tree, operation.name, problems)
    return Call(recorded, operation, params, problems)


def _envelope(recorded: Recorded, pairs: list[tuple[str, str]], version: str | None) -> list[str]:
    problems = []
    if (recorded.method, recorded.path) != ("POST", "/"):
        problems.append(f"{recorded.method} {recorded.path}: EC2 takes POST /")
    if not recorded.headers.get("content-type", "").startswith(FORM):
        problems.append(f"the Content-Type is {recorded.headers.get('content-type')!r}, not {FORM}")
    if version != models.VERSIONS["ec2"]:
        problems.append(f"the Version is {version!r}, not {models.VERSIONS['ec2']}")
    if len(pairs) != len(dict(pairs)):
        problems.append("a parameter stands there twice")
    return problems


def _tree(fields: dict[str, str], problems: list[str]) -> dict:
    """The keys' paths as nested dicts, with texts as leaves."""
    tree: dict = {}
    for key, text in fields.items():
        *path, last = key.split(".")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                break
        if not isinstance(node, dict) or last in node:
            problems.append(f"{key}: both a value and a structure")
        else:
            node[last] = text
    return tree


def _read(shape: Shape | None, node: Any, where: str, problems: list[str]) -> Any:
    """The value at `node`, read as `shape`; None, with a problem, when it cannot be read so."""
    if shape is None:
        shape = Shape("Empty", {"type": "structure", "members": {}})
    nested = shape.type_name in ("structure", "list")
    if nested != isinstance(node, dict):
        problems.append(f"{where}: {'a structure or list' if nested else 'one value'} is expected")
        return None
    if shape.type_name == "structure":
        return _structure(shape, node, where, problems)
    if shape.type_name == "list":
        return _list(shape, node, where, problems)
    try:
        return scalar(shape, node)
    except ValueError as error:
        problems.append(f"{where}: {error}")
        return None


def _structure(shape: Shape, node: dict, where: str, problems: list[str]) -> dict:
    members = {wire_name(name, member): name for name, member in getattr(shape, "members", {}).items()}
    value = {}
    for key, child in node.items():
        if key not in members:
            problems.append(f"{where}: {key} is no parameter of {shape.name}")
            continue
        name = members[key]
        value[name] = _read(shape.members[name], child, f"{where}.{name}", problems)
    return {name: member for name, member in value.items() if member is not None}


def _list(shape: Shape, node: dict, where: str, problems: list[str]) -> list:
    expected = [str(number) for number in range(1, len(node) + 1)]
    if sorted(node, key=lambda key: (len(key), key)) != expected:
        problems.append(f"{where}: the places {', '.join(node)} are not 1 to {len(node)}")
        return []
    values = [_read(shape.member, node[key], f"{where}[{key}]", problems) for key in expected]
    return [value for value in values if value is not None]


def wire_name(name: str, member: Shape) -> str:
    """What a member is called on the wire: its queryName, else its capitalised locationName, else its name."""
    if "queryName" in member.serialization:
        return member.serialization["queryName"]
    location = member.serialization.get("name")
    return location[0].upper() + location[1:] if location else name
