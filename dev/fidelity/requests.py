"""Checks every recorded request against AWS's service models, and what is wrong is told with the request."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from . import answers, limits, shapes
from .decode import Call, Undecodable, decode
from .recordings import Recorded

# The stand-ins' own paths, which no AWS service has.
OWN_PATHS = ("/_", "/moto-api")


@dataclass
class Report:
    """What was checked, and what is wrong."""

    calls: Counter = field(default_factory=Counter)  # by (service, operation)
    calls_understood: list[Call] = field(default_factory=list)
    violations: Counter = field(default_factory=Counter)  # the sentence: how often
    examples: dict[str, Recorded] = field(default_factory=dict)  # the first request of each

    def add(self, recorded: Recorded, name: str, problem: str) -> None:
        """One more violation, of one request."""
        sentence = f"{recorded.program}: {recorded.service} {name}: {problem}"
        self.violations[sentence] += 1
        self.examples.setdefault(sentence, recorded)


def check(requests: Iterable[Recorded]) -> Report:
    """Checks all of `requests`."""
    report = Report()
    for recorded in requests:
        if recorded.path.startswith(OWN_PATHS):
            continue
        try:
            call = decode(recorded)
        except Undecodable as error:
            report.calls[recorded.service, "?"] += 1
            report.add(recorded, "?", str(error))
            continue
        report.calls[call.service, call.name] += 1
        report.calls_understood.append(call)
        for problem in problems(call):
            report.add(recorded, call.name, problem)
    return report


def problems(call: Call) -> list[str]:
    """All that is wrong with one request and its answer."""
    found = list(call.problems)
    if call.operation.input_shape:
        found += shapes.check(call.operation.input_shape, call.params, call.name)
    # What has another type than it should cannot be measured.
    if not found:
        found += limits.check(call)
    return found + list(answers.check(call))


def text(report: Report) -> str:
    """The report for people: how often each operation was seen, and each violation with its first request."""
    lines = [f"{count:>7}  {service} {name}" for (service, name), count in sorted(report.calls.items())]
    lines.append(f"{sum(report.calls.values())} requests, {len(report.calls)} operations, {sum(report.violations.values())} violations")
    for sentence, count in report.violations.most_common():
        lines += ["", f"{sentence} ({count} times)", *_example(report.examples[sentence])]
    return "\n".join(lines)


def _example(recorded: Recorded, most: int = 2000) -> list[str]:
    body = "(not kept)" if recorded.body is None else recorded.body.decode(errors="replace")
    answer = "(not kept)" if recorded.answer is None else recorded.answer.decode(errors="replace")
    return [f"    {recorded}", f"    request: {body[:most]}", f"    answer {recorded.status}: {answer[:most]}"]
