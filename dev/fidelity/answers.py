"""Whether an answer can be one of AWS: botocore's parsers read it, an error has a code, and EC2 knows each of its elements."""

from collections.abc import Iterator
from xml.etree import ElementTree

from botocore.model import Shape
from botocore.parsers import ResponseParserError, create_parser

from . import models
from .decode import Call

ENVELOPE = {"requestId"}
# What a relay says when the server behind it is gone.
NOT_AWS = (502, 504)


def check(call: Call) -> Iterator[str]:
    """What is wrong with the answer to `call`; nothing where it was not kept."""
    recorded = call.recorded
    not_kept = recorded.status is None or recorded.answer is None
    if not_kept or recorded.status in NOT_AWS or recorded.method == "HEAD":
        return
    if call.operation.has_streaming_output and recorded.status < 300:
        return
    protocol = models.service(call.service).protocol
    answer = {"status_code": recorded.status, "headers": {}, "body": recorded.answer}
    try:
        parsed = create_parser(protocol).parse(answer, call.operation.output_shape)
    except (ResponseParserError, ValueError, KeyError, TypeError) as error:
        yield f"the answer (status {recorded.status}) cannot be read: {error}"
        return
    if recorded.status >= 300:
        if not parsed.get("Error", {}).get("Code"):
            yield f"the answer has status {recorded.status} and no error code"
    elif protocol == "ec2":
        yield from _elements(call, recorded.answer)


def _elements(call: Call, document: bytes) -> Iterator[str]:
    root = ElementTree.fromstring(document)
    name = _plain(root)
    if name != f"{call.name}Response":
        yield f"the answer begins with {name}, not with {call.name}Response"
    yield from _structure(call.operation.output_shape, root, name, ENVELOPE)


def _structure(shape: Shape | None, element: ElementTree.Element, where: str, extra: set[str] = frozenset()) -> Iterator[str]:
    members = {member.serialization.get("name", name): member for name, member in shape.members.items()} if shape else {}
    # Operations that only succeed or fail answer with `return`, which the model leaves out.
    known = extra | ({"return"} if not members else set())
    for child in element:
        name = _plain(child)
        if name in members:
            yield from _value(members[name], child, f"{where}.{name}")
        elif name not in known:
            yield f"the answer has {where}.{name}, which EC2 does not have"


def _value(shape: Shape, element: ElementTree.Element, where: str) -> Iterator[str]:
    if shape.type_name == "structure":
        yield from _structure(shape, element, where)
    elif shape.type_name == "list":
        item = shape.member.serialization.get("name", "member")
        for child in element:
            if _plain(child) == item:
                yield from _value(shape.member, child, f"{where}.{item}")
            else:
                yield f"the answer has {where}.{_plain(child)}, which EC2 does not have"


def _plain(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
