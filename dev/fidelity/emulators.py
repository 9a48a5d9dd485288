"""What a stand-in for SQS or S3 can do of what our programs ask: each check a call of ours, and what AWS answers to it."""

import time
import uuid
from collections.abc import Callable

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

REGION = "us-east-1"
CHECKS: dict[str, list[Callable]] = {"sqs": [], "s3": []}


def client(service: str, url: str):
    """A client of the stand-in at `url`."""
    config = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}, read_timeout=30)
    return boto3.client(
        service, endpoint_url=url, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test", config=config
    )


def run(service: str, url: str) -> list[tuple[str, str]]:
    """Each check by its name, with what is wrong; an empty text where all is as AWS has it."""
    aws = client(service, url)
    return [(check.__name__.replace("_", " "), _outcome(check, aws)) for check in CHECKS[service]]


def _outcome(check: Callable, aws) -> str:
    try:
        check(aws, f"fidelity-{uuid.uuid4().hex[:12]}")
    except Exception as error:  # whatever a stand-in answers is a result, not a failure of ours
        return f"{type(error).__name__}: {error}"[:160]
    return ""


def _sqs(check: Callable) -> Callable:
    CHECKS["sqs"].append(check)
    return check


def _s3(check: Callable) -> Callable:
    CHECKS["s3"].append(check)
    return check


def _code(code: str, call: Callable, **params) -> None:
    try:
        call(**params)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, f"{error.response['Error']['Code']} instead of {code}"
    else:
        raise AssertionError(f"no {code}")


def _queue(aws, name: str, **attributes: str) -> str:
    return aws.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]


@_sqs
def a_missing_queue_is_named_so(aws, name):
    _code("AWS.SimpleQueueService.NonExistentQueue", aws.get_queue_url, QueueName=name)


@_sqs
def the_same_queue_is_made_twice(aws, name):
    assert _queue(aws, name, VisibilityTimeout="60") == _queue(aws, name, VisibilityTimeout="60")
    _code("QueueAlreadyExists", aws.create_queue, QueueName=name, Attributes={"VisibilityTimeout": "61"})


@_sqs
def tags_are_kept(aws, name):
    url = aws.create_queue(QueueName=name, tags={"classifierfleet:uid": "u"})["QueueUrl"]
    aws.tag_queue(QueueUrl=url, Tags={"classifierfleet:name": "n"})
    assert aws.list_queue_tags(QueueUrl=url).get("Tags") == {"classifierfleet:uid": "u", "classifierfleet:name": "n"}


@_sqs
def attributes_are_changed_in_place(aws, name):
    url = _queue(aws, name, VisibilityTimeout="60")
    aws.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "61"})
    assert aws.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["VisibilityTimeout"] == "61"


@_sqs
def a_wrong_attribute_is_refused(aws, name):
    _code("InvalidAttributeValue", aws.create_queue, QueueName=name, Attributes={"VisibilityTimeout": "50000"})


@_sqs
def the_counters_count(aws, name):
    url = _queue(aws, name)
    aws.send_message_batch(QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": "x"} for n in range(3)])
    aws.send_message(QueueUrl=url, MessageBody="x", DelaySeconds=60)
    aws.receive_message(QueueUrl=url)
    names = ["", "NotVisible", "Delayed"]
    answer = aws.get_queue_attributes(QueueUrl=url, AttributeNames=[f"ApproximateNumberOfMessages{name}" for name in names])
    counted = [answer["Attributes"][f"ApproximateNumberOfMessages{name}"] for name in names]
    assert counted == ["2", "1", "1"], counted


@_sqs
def a_long_poll_hears_what_comes(aws, name):
    url = _queue(aws, name)
    begun = time.monotonic()
    assert not aws.receive_message(QueueUrl=url, WaitTimeSeconds=2).get("Messages")
    assert time.monotonic() - begun >= 1.5, "the poll did not wait"


@_sqs
def the_receive_count_is_told(aws, name):
    url = _queue(aws, name)
    aws.send_message(QueueUrl=url, MessageBody="x")
    for count in ("1", "2"):
        asked = {"MessageSystemAttributeNames": ["ApproximateReceiveCount"], "VisibilityTimeout": 30, "WaitTimeSeconds": 1}
        message = aws.receive_message(QueueUrl=url, MaxNumberOfMessages=10, **asked)["Messages"][0]
        assert message["Attributes"]["ApproximateReceiveCount"] == count
        aws.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)


