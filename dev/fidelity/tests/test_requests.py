"""Good requests pass, and each kind of wrong one is found."""

import base64
import dataclasses
import unittest

from fidelity import requests
from fidelity.decode import decode
from fidelity.recordings import Recorded
from fidelity.tests.wire import recorded

QUEUE = "https://sqs.us-east-1.amazonaws.com/000000000000/imagenet-requests"


def user_data(size: int) -> str:
    return base64.b64encode(b"x" * size).decode()


TAGS = [{"ResourceType": "instance", "Tags": [{"Key": "classifierfleet:uid", "Value": "u"}, {"Key": "Name", "Value": "n"}]}]
LAUNCH = {
    "MinCount": 1,
    "MaxCount": 3,
    "ClientToken": "t" * 64,
    "LaunchTemplate": {"LaunchTemplateName": "imagenet", "Version": "1"},
    "InstanceType": "t3.small",
    "TagSpecifications": TAGS,
    "InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "one-time"}},
}
TEMPLATE = {
    "LaunchTemplateName": "imagenet",
    "LaunchTemplateData": {
        "ImageId": "ami-1",
        "SecurityGroupIds": ["sg-1", "sg-2"],
        "UserData": user_data(16 * 1024),
        "MetadataOptions": {"HttpTokens": "required", "InstanceMetadataTags": "enabled"},
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "DeleteOnTermination": True}}],
    },
}
RULES = {"Rules": [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 30}}]}
GOOD = [
    ("ec2", "RunInstances", LAUNCH),
    ("ec2", "CreateLaunchTemplate", TEMPLATE),
    ("ec2", "DescribeInstances", {"Filters": [{"Name": "tag-key", "Values": ["classifierfleet:uid"]}], "MaxResults": 1000}),
    ("ec2", "DescribeLaunchTemplateVersions", {"LaunchTemplateName": "imagenet", "Versions": ["1", "2"], "ResolveAlias": True}),
    ("ec2", "CreateTags", {"Resources": ["i-1", "i-2"], "Tags": [{"Key": "classifierfleet:intent", "Value": "drain"}]}),
    ("ec2", "TerminateInstances", {"InstanceIds": ["i-1"]}),
    ("sqs", "CreateQueue", {"QueueName": "q.fifo", "Attributes": {"FifoQueue": "true", "VisibilityTimeout": "60"}, "tags": {"a": "b"}}),
    ("sqs", "SendMessageBatch", {"QueueUrl": QUEUE, "Entries": [{"Id": "0", "MessageBody": "ü"}]}),
    ("sqs", "ReceiveMessage", {"QueueUrl": QUEUE, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20}),
    ("sqs", "ChangeMessageVisibility", {"QueueUrl": QUEUE, "ReceiptHandle": "r", "VisibilityTimeout": 0}),
    ("s3", "PutObject", {"Bucket": "imagenet-in", "Key": "a b ü.jpg", "Body": b"x", "ContentType": "i/j", "Metadata": {"label": "x"}}),
    ("s3", "GetObject", {"Bucket": "imagenet-in", "Key": "id/a"}),
    ("s3", "HeadBucket", {"Bucket": "imagenet-in"}),
    ("s3", "CreateBucket", {"Bucket": "imagenet-in", "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}),
    ("s3", "ListObjectsV2", {"Bucket": "imagenet-in", "Prefix": "id/", "MaxKeys": 1}),
    ("s3", "PutBucketLifecycleConfiguration", {"Bucket": "imagenet-in", "LifecycleConfiguration": RULES}),
    ("s3", "DeleteObjects", {"Bucket": "imagenet-in", "Delete": {"Objects": [{"Key": "a"}, {"Key": "b"}], "Quiet": True}}),
    ("s3", "DeleteBucket", {"Bucket": "imagenet-in"}),
]
CHECKSUM = {"PutBucketLifecycleConfiguration", "DeleteObjects"}


def good(service: str, operation: str, params: dict) -> Recorded:
    request = recorded(service, operation, params)
    if operation in CHECKSUM:
        request.headers["x-amz-checksum-crc32"] = "AAAAAA=="
    return request


class GoodRequests(unittest.TestCase):
    def test_what_botocore_writes_is_understood_and_passes(self):
        for service, operation, params in GOOD:
            with self.subTest(operation):
                request = good(service, operation, params)
                call = decode(request)
                self.assertEqual((call.name, call.params), (operation, params))
                self.assertEqual(requests.problems(call), [])

    def test_the_bucket_may_stand_in_the_host_name(self):
        request = recorded("s3", "GetObject", {"Bucket": "b", "Key": "k/l"}, path="/k/l")
        request.headers["host"] = "imagenet-in.s3.us-east-1.amazonaws.com"
        self.assertEqual(decode(request).params, {"Bucket": "imagenet-in", "Key": "k/l"})

    def test_the_paths_of_stand_ins_are_no_requests(self):
        report = requests.check([recorded("ec2", "TerminateInstances", {}, path="/_cloudsim/log")])
        self.assertEqual((len(report.calls), len(report.violations)), (0, 0))


class BadParameters(unittest.TestCase):
    """Params that botocore would send and AWS would refuse: each with a word of the sentence that says so."""

    TABLE = [
        ("ec2", "RunInstances", {"MaxCount": 1}, "MinCount is missing"),
        ("ec2", "RunInstances", {**LAUNCH, "MinCount": 4}, "MinCount 4 and MaxCount 3"),
        ("ec2", "RunInstances", {**LAUNCH, "InstanceType": "t3.gigantic"}, "none of the values of InstanceType"),
        ("ec2", "RunInstances", {**LAUNCH, "ClientToken": "t" * 65}, "1 to 64 ASCII"),
        ("ec2", "RunInstances", {**LAUNCH, "TagSpecifications": [{"Tags": [{"Key": "k"}]}]}, "without a ResourceType"),
        ("ec2", "CreateLaunchTemplate", {"LaunchTemplateName": "imagenet"}, "LaunchTemplateData is missing"),
        ("ec2", "CreateLaunchTemplate", {**TEMPLATE, "LaunchTemplateName": "i t"}, "3 to 128 letters"),
        ("ec2", "CreateLaunchTemplate", {**TEMPLATE, "VersionDescription": "x" * 256}, "at most 255"),
        ("ec2", "CreateLaunchTemplate", {**TEMPLATE, "LaunchTemplateData": {"UserData": user_data(16 * 1024 + 1)}}, "16385 bytes decoded"),
        ("ec2", "CreateLaunchTemplate", {**TEMPLATE, "LaunchTemplateData": {"UserData": "#!/bin/sh"}}, "no Base64"),
        ("ec2", "DescribeInstances", {"MaxResults": 4}, "5 to 1000"),
        ("ec2", "DescribeInstances", {"Filters": [{"Name": "tag-key"}]}, "1 to 200 values"),
        ("ec2", "CreateTags", {"Resources": ["i-1"], "Tags": [{"Key": "aws:x", "Value": ""}]}, "do not begin with aws:"),
        ("ec2", "CreateTags", {"Resources": ["i-1"], "Tags": [{"Key": "classifierfleet:a/b", "Value": ""}]}, "instance metadata"),
        ("ec2", "CreateTags", {"Resources": ["i-1"], "Tags": [{"Key": "k", "Value": "v" * 257}]}, "at most 256"),
        ("sqs", "SendMessageBatch", {"QueueUrl": QUEUE}, "Entries is missing"),
        ("sqs", "SendMessageBatch", {"QueueUrl": QUEUE, "Entries": [{"Id": "a b", "MessageBody": "x"}]}, "1 to 80 letters"),
        ("sqs", "SendMessageBatch", {"QueueUrl": QUEUE, "Entries": [{"Id": "a", "MessageBody": "x"}] * 2}, "not distinct"),
        ("sqs", "SendMessageBatch", {"QueueUrl": QUEUE, "Entries": []}, "1 to 10"),
        ("sqs", "SendMessage", {"QueueUrl": QUEUE, "MessageBody": "x" * (1024 * 1024 + 1)}, "1048576"),
        ("sqs", "SendMessage", {"QueueUrl": f"{QUEUE}.fifo", "MessageBody": "x"}, "MessageGroupId"),
        ("sqs", "ReceiveMessage", {"QueueUrl": QUEUE, "WaitTimeSeconds": 21}, "0 to 20"),
        ("sqs", "ReceiveMessage", {"QueueUrl": QUEUE, "MaxNumberOfMessages": True}, "no integer"),
        ("sqs", "ReceiveMessage", {"QueueUrl": QUEUE, "MessageSystemAttributeNames": ["Count"]}, "none of the values"),
        ("sqs", "CreateQueue", {"QueueName": "a.b"}, "1 to 80 letters"),
        ("sqs", "CreateQueue", {"QueueName": "q", "Attributes": {"Colour": "red"}}, "none of the values of QueueAttributeName"),
        ("sqs", "CreateQueue", {"QueueName": "q", "Attributes": {"RedrivePolicy": "{}"}}, "maxReceiveCount"),
        ("s3", "HeadBucket", {"Bucket": "Images"}, "small letters"),
        ("s3", "GetObject", {"Bucket": "imagenet-in", "Key": "k" * 1025}, "1024"),
        ("s3", "PutObject", {"Bucket": "imagenet-in", "Key": "k", "Metadata": {"label": "x" * 2048}}, "metadata has 2053 bytes"),
        ("s3", "CreateBucket", {"Bucket": "bbb", "CreateBucketConfiguration": {"LocationConstraint": "mars"}}, "none of the values"),
    ]

    def test_each_is_found(self):
        for service, operation, params, word in self.TABLE:
            with self.subTest(operation=operation, word=word):
                found = requests.problems(decode(recorded(service, operation, params)))
                self.assertTrue(any(word in problem for problem in found), found)


class BadBytes(unittest.TestCase):
    """What no client of AWS writes."""

    def found(self, request: Recorded) -> str:
        report = requests.check([request])
        self.assertEqual(sum(report.calls.values()), 1)
        return "\n".join(report.violations)

    def launch(self, more: bytes) -> Recorded:
        request = recorded("ec2", "RunInstances", LAUNCH)
        return dataclasses.replace(request, body=request.body + more)

    def test_parameters_that_ec2_does_not_have(self):
        table = {
            b"&Colour=red": "Colour is no parameter",
            b"&TagSpecification.1.Tags.1.Key=k": "Tags is no parameter",
            b"&SecurityGroupIds.1=sg-1": "SecurityGroupIds is no parameter",
            b"&SecurityGroupId.2=sg-1": "are not 1 to 1",
            b"&DryRun=yes": "neither true nor false",
            b"&SecurityGroupId=sg-1": "structure or list",
            b"&SubnetId.1=subnet-1": "one value",
            b"&SubnetId=a&SubnetId=b": "twice",
            b"&SubnetId=a&SubnetId.b=c": "both a value and a structure",
        }
        for more, word in table.items():
            with self.subTest(word):
                self.assertIn(word, self.found(self.launch(more)))

    def test_operations_and_versions_that_ec2_does_not_have(self):
        request = recorded("ec2", "TerminateInstances", {"InstanceIds": ["i-1"]})
        self.assertIn("no operation", self.found(dataclasses.replace(request, body=b"Action=FlyInstances&Version=2016-11-15")))
        old = request.body.replace(b"2016-11-15", b"2014-02-01")
        self.assertIn("the Version is '2014-02-01'", self.found(dataclasses.replace(request, body=old)))
        self.assertIn("not kept", self.found(dataclasses.replace(request, body=None)))

    def test_json_that_sqs_does_not_take(self):
        request = recorded("sqs", "ReceiveMessage", {"QueueUrl": QUEUE})
        table = {
            b'{"QueueUrl": "u", "Colour": 1}': "Colour is no member",
            b'{"QueueUrl": 1}': "is no string",
            b'{"QueueUrl": "u", "WaitTimeSeconds": "1"}': "is no integer",
            b"[]": "is no structure",
            b"{": "no JSON",
        }
        for body, word in table.items():
            with self.subTest(word):
                self.assertIn(word, self.found(dataclasses.replace(request, body=body)))
        request.headers["x-amz-target"] = "AmazonSQS.Fly"
        self.assertIn("no operation", self.found(request))

    def test_queries_headers_and_bodies_that_s3_does_not_take(self):
        request = good("s3", "PutBucketLifecycleConfiguration", {"Bucket": "imagenet-in", "LifecycleConfiguration": RULES})
        self.assertIn("colour is no query parameter", self.found(dataclasses.replace(request, query="lifecycle&colour=red")))
        wrong = request.body.replace(b"Days", b"Weeks")
        self.assertIn("Weeks is no element", self.found(dataclasses.replace(request, body=wrong)))
        self.assertIn("no XML", self.found(dataclasses.replace(request, body=b"<a>")))
        bare = {name: value for name, value in request.headers.items() if "checksum" not in name}
        self.assertIn("must carry a checksum", self.found(dataclasses.replace(request, headers=bare)))
        odd = {**request.headers, "x-amz-colour": "red"}
        self.assertIn("x-amz-colour is no header", self.found(dataclasses.replace(request, headers=odd)))
        self.assertIn("it is GetObject", self.found(recorded("s3", "GetObject", {"Bucket": "bbb", "Key": "k"}, query="x-id=PutObject")))


class Answers(unittest.TestCase):
    def found(self, status: int, answer: bytes) -> list[str]:
        request = recorded("ec2", "TerminateInstances", {"InstanceIds": ["i-1"]}, status=status, answer=answer)
        return list(requests.problems(decode(request)))

    def test_answers_of_ec2_pass(self):
        item = b"<item><instanceId>i-1</instanceId><currentState><code>32</code><name>shutting-down</name></currentState></item>"
        whole = b"<TerminateInstancesResponse><requestId>r</requestId><instancesSet>%s</instancesSet></TerminateInstancesResponse>" % item
        self.assertEqual(self.found(200, whole), [])
        self.assertEqual(self.found(400, b"<Response><Errors><Error><Code>C</Code><Message>m</Message></Error></Errors></Response>"), [])

    def test_wrong_answers_are_found(self):
        self.assertIn("colour", self.found(200, b"<TerminateInstancesResponse><colour>red</colour></TerminateInstancesResponse>")[0])
        self.assertIn("begins with", self.found(200, b"<RunInstancesResponse/>")[0])
        self.assertIn("cannot be read", self.found(200, b"<html")[0])
        self.assertIn("no error code", self.found(400, b"<Response/>")[0])


if __name__ == "__main__":
    unittest.main()
