"""What a call needs, whether a policy gives it, and that a policy gives no more."""

import json
import tempfile
import unittest
from pathlib import Path

from fidelity import lint, permissions
from fidelity.actions import Need, Templates, UnknownCall, needs
from fidelity.decode import decode
from fidelity.policies import Policy, Unsupported, like
from fidelity.tests.wire import recorded

QUEUE = "https://sqs.us-east-1.amazonaws.com/000000000000/imagenet-requests"
BUCKET = "arn:aws:s3:::imagenet-in"


def call(service: str, operation: str, params: dict, program: str = "classifierfleet-operator", **changes):
    return decode(recorded(service, operation, params, program, **changes))


def wanted(service: str, operation: str, params: dict, **changes) -> list[str]:
    return [str(need) for need in needs(call(service, operation, params, **changes), Templates())]


class Needs(unittest.TestCase):
    def test_batches_need_what_single_messages_need(self):
        sent = wanted("sqs", "SendMessageBatch", {"QueueUrl": QUEUE, "Entries": [{"Id": "0", "MessageBody": "x"}]})
        self.assertEqual(sent, ["sqs:SendMessage on arn:aws:sqs:us-east-1:000000000000:imagenet-requests"])

    def test_a_queue_that_is_made_with_tags_is_tagged(self):
        made = wanted("sqs", "CreateQueue", {"QueueName": "q", "tags": {"a": "b"}})
        self.assertEqual([need.split(" ")[0] for need in made], ["sqs:CreateQueue", "sqs:TagQueue"])

    def test_a_bucket_that_is_made_with_tags_is_tagged(self):
        made = {"Bucket": "imagenet-in", "CreateBucketConfiguration": {"Tags": [{"Key": "a", "Value": "b"}]}}
        self.assertEqual(wanted("s3", "CreateBucket", made), [f"s3:CreateBucket on {BUCKET}", f"s3:TagResource on {BUCKET}"])

    def test_versions_of_objects_are_deleted_by_a_right_of_their_own(self):
        objects = {"Objects": [{"Key": "a"}, {"Key": "b", "VersionId": "null"}]}
        deleted = wanted("s3", "DeleteObjects", {"Bucket": "imagenet-in", "Delete": objects})
        self.assertEqual(deleted, [f"s3:DeleteObject on {BUCKET}/a", f"s3:DeleteObjectVersion on {BUCKET}/b"])

    def test_an_object_that_is_missed_needs_the_right_to_list(self):
        params = {"Bucket": "imagenet-in", "Key": "k"}
        self.assertEqual(wanted("s3", "GetObject", params), [f"s3:GetObject on {BUCKET}/k"])
        self.assertEqual(wanted("s3", "GetObject", params, status=404)[1], f"s3:ListBucket on {BUCKET}")
        self.assertEqual(wanted("s3", "HeadBucket", {"Bucket": "imagenet-in"}), [f"s3:ListBucket on {BUCKET}"])

    def test_a_launch_needs_what_its_template_says(self):
        templates = Templates()
        data = {"ImageId": "resolve:ssm:/worker:3", "IamInstanceProfile": {"Name": "p"}, "KeyName": "k"}
        templates.learn(call("ec2", "CreateLaunchTemplate", {"LaunchTemplateName": "t", "LaunchTemplateData": data}))
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "k", "Value": "v"}]}]
        launch = {"MinCount": 1, "MaxCount": 1, "TagSpecifications": tags, "LaunchTemplate": {"LaunchTemplateName": "t"}}
        found = {need.action for need in needs(call("ec2", "RunInstances", launch), templates)}
        self.assertEqual(found, {"ec2:RunInstances", "ec2:CreateTags", "iam:PassRole"})
        resolved = call("ec2", "DescribeLaunchTemplateVersions", {"LaunchTemplateName": "t", "ResolveAlias": True})
        parameter = "ssm:GetParameters on arn:aws:ssm:us-east-1:000000000000:parameter/worker"
        self.assertIn(parameter, [str(need) for need in needs(resolved, templates)])
        plain = {need.action for need in needs(call("ec2", "RunInstances", {"MinCount": 1, "MaxCount": 1}), templates)}
        self.assertEqual(plain, {"ec2:RunInstances"})

    def test_calls_that_nobody_thought_of_are_not_waved_through(self):
        with self.assertRaises(UnknownCall):
            wanted("ec2", "RebootInstances", {"InstanceIds": ["i-1"]})


