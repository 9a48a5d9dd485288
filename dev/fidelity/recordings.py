"""Reads recorded requests: JSON lines, one request each. Knows nothing of what they mean."""

import base64
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


# The relay cuts answers off here.
ANSWER_AT_MOST = 16 * 1024


@dataclass(frozen=True)
class Recorded:
    """One request and its answer, as they went over the wire."""

    place: str  # file and line
    service: str  # ec2, sqs, s3, …
    program: str  # who sent it: the application name in its user agent
    method: str
    path: str  # as sent: percent-encoded
    query: str  # as sent, without the question mark
    headers: dict[str, str] = field(default_factory=dict)  # names in lower case
    body: bytes | None = b""  # None: there was one that was not kept, or not all of it
    status: int | None = 200  # None: no answer came
    answer: bytes | None = None  # None: none came, or it was not kept whole

    def __str__(self) -> str:
        query = f"?{self.query}" if self.query else ""
        return f"{self.program} {self.service} {self.method} {self.path}{query} ({self.place})"


class BadRecording(Exception):
    """A line that is no recorded request: where, and what is wrong with it."""


def files(paths: list[Path]) -> list[Path]:
    """The recordings among `paths`, each a file or a folder of *.jsonl files."""
    found = [sorted(path.glob("*.jsonl")) if path.is_dir() else [path] for path in paths]
    return [file for files in found for file in files]


def load(paths: list[Path]) -> Iterator[Recorded]:
    """All requests of all files, in the order of the files. Raises BadRecording."""
    for path in files(paths):
        yield from _file(path)


def _file(path: Path) -> Iterator[Recorded]:
    # Not splitlines(): an answer may hold what Python, but not JSON lines, takes for the end of a line.
    *lines, unfinished = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, 1):
        place = f"{path.parent.name}/{path.name}:{number}"
        try:
            yield request(place, json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadRecording(f"{place}: not a recorded request: {error!r}") from error
    if unfinished:
        yield from _unfinished(path, unfinished)


def _unfinished(path: Path, line: str) -> Iterator[Recorded]:
    """A stack that was ended in the middle of a line is no fault of the recording."""
    with contextlib.suppress(ValueError):
        yield request(f"{path.parent.name}/{path.name}: last line", json.loads(line))


def request(place: str, entry: dict) -> Recorded:
    """The request of one entry. Raises KeyError, ValueError or TypeError when something is missing or wrong."""
    return Recorded(
        place=place,
        service=entry["service"],
        program=entry.get("program") or "unknown",
        method=entry["method"].upper(),
        path=entry["path"],
        query=(entry.get("query") or "").removeprefix("?"),
        headers={name.lower(): str(value) for name, value in (entry.get("headers") or {}).items()},
        body=_body(entry),
        status=entry.get("status"),
        answer=_answer(entry.get("answer")),
    )


def _answer(text: str | None) -> bytes | None:
    answer = None if text is None else text.encode()
    return answer if answer is None or len(answer) < ANSWER_AT_MOST else None


def _body(entry: dict) -> bytes | None:
    body = b""
    if entry.get("bodyBase64"):
        body = base64.b64decode(entry["bodyBase64"], validate=True)
    elif entry.get("body"):
        body = entry["body"].encode()
    return body if len(body) >= int(entry.get("bodyLength") or 0) else None
