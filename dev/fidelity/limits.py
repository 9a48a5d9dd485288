"""Limits that AWS documents in prose and not in its service models: user guides and API references of EC2, SQS and S3."""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from .decode import Call

Rule = Callable[[dict], Iterator[str]]

USER_DATA_BYTES = 16 * 1024
MESSAGE_BYTES = 1024 * 1024
METADATA_BYTES = 2 * 1024
SQS_NUMBERS = {  # seconds, but for the last two; (least, most)
    "DelaySeconds": (0, 900),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, 43_200),
    "WaitTimeSeconds": (0, 20),
    "MaxNumberOfMessages": (1, 10),
    "MaximumMessageSize": (1024, MESSAGE_BYTES),
}
QUEUE_NAME = re.compile(r"^(?=.{1,80}$)[A-Za-z0-9_-]+(\.fifo)?$")
BATCH_ID = re.compile(r"^[A-Za-z0-9_-]{1,80}$")
FIFO_ID = re.compile(r"""^[A-Za-z0-9!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}$""")
BUCKET = re.compile(r"^(?!xn--)(?!.*\.\.)(?!.*(-s3alias|--ol-s3)$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
METADATA_TAG_KEY = re.compile(r"^[A-Za-z0-9+\-=.,_:@]{1,255}$")


def check(call: Call) -> Iterator[str]:
    """What of `call` AWS would refuse although its model allows it."""
    for rule in RULES.get(call.service, []):
        yield from rule(call.params)
    for rule in RULES.get(f"{call.service}.{call.name}", []):
        yield from rule(call.params)


def _client_token(params: dict) -> Iterator[str]:
    token = params.get("ClientToken")
    if token is not None and not (1 <= len(token) <= 64 and token.isascii()):
        yield f"ClientToken {token!r}: 1 to 64 ASCII characters are allowed"


def _tag_specifications(params: dict) -> Iterator[str]:
    data = params.get("LaunchTemplateData", {})
    specifications = params.get("TagSpecifications", []) + data.get("TagSpecifications", [])
    for specification in specifications:
        if "ResourceType" not in specification:
            yield "TagSpecification: without a ResourceType nothing is tagged"
        yield from _tags({"Tags": specification.get("Tags", [])})


def _tags(params: dict) -> Iterator[str]:
    tags = params.get("Tags", [])
    keys = [tag.get("Key", "") for tag in tags]
    if len(tags) > 50:
        yield f"{len(tags)} tags: a resource has at most 50"
    if len(set(keys)) != len(keys):
        yield f"a tag key stands there twice: {', '.join(keys)}"
    for key, value in ((tag.get("Key", ""), tag.get("Value", "")) for tag in tags):
        if not 1 <= len(key) <= 128 or key.lower().startswith("aws:"):
            yield f"tag key {key!r}: 1 to 128 characters that do not begin with aws:"
        if key.startswith("classifierfleet:") and not METADATA_TAG_KEY.match(key):
            yield f"tag key {key!r}: instance metadata serves letters, digits and + - = . , _ : @ alone"
        if len(value) > 256:
            yield f"the value of the tag {key} has {len(value)} characters, at most 256 are allowed"


def _user_data(params: dict) -> Iterator[str]:
    text = params.get("UserData") or params.get("LaunchTemplateData", {}).get("UserData")
    if text is None:
        return
    try:
        size = len(base64.b64decode(text, validate=True))
    except binascii.Error:
        yield "UserData is no Base64"
        return
    if size > USER_DATA_BYTES:
        yield f"UserData has {size} bytes decoded, at most {USER_DATA_BYTES} are allowed"


def _template_name(params: dict) -> Iterator[str]:
    name = params.get("LaunchTemplateName", "")
    if not re.match(r"^[a-zA-Z0-9().\-/_]{3,128}$", name):
        yield f"LaunchTemplateName {name!r}: 3 to 128 letters, digits and ( ) . - / _"


def _counts(params: dict) -> Iterator[str]:
    least, most = params.get("MinCount", 0), params.get("MaxCount", 0)
    if not 1 <= least <= most:
        yield f"MinCount {least} and MaxCount {most}: 1 <= MinCount <= MaxCount"


def _page(params: dict) -> Iterator[str]:
    size = params.get("MaxResults")
    if size is not None and not 5 <= size <= 1000:
        yield f"MaxResults {size}: 5 to 1000 are allowed"
    if size is not None and params.get("InstanceIds"):
        yield "MaxResults and InstanceIds exclude each other"


def _filters(params: dict) -> Iterator[str]:
    for one in params.get("Filters", []):
        if not one.get("Name") or not 1 <= len(one.get("Values", [])) <= 200:
            yield f"Filter {one}: a name and 1 to 200 values"


def _numbers(params: dict) -> Iterator[str]:
    given = {**params, **params.get("Attributes", {})}
    for name, (least, most) in SQS_NUMBERS.items():
        if name in given and not (re.fullmatch(r"\d+", str(given[name])) and least <= int(given[name]) <= most):
            yield f"{name} {given[name]!r}: {least} to {most} are allowed"


def _queue_name(params: dict) -> Iterator[str]:
    if not QUEUE_NAME.match(params.get("QueueName", "")):
        yield f"QueueName {params.get('QueueName')!r}: 1 to 80 letters, digits, - and _, and .fifo where it is FIFO"


def _redrive(params: dict) -> Iterator[str]:
    text = params.get("Attributes", {}).get("RedrivePolicy")
    if not text:
        return
    try:
        policy = json.loads(text)
        good = policy["deadLetterTargetArn"].startswith("arn:aws") and 1 <= int(policy["maxReceiveCount"]) <= 1000
    except (ValueError, KeyError, TypeError, AttributeError):
        good = False
    if not good:
        yield f"RedrivePolicy {text}: JSON with a deadLetterTargetArn and a maxReceiveCount of 1 to 1000"


def _batch(params: dict) -> Iterator[str]:
    entries = params.get("Entries", [])
    ids = [entry.get("Id", "") for entry in entries]
    if not 1 <= len(entries) <= 10:
        yield f"{len(entries)} entries: a batch has 1 to 10"
    if len(set(ids)) != len(ids):
        yield f"the ids of a batch are not distinct: {', '.join(ids)}"
    if not all(BATCH_ID.match(one) for one in ids):
        yield f"the ids of a batch are 1 to 80 letters, digits, - and _: {', '.join(ids)}"
    yield from _messages(params, entries)


def _message(params: dict) -> Iterator[str]:
    yield from _messages(params, [params])


def _messages(params: dict, messages: list[dict]) -> Iterator[str]:
    bodies = [message["MessageBody"] for message in messages if "MessageBody" in message]
    size = sum(len(body.encode()) for body in bodies)
    if size > MESSAGE_BYTES:
        yield f"the messages of one request have {size} bytes, at most {MESSAGE_BYTES} are allowed"
    if "" in bodies:
        yield "a message body is empty"
    fifo = params.get("QueueUrl", "").endswith(".fifo")
    for message in messages if bodies else []:
        if fifo and "MessageGroupId" not in message:
            yield "a message to a FIFO queue needs a MessageGroupId"
        for name in ("MessageGroupId", "MessageDeduplicationId"):
            if name in message and not FIFO_ID.match(message[name]):
                yield f"{name} {message[name]!r}: 1 to 128 letters, digits and punctuation"


def _bucket(params: dict) -> Iterator[str]:
    name = params.get("Bucket", "")
    if not BUCKET.match(name) or re.fullmatch(r"\d+\.\d+\.\d+\.\d+", name):
        yield f"Bucket {name!r}: 3 to 63 small letters, digits, . and -"


def _object(params: dict) -> Iterator[str]:
    if len(params.get("Key", "").encode()) > 1024:
        yield f"Key has {len(params['Key'].encode())} bytes, at most 1024 are allowed"
    metadata: dict[str, Any] = params.get("Metadata", {})
    size = sum(len(name) + len(value.encode()) for name, value in metadata.items())
    if size > METADATA_BYTES:
        yield f"the metadata has {size} bytes, at most {METADATA_BYTES} are allowed"
    if not all(value.isascii() for value in metadata.values()):
        yield "metadata travels as headers: ASCII alone"


RULES: dict[str, list[Rule]] = {
    "ec2": [_client_token, _tag_specifications, _user_data, _page, _filters],
    "ec2.CreateTags": [_tags],
    "ec2.RunInstances": [_counts],
    "ec2.CreateLaunchTemplate": [_template_name],
    "sqs": [_numbers, _redrive],
    "sqs.CreateQueue": [_queue_name],
    "sqs.SendMessage": [_message],
    "sqs.SendMessageBatch": [_batch],
    "sqs.DeleteMessageBatch": [_batch],
    "sqs.ChangeMessageVisibilityBatch": [_batch],
    "s3": [_bucket, _object],
}
