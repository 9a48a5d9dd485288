"""Whether the published policies cover exactly the calls that were seen: all of them, and nothing besides."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .actions import Need, Templates, UnknownCall, needs
from .decode import Call
from .policies import Grant, Policy

FOLDER = Path(__file__).resolve().parents[2] / "docs/iam"
POLICIES = {name: FOLDER / f"{name}.json" for name in ("operator", "gateway", "worker")}

# What need not show in a run: the policy, the action, and why it stands there all the same.
EXCUSED = {
    ("operator", "iam:CreateServiceLinkedRole"): "EC2 asks for it within the first spot launch of an account; no call of ours names it",
    ("operator", "ssm:GetParameters"): "EC2 asks for it when it resolves workers.template.imageParameter for us",
    ("operator", "sqs:SetQueueAttributes"): "only when queue settings are changed in place",
    ("operator", "sqs:DeleteQueue"): "only with deletion.queues: Delete",
    ("operator", "sqs:ListQueues"): "only with deletion.queues: Delete",
    ("operator", "s3:ListBucket"): "only for a bucket whose lifecycle cannot be read",
    ("operator", "s3:GetBucketTagging"): "only for a bucket that exists already, to see whose it is",
    ("operator", "s3:PutBucketTagging"): "only where a bucket cannot be tagged as it is made",
    ("operator", "s3:ListBucketVersions"): "only with deletion.buckets: Delete",
    ("operator", "s3:DeleteObjectVersion"): "only with deletion.buckets: Delete",
    ("operator", "s3:PutLifecycleConfiguration"): "only with storage.retentionDays",
    ("operator", "s3:DeleteObject"): "only with deletion.buckets: Delete",
    ("operator", "s3:DeleteBucket"): "only with deletion.buckets: Delete",
    ("gateway", "s3:DeleteObject"): "only when a client deletes an image, or SQS does not take its job",
    ("gateway", "s3:GetObject"): "of images: only when a client asks for one, or sends an Idempotency-Key again",
    ("gateway", "s3:PutObject"): "of results: only with gateway.resultCache",
    ("worker", "ec2:DescribeInstances"): "only on instance types whose metadata does not show changed tags",
    ("worker", "s3:ListBucket"): "only for an image that is gone: without it, S3 would say 403 instead of 404",
    ("worker", "sqs:ChangeMessageVisibility"): "only for long jobs, failures and drains",
}


@dataclass
class Outcome:
    """What was compared, and what does not fit."""

    used: Counter = field(default_factory=Counter)  # by (program, grant)
    problems: Counter = field(default_factory=Counter)
    others: Counter = field(default_factory=Counter)  # calls of programs that have no policy
    excused: int = 0  # grants that were not used, and need not be


def check(calls: Iterable[Call], policies: dict[str, Path] = POLICIES, excused: dict = EXCUSED) -> Outcome:
    """Compares the calls of each program with its policy."""
    read = {name: Policy.read(path) for name, path in policies.items()}
    outcome, templates = Outcome(), Templates()
    for call in calls:
        templates.learn(call)
        program = call.recorded.program.removeprefix("classifierfleet-")
        if program in read:
            _covered(outcome, program, read[program], call, templates)
        else:
            outcome.others[call.recorded.program] += 1
    for program, policy in read.items():
        _exactly(outcome, program, policy, excused)
    return outcome


def _covered(outcome: Outcome, program: str, policy: Policy, call: Call, templates: Templates) -> None:
    try:
        wanted = needs(call, templates)
    except UnknownCall as error:
        outcome.problems[f"{program}: {call.service} {error}: which IAM action is that? Say it in actions.py"] += 1
        return
    for need in wanted:
        grants = list(policy.allowing(as_published(need)))
        for grant in grants:
            outcome.used[program, grant] += 1
        if not grants:
            outcome.problems[f"{program}: {call.name} needs {as_published(need)}, which docs/iam/{program}.json does not allow"] += 1


# How the names of a fleet's queues and buckets end, for the fleet that the policies are published for.
ENDS = ("-requests-dead", "-requests", "-dead", "-responses", "-in", "-out", "-models")


def as_published(need: Need) -> Need:
    """The same for the fleet that the policies are published for: tests name other fleets' queues, buckets and parameters
    otherwise, and FIFO queues end with .fifo."""
    start, name = re.match(r"(arn:aws:(?:sqs|s3|ssm):[^:]*:[^:]*:(?:parameter/)?)?(.*)", need.resource, re.DOTALL).groups()
    if start and start.startswith("arn:aws:ssm") and not name.startswith("classifierfleet/"):
        return Need(need.action, f"{start}classifierfleet/{name}", need.context)
    bucket, slash, key = name.partition("/")
    end = next((end for end in ENDS if end in bucket), None)
    if not start or end is None:
        return need
    bucket = bucket.removesuffix(".fifo")
    return Need(need.action, f"{start}imagenet{bucket[bucket.index(end):]}{slash}{key}", need.context)


def _exactly(outcome: Outcome, program: str, policy: Policy, excused: dict) -> None:
    used = {grant for name, grant in outcome.used if name == program}
    for grant in sorted(policy.grants() - used, key=lambda grant: (grant.sid, grant.action)):
        if (program, grant.action) in excused:
            outcome.excused += 1
        else:
            outcome.problems[f"docs/iam/{program}.json allows {grant.action} ({grant.sid}), which no recorded call used"] += 1
    names = {grant.action for grant in policy.grants()}
    for name, action in excused:
        if name == program and action not in names:
            outcome.problems[f"{action} is excused for {program} in permissions.py, but its policy does not allow it"] += 1


def text(outcome: Outcome) -> str:
    """The outcome for people: how often each grant was used, and what does not fit."""
    lines = [f"{count:>7}  {program} {grant.action} ({grant.sid})" for (program, grant), count in sorted(outcome.used.items(), key=_place)]
    lines += [f"{count:>7}  calls of {program}, which has no policy" for program, count in sorted(outcome.others.items())]
    lines.append(f"{len(outcome.used)} permissions used, {outcome.excused} excused, {len(outcome.problems)} problems")
    lines += [f"{problem} ({count} times)" for problem, count in sorted(outcome.problems.items())]
    return "\n".join(lines)


def _place(entry: tuple[tuple[str, Grant], int]) -> tuple[str, str, str]:
    (program, grant), _ = entry
    return program, grant.sid, grant.action