@_sqs
def what_is_received_too_often_is_dead(aws, name):
    dead = _queue(aws, f"{name}-dead")
    arn = aws.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    url = _queue(aws, name, RedrivePolicy=f'{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": 1}}')
    aws.send_message(QueueUrl=url, MessageBody="x")
    message = aws.receive_message(QueueUrl=url, WaitTimeSeconds=1)["Messages"][0]
    aws.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    assert not aws.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages")
    assert aws.receive_message(QueueUrl=dead, WaitTimeSeconds=3)["Messages"][0]["Body"] == "x"


@_sqs
def batches_are_deleted(aws, name):
    url = _queue(aws, name)
    sent = aws.send_message_batch(QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": "x"} for n in range(10)])
    assert len(sent["Successful"]) == 10
    messages = aws.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)["Messages"]
    entries = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(messages)]
    assert len(aws.delete_message_batch(QueueUrl=url, Entries=entries)["Successful"]) == len(messages) == 10


@_sqs
def a_second_delete_is_fine(aws, name):
    url = _queue(aws, name)
    aws.send_message(QueueUrl=url, MessageBody="x")
    receipt = aws.receive_message(QueueUrl=url, WaitTimeSeconds=1)["Messages"][0]["ReceiptHandle"]
    aws.delete_message(QueueUrl=url, ReceiptHandle=receipt)
    aws.delete_message(QueueUrl=url, ReceiptHandle=receipt)


@_sqs
def fifo_messages_come_once(aws, name):
    url = aws.create_queue(QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    for _ in range(2):
        aws.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="g", MessageDeduplicationId="d")
    assert len(aws.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)["Messages"]) == 1


@_sqs
def queues_are_listed_by_prefix(aws, name):
    urls = [_queue(aws, f"{name}-responses-{n}") for n in range(2)]
    _queue(aws, f"{name}-requests")
    assert sorted(aws.list_queues(QueueNamePrefix=f"{name}-responses-", MaxResults=1000)["QueueUrls"]) == urls


@_sqs
def a_deleted_queue_is_gone(aws, name):
    url = _queue(aws, name)
    aws.delete_queue(QueueUrl=url)
    _code("AWS.SimpleQueueService.NonExistentQueue", aws.get_queue_attributes, QueueUrl=url, AttributeNames=["QueueArn"])


@_s3
def a_missing_bucket_is_named_so(aws, name):
    _code("404", aws.head_bucket, Bucket=name)
    _code("NoSuchBucket", aws.list_objects_v2, Bucket=name)


@_s3
def one_s_own_bucket_is_made_twice(aws, name):
    aws.create_bucket(Bucket=name)
    aws.head_bucket(Bucket=name)
    aws.create_bucket(Bucket=name)


@_s3
def objects_keep_bytes_type_and_metadata(aws, name):
    aws.create_bucket(Bucket=name)
    put = {"ContentType": "application/json", "Metadata": {"label": "golden%20retriever"}}
    aws.put_object(Bucket=name, Key="id/test 00 ü.jpg.json", Body=b"\x00\xff", **put)
    got = aws.get_object(Bucket=name, Key="id/test 00 ü.jpg.json")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (b"\x00\xff", put["ContentType"], put["Metadata"])
    assert aws.head_object(Bucket=name, Key="id/test 00 ü.jpg.json")["ContentLength"] == 2


