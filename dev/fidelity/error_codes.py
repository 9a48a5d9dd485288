"""Whether docs/aws-errors.md speaks of every error code that the service models list for the calls that we make."""

import re
from collections.abc import Iterable
from pathlib import Path

from . import models
from .decode import Call

HEADING = re.compile(r"^### (?P<service>SQS|S3) (?P<operation>\w+)", re.MULTILINE)
CODE = re.compile(r"^\| `(?P<code>[\w.]+)`", re.MULTILINE)


def check(path: Path) -> list[str]:
    """What is missing in the document, or stands there twice."""
    document = path.read_text(encoding="utf-8")
    headings = list(HEADING.finditer(document))
    problems = [] if headings else [f"{path.name} has no headings such as `### SQS SendMessage`"]
    common = {service: _codes(document, f"## {service}: every call") for service in ("SQS", "S3")}
    for place, heading in enumerate(headings):
        end = headings[place + 1].start() if place + 1 < len(headings) else len(document)
        section = re.split(r"^## ", document[heading.end() : end], flags=re.MULTILINE)[0]
        listed = CODE.findall(section) + common[heading["service"]]
        problems += _section(heading["service"].lower(), heading["operation"], listed)
    return problems


def _codes(document: str, heading: str) -> list[str]:
    _, found, rest = document.partition(f"\n{heading}")
    return CODE.findall(re.split(r"^##", rest, flags=re.MULTILINE)[0]) if found else []


def _section(service: str, name: str, listed: list[str]) -> list[str]:
    operation = models.operation(service, name)
    if operation is None:
        return [f"{service} has no operation {name}"]
    modelled = [shape.name for shape in operation.error_shapes]
    missing = [f"{service} {name}: {code} is missing" for code in modelled if code not in listed]
    twice = [f"{service} {name}: {code} stands there twice" for code in sorted(set(listed)) if listed.count(code) > 1]
    return missing + twice


def covers(path: Path, calls: Iterable[Call]) -> list[str]:
    """Which of the calls that our programs made the document says nothing of."""
    written = {(heading["service"].lower(), heading["operation"]) for heading in HEADING.finditer(path.read_text(encoding="utf-8"))}
    ours = {(call.service, call.name) for call in calls if call.recorded.program.startswith("classifierfleet-")}
    missing = sorted((service, name) for service, name in ours if service in ("sqs", "s3") and (service, name) not in written)
    return [f"{path.name} says nothing of {service} {name}, which our programs call" for service, name in missing]
