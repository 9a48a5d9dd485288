"""Whether a value keeps what its shape in a service model says: members, types, lengths, ranges, patterns, enums."""

import base64
import binascii
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import regex
from botocore.model import Shape

TYPES = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "character": str,
    "blob": bytes,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "timestamp": (datetime, str, int, float),
}


def check(shape: Shape, value: Any, where: str) -> Iterator[str]:
    """What is wrong with `value`, which stands at `where`; nothing when all is well."""
    kind = shape.type_name
    if not _is(kind, value):
        yield f"{where}: {_short(value)} is no {kind}"
        return
    deeper = {"structure": _structure, "list": _list, "map": _map}.get(kind)
    if deeper:
        yield from deeper(shape, value, where)
    yield from _measure(shape, value, where)
    if kind == "string":
        yield from _text(shape, value, where)


def scalar(shape: Shape, text: str) -> Any:
    """The value that `text` stands for, where all travels as text. Raises ValueError when it stands for none."""
    kind = shape.type_name
    if kind == "boolean":
        if text not in ("true", "false"):
            raise ValueError(f"{_short(text)} is neither true nor false")
        return text == "true"
    if kind in ("integer", "long"):
        return int(text)
    if kind in ("float", "double"):
        return float(text)
    if kind == "blob":
        return decode_blob(text)
    return text


def decode_blob(text: str) -> bytes:
    """The bytes of a blob that travels as Base64. Raises ValueError."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"{_short(text)} is no Base64") from error


def _is(kind: str, value: Any) -> bool:
    # In Python, a bool is an int too.
    return isinstance(value, TYPES[kind]) and not (isinstance(value, bool) and kind != "boolean")


def _structure(shape: Shape, value: dict, where: str) -> Iterator[str]:
    for name in shape.required_members:
        if name not in value:
            yield f"{where}: the required member {name} is missing"
    for name, member in value.items():
        if name in shape.members:
            yield from check(shape.members[name], member, f"{where}.{name}")
        else:
            yield f"{where}: {name} is no member of {shape.name}"


def _list(shape: Shape, value: list, where: str) -> Iterator[str]:
    for place, member in enumerate(value, 1):
        yield from check(shape.member, member, f"{where}[{place}]")


def _map(shape: Shape, value: dict, where: str) -> Iterator[str]:
    for key, member in value.items():
        yield from check(shape.key, key, f"{where} key")
        yield from check(shape.value, member, f"{where}[{key}]")


def _measure(shape: Shape, value: Any, where: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    counted = isinstance(value, (str, bytes, list, dict))
    size = len(value) if counted else value
    what = "has length" if counted else "is"
    if low is not None and size < low:
        yield f"{where}: {what} {size}, at least {low} is allowed"
    if high is not None and size > high:
        yield f"{where}: {what} {size}, at most {high} is allowed"


def _text(shape: Shape, value: str, where: str) -> Iterator[str]:
    pattern, enum = shape.metadata.get("pattern"), shape.metadata.get("enum")
    if pattern and not regex.search(pattern, value):
        yield f"{where}: {_short(value)} does not match {pattern}"
    if enum and value not in enum:
        yield f"{where}: {_short(value)} is none of the values of {shape.name}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