@_s3
def a_missing_object_is_named_so(aws, name):
    aws.create_bucket(Bucket=name)
    _code("NoSuchKey", aws.get_object, Bucket=name, Key="k")
    _code("404", aws.head_object, Bucket=name, Key="k")


@_s3
def prefixes_are_listed_in_pages(aws, name):
    aws.create_bucket(Bucket=name)
    for key in ("a/1", "a/2", "b/1"):
        aws.put_object(Bucket=name, Key=key, Body=b"x")
    first = aws.list_objects_v2(Bucket=name, Prefix="a/", MaxKeys=1)
    rest = aws.list_objects_v2(Bucket=name, Prefix="a/", ContinuationToken=first["NextContinuationToken"])
    assert [entry["Key"] for page in (first, rest) for entry in page["Contents"]] == ["a/1", "a/2"]


@_s3
def the_name_of_an_object_may_start_another_s(aws, name):
    aws.create_bucket(Bucket=name)
    aws.put_object(Bucket=name, Key="id", Body=b"x")
    aws.put_object(Bucket=name, Key="id/name", Body=b"y")
    assert aws.get_object(Bucket=name, Key="id")["Body"].read() == b"x"


@_s3
def lifecycle_rules_are_kept(aws, name):
    aws.create_bucket(Bucket=name)
    _code("NoSuchLifecycleConfiguration", aws.get_bucket_lifecycle_configuration, Bucket=name)
    rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 30}}
    aws.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [rule]})
    assert aws.get_bucket_lifecycle_configuration(Bucket=name)["Rules"][0]["Expiration"]["Days"] == 30


@_s3
def buckets_are_tagged_as_they_are_made(aws, name):
    tags = [{"Key": "classifierfleet:uid", "Value": "u"}]
    aws.create_bucket(Bucket=name, CreateBucketConfiguration={"Tags": tags})
    assert aws.get_bucket_tagging(Bucket=name)["TagSet"] == tags
    aws.create_bucket(Bucket=f"{name}-plain")
    _code("NoSuchTagSet", aws.get_bucket_tagging, Bucket=f"{name}-plain")
    aws.put_bucket_tagging(Bucket=f"{name}-plain", Tagging={"TagSet": tags})
    assert aws.get_bucket_tagging(Bucket=f"{name}-plain")["TagSet"] == tags


@_s3
def versions_are_listed_and_deleted(aws, name):
    aws.create_bucket(Bucket=name)
    aws.put_object(Bucket=name, Key="k", Body=b"x")
    versions = aws.list_object_versions(Bucket=name)["Versions"]
    objects = [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions]
    aws.delete_objects(Bucket=name, Delete={"Objects": objects, "Quiet": True})
    aws.delete_bucket(Bucket=name)
    _code("NoSuchBucket", aws.get_bucket_lifecycle_configuration, Bucket=name)


@_s3
def only_empty_buckets_are_deleted(aws, name):
    aws.create_bucket(Bucket=name)
    aws.put_object(Bucket=name, Key="k", Body=b"x")
    _code("BucketNotEmpty", aws.delete_bucket, Bucket=name)
    aws.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "k"}], "Quiet": True})
    aws.delete_bucket(Bucket=name)
    _code("404", aws.head_bucket, Bucket=name)


@_s3
def an_object_is_written_once_on_demand(aws, name):
    aws.create_bucket(Bucket=name)
    aws.put_object(Bucket=name, Key="k", Body=b"x", IfNoneMatch="*")
    _code("PreconditionFailed", aws.put_object, Bucket=name, Key="k", Body=b"y", IfNoneMatch="*")


def table(services: dict[str, str]) -> str:
    """What the stand-ins at these URLs, by service, can do."""
    lines = []
    for service, url in services.items():
        outcomes = run(service, url)
        lines.append(f"{service} at {url}: {sum(not wrong for _, wrong in outcomes)} of {len(outcomes)}")
        lines += [f"    {'no ' if wrong else 'yes'}  {name}{': ' + wrong if wrong else ''}" for name, wrong in outcomes]
    return "\n".join(lines)
