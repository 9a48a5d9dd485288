"""Whether an IAM policy allows something, as IAM decides it, as far as our policies go."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .actions import Need

# What IAM knows of the resource and a request does not tell.
UNSEEN = ("ec2:ResourceTag/", "aws:ResourceTag/", "aws:RequestTag/", "ec2:SourceInstanceARN", "aws:PrincipalArn")


class Unsupported(Exception):
    """A policy says something that is not understood here."""


@dataclass(frozen=True)
class Grant:
    """An action in a statement."""

    sid: str
    action: str


@dataclass(frozen=True)
class Policy:
    """An identity policy that only allows."""

    statements: list[dict]

    @classmethod
    def read(cls, path: Path) -> "Policy":
        """The policy in a file. Raises Unsupported for Deny, NotAction and NotResource."""
        statements = json.loads(path.read_text())["Statement"]
        for statement in statements:
            if statement.get("Effect") != "Allow" or not {"Sid", "Action", "Resource"} <= set(statement):
                raise Unsupported(f"{path.name}: {statement.get('Sid')}: only Allow with Sid, Action and Resource is understood")
            if any("*" in action for action in _list(statement["Action"])):
                raise Unsupported(f"{path.name}: {statement['Sid']}: name each action instead of a wildcard")
        return cls(statements)

    def grants(self) -> set[Grant]:
        """All that the policy grants."""
        return {Grant(statement["Sid"], action) for statement in self.statements for action in _list(statement["Action"])}

    def allowing(self, need: Need) -> Iterator[Grant]:
        """What of the policy allows `need`; nothing when it is refused."""
        for statement in self.statements:
            for action in _list(statement["Action"]):
                if action.lower() == need.action.lower() and _resource(statement, need) and _conditions(statement, need.context):
                    yield Grant(statement["Sid"], action)


def _list(value: Any) -> list:
    return value if isinstance(value, list) else [value]


def _resource(statement: dict, need: Need) -> bool:
    # `*` is what calls without resources have: only `*` allows them.
    return any(pattern == "*" if need.resource == "*" else like(pattern, need.resource) for pattern in _list(statement["Resource"]))


def like(pattern: str, text: str) -> bool:
    """IAM's wildcards: * for any characters, ? for one."""
    parts = [{"*": ".*", "?": "."}.get(part, re.escape(part)) for part in re.split(r"([*?])", pattern)]
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def _conditions(statement: dict, context: dict[str, Any]) -> bool:
    for operator, keys in statement.get("Condition", {}).items():
        for key, values in keys.items():
            if not _condition(operator, key, _list(values), context):
                return False
    return True


def _condition(operator: str, key: str, values: list, context: dict[str, Any]) -> bool:
    if key.startswith(UNSEEN):
        return True
    given = context.get(key)
    if operator == "Null":
        return (given is None) == (values == ["true"])
    scope, _, test = operator.rpartition(":")
    optional = test.endswith("IfExists")
    compare = {"StringEquals": str.__eq__, "StringLike": lambda text, pattern: like(pattern, text)}.get(test.removesuffix("IfExists"))
    if compare is None:
        raise Unsupported(f"the condition operator {operator}")
    if given is None:
        return optional or scope == "ForAllValues"
    matches = [any(compare(str(one), value) for value in values) for one in _list(given)]
    return all(matches) if scope == "ForAllValues" else any(matches)