class Policies(unittest.TestCase):
    def policy(self, **statement) -> Policy:
        return Policy([{"Sid": "S", "Effect": "Allow", **statement}])

    def allows(self, policy: Policy, action: str, resource: str, context: dict | None = None) -> bool:
        return any(policy.allowing(Need(action, resource, context or {})))

    def test_action_and_resource_must_fit(self):
        policy = self.policy(Action="s3:GetObject", Resource=f"{BUCKET}/*")
        self.assertTrue(self.allows(policy, "s3:GetObject", f"{BUCKET}/a/b"))
        self.assertFalse(self.allows(policy, "s3:PutObject", f"{BUCKET}/a/b"))
        self.assertFalse(self.allows(policy, "s3:GetObject", BUCKET))
        narrow = self.policy(Action="ec2:DescribeInstances", Resource="arn:aws:ec2:*:*:instance/*")
        self.assertFalse(self.allows(narrow, "ec2:DescribeInstances", "*"))

    def test_conditions_must_hold(self):
        keys = {"ForAllValues:StringEquals": {"aws:TagKeys": ["classifierfleet:ready"]}}
        policy = self.policy(Action="ec2:CreateTags", Resource="*", Condition=keys)
        self.assertTrue(self.allows(policy, "ec2:CreateTags", "arn:x", {"aws:TagKeys": ["classifierfleet:ready"]}))
        self.assertFalse(self.allows(policy, "ec2:CreateTags", "arn:x", {"aws:TagKeys": ["classifierfleet:ready", "Name"]}))
        birth = self.policy(Action="ec2:CreateTags", Resource="*", Condition={"StringEquals": {"ec2:CreateAction": ["RunInstances"]}})
        self.assertFalse(self.allows(birth, "ec2:CreateTags", "arn:x"))
        self.assertTrue(self.allows(birth, "ec2:CreateTags", "arn:x", {"ec2:CreateAction": "RunInstances"}))
        with self.assertRaises(Unsupported):
            self.allows(self.policy(Action="a:B", Resource="*", Condition={"DateLessThan": {"aws:CurrentTime": "x"}}), "a:B", "arn:x")

    def test_wildcards_are_iam_s(self):
        self.assertTrue(like("arn:aws:sqs:*:*:imagenet-*", "arn:aws:sqs:us-east-1:0:imagenet-requests"))
        self.assertFalse(like("arn:aws:s3:::a.b", "arn:aws:s3:::axb"))


class Coverage(unittest.TestCase):
    def outcome(self, statements: list[dict], calls: list, unseen: dict | None = None) -> str:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "operator.json"
            path.write_text(json.dumps({"Version": "2012-10-17", "Statement": statements}))
            return "\n".join(permissions.check(calls, {"operator": path}, unseen or {}).problems)

    statement = {"Sid": "S", "Effect": "Allow", "Action": "sqs:GetQueueUrl", "Resource": "arn:aws:sqs:*:*:imagenet-*"}

    def test_exactly_what_is_used_is_allowed(self):
        asked = [call("sqs", "GetQueueUrl", {"QueueName": name}) for name in ("imagenet-requests", "other-responses-0")]
        self.assertEqual(self.outcome([self.statement], asked), "")

    def test_names_of_other_fleets_stand_for_the_published_one(self):
        table = {
            "arn:aws:sqs:r:0:other-responses-1": "arn:aws:sqs:r:0:imagenet-responses-1",
            "arn:aws:sqs:r:0:imagenet-2-requests-dead": "arn:aws:sqs:r:0:imagenet-requests-dead",
            "arn:aws:s3:::other-out/id/a-in.jpg": "arn:aws:s3:::imagenet-out/id/a-in.jpg",
            "arn:aws:ssm:r:0:parameter/worker": "arn:aws:ssm:r:0:parameter/classifierfleet/worker",
            "arn:aws:s3:::imagenet-in": "arn:aws:s3:::imagenet-in",
            "arn:aws:s3:::strange": "arn:aws:s3:::strange",
            "arn:aws:ec2:r:0:instance/i-in": "arn:aws:ec2:r:0:instance/i-in",
        }
        self.assertEqual([permissions.as_published(Need("a:B", name)).resource for name in table], list(table.values()))

    def test_a_call_that_is_not_allowed_is_found(self):
        self.assertIn("does not allow", self.outcome([self.statement], [call("sqs", "DeleteQueue", {"QueueUrl": QUEUE})]))
        self.assertIn("does not allow", self.outcome([self.statement], [call("sqs", "GetQueueUrl", {"QueueName": "strange"})]))

    def test_what_nobody_uses_is_found_unless_it_is_excused(self):
        self.assertIn("no recorded call used", self.outcome([self.statement], []))
        self.assertEqual(self.outcome([self.statement], [], {("operator", "sqs:GetQueueUrl"): "why"}), "")
        self.assertIn("does not allow it", self.outcome([], [], {("operator", "sqs:GetQueueUrl"): "why"}))

    def test_programs_without_a_policy_are_only_counted(self):
        theirs = call("sqs", "DeleteQueue", {"QueueUrl": QUEUE}, program="xtask")
        self.assertEqual(self.outcome([], [theirs]), "")


class Linter(unittest.TestCase):
    def test_the_published_policies_pass(self):
        self.assertEqual(lint.check(permissions.POLICIES), [])

    def test_it_finds_what_is_wrong(self):
        table = {
            "W3037": {"Action": "sqs:SendMessageBatch", "Resource": "*"},
            "I3510": {"Action": "sqs:SendMessage", "Resource": "arn:aws:ec2:*:*:instance/*"},
            "E3510": {"Actions": "sqs:SendMessage", "Resource": "*"},
        }
        for rule, statement in table.items():
            with self.subTest(rule):
                policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}
                self.assertIn(rule, "\n".join(lint.document("bad", policy)))


if __name__ == "__main__":
    unittest.main()
