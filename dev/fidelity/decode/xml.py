"""An XML document read as a shape of the rest-xml protocol."""

from typing import Any
from xml.etree import ElementTree

from botocore.model import Shape

from ..shapes import scalar


def read(shape: Shape, document: bytes, problems: list[str]) -> Any:
    """The value of `document`, by the names of the model; what does not fit becomes a problem."""
    try:
        root = ElementTree.fromstring(document)
    except ElementTree.ParseError as error:
        problems.append(f"the body is no XML: {error}")
        return None
    expected, namespace = shape.serialization.get("name", shape.name), shape.serialization.get("xmlNamespace", {}).get("uri")
    if _plain(root) != expected or (namespace and not root.tag.startswith(f"{{{namespace}}}")):
        problems.append(f"the body begins with {root.tag}, not with {expected} of {namespace}")
    return _read(shape, root, expected, problems)


def _plain(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _read(shape: Shape, element: ElementTree.Element, where: str, problems: list[str]) -> Any:
    if shape.type_name == "structure":
        return _structure(shape, element, where, problems)
    if shape.type_name == "list":
        return _items(shape, list(element), where, problems)
    try:
        return scalar(shape, element.text or "")
    except ValueError as error:
        problems.append(f"{where}: {error}")
        return None


def _items(shape: Shape, elements: list[ElementTree.Element], where: str, problems: list[str]) -> list:
    return [_read(shape.member, element, f"{where}[{place}]", problems) for place, element in enumerate(elements, 1)]


def _structure(shape: Shape, element: ElementTree.Element, where: str, problems: list[str]) -> dict:
    members = {_name(name, member): (name, member) for name, member in shape.members.items()}
    value: dict = {}
    for child in element:
        if _plain(child) not in members:
            problems.append(f"{where}: {_plain(child)} is no element of {shape.name}")
            continue
        name, member = members[_plain(child)]
        if member.type_name == "list" and member.serialization.get("flattened"):
            value.setdefault(name, []).extend(_items(member, [child], f"{where}.{name}", problems))
        else:
            value[name] = _read(member, child, f"{where}.{name}", problems)
    return value


def _name(name: str, member: Shape) -> str:
    """A flattened list is called as its items are, where they have a name of their own."""
    if member.type_name == "list" and member.serialization.get("flattened"):
        return member.member.serialization.get("name") or member.serialization.get("name", name)
    return member.serialization.get("name", name)
