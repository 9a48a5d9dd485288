"""Which IAM actions a call needs, on which resources: AWS's Service Authorization Reference, for the calls that we make."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .decode import Call

ACCOUNT = "000000000000"
REGION = "us-east-1"


@dataclass(frozen=True)
class Need:
    """One permission without which a call is refused."""

    action: str
    resource: str  # an ARN, or * for what has no resources
    context: dict[str, Any] = field(default_factory=dict, hash=False, compare=False)  # condition keys that the call sets

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}"


class UnknownCall(Exception):
    """A call whose permissions are not known here."""


@dataclass
class Templates:
    """What launch templates were made with: RunInstances names them and needs what they need."""

    data: dict[str, list[dict]] = field(default_factory=dict)

    def learn(self, call: Call) -> None:
        """Remembers what `call` puts into a launch template, if it does."""
        if call.service == "ec2" and call.name in ("CreateLaunchTemplate", "CreateLaunchTemplateVersion"):
            name = call.params.get("LaunchTemplateName", "")
            self.data.setdefault(name, []).append(call.params.get("LaunchTemplateData", {}))

    def of(self, call: Call) -> list[dict]:
        """All that the template of a RunInstances ever held, and what the call itself says."""
        name = call.params.get("LaunchTemplate", {}).get("LaunchTemplateName", "")
        return [*self.data.get(name, []), call.params]

    def parameters(self, call: Call) -> list[str]:
        """Names of the SSM parameters that EC2 reads for a call that names a template."""
        name = call.params.get("LaunchTemplateName", "")
        images = [str(data.get("ImageId", "")) for data in [*self.of(call), *self.data.get(name, [])]]
        named = {image.removeprefix("resolve:ssm:") for image in images if image.startswith("resolve:ssm:")}
        # A version or a label may follow the name; an ARN has its name last.
        return sorted(name.partition(":parameter")[2] or name.partition(":")[0] for name in named)


def needs(call: Call, templates: Templates) -> list[Need]:
    """All permissions that `call` needs. Raises UnknownCall."""
    service = {"ec2": _ec2, "sqs": _sqs, "s3": _s3, "ssm": _ssm}[call.service]
    return list(service(call, templates))


def _ec2(call: Call, templates: Templates) -> Iterator[Need]:
    special = {"RunInstances": _run_instances, "CreateTags": _tag, "DeleteTags": _tag}
    if call.name in special:
        yield from special[call.name](call, templates)
    elif call.name.startswith("Describe"):
        yield Need(f"ec2:{call.name}", "*")
        if call.params.get("ResolveAlias"):
            yield from _parameters(call, templates)
    elif call.name in ("StartInstances", "StopInstances", "TerminateInstances"):
        for instance in call.params.get("InstanceIds", []):
            yield Need(f"ec2:{call.name}", _arn("ec2", f"instance/{instance}"))
    elif "LaunchTemplate" in call.name:
        yield Need(f"ec2:{call.name}", _arn("ec2", "launch-template/lt-0"))
        yield from _tagged_at_birth(call)
    else:
        raise UnknownCall(call.name)


def _tag(call: Call, _templates: Templates) -> Iterator[Need]:
    kinds = {"i-": "instance", "lt-": "launch-template", "vol-": "volume", "sir-": "spot-instances-request"}
    keys = [tag.get("Key") for tag in call.params.get("Tags", [])]
    for resource in call.params.get("Resources", []):
        kind = next((kind for prefix, kind in kinds.items() if resource.startswith(prefix)), None)
        if kind is None:
            raise UnknownCall(f"{call.name} on {resource}")
        yield Need(f"ec2:{call.name}", _arn("ec2", f"{kind}/{resource}"), {"aws:TagKeys": keys})


def _tagged_at_birth(call: Call) -> Iterator[Need]:
    for specification in call.params.get("TagSpecifications", []):
        keys = [tag.get("Key") for tag in specification.get("Tags", [])]
        context = {"ec2:CreateAction": call.name, "aws:TagKeys": keys}
        yield Need("ec2:CreateTags", _arn("ec2", f"{specification.get('ResourceType')}/new"), context)


def _run_instances(call: Call, templates: Templates) -> Iterator[Need]:
    """What EC2 checks of a launch: each kind of resource that takes part in it."""
    kinds = {"instance/new", "volume/new", "network-interface/new", "subnet/subnet-0", "security-group/sg-0"}
    made_from = templates.of(call)
    if "LaunchTemplate" in call.params:
        kinds.add("launch-template/lt-0")
    if any(data.get("KeyName") for data in made_from):
        kinds.add("key-pair/key")
    for kind in sorted(kinds):
        yield Need("ec2:RunInstances", _arn("ec2", kind))
    yield Need("ec2:RunInstances", f"arn:aws:ec2:{REGION}::image/ami-0")
    yield from _tagged_at_birth(call)
    if any(data.get("IamInstanceProfile") for data in made_from):
        role = f"arn:aws:iam::{ACCOUNT}:role/classifierfleet-worker"
        yield Need("iam:PassRole", role, {"iam:PassedToService": "ec2.amazonaws.com"})
    if str(call.params.get("ImageId", "")).startswith("resolve:ssm:"):
        yield from _parameters(call, templates)


def _parameters(call: Call, templates: Templates) -> Iterator[Need]:
    for name in templates.parameters(call):
        yield Need("ssm:GetParameters", _arn("ssm", f"parameter/{name.removeprefix('/')}"))


def _sqs(call: Call, _templates: Templates) -> Iterator[Need]:
    # A batch needs what one message needs.
    action = call.name.removesuffix("Batch")
    name = call.params.get("QueueName") or call.params.get("QueueUrl", "").rpartition("/")[2]
    if call.name == "ListQueues":
        yield Need("sqs:ListQueues", "*")
        return
    if not name:
        raise UnknownCall(f"{call.name} without a queue")
    yield Need(f"sqs:{action}", _arn("sqs", name))
    if call.name == "CreateQueue" and call.params.get("tags"):
        yield Need("sqs:TagQueue", _arn("sqs", name))


def _ssm(call: Call, _templates: Templates) -> Iterator[Need]:
    if call.name not in ("GetParameter", "GetParameters"):
        raise UnknownCall(call.name)
    yield Need(f"ssm:{call.name}", _arn("ssm", "parameter/*"))


ON_BUCKETS = {
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "CreateBucket": "CreateBucket",
    "DeleteBucket": "DeleteBucket",
    "GetBucketLocation": "GetBucketLocation",
    "GetBucketTagging": "GetBucketTagging",
    "PutBucketTagging": "PutBucketTagging",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetBucketVersioning": "GetBucketVersioning",
}
ON_OBJECTS = {
    "GetObject": "GetObject",
    "HeadObject": "GetObject",
    "PutObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "AbortMultipartUpload": "AbortMultipartUpload",
    "DeleteObject": "DeleteObject",
}


def _s3(call: Call, _templates: Templates) -> Iterator[Need]:
    bucket = f"arn:aws:s3:::{call.params.get('Bucket')}"
    if call.name in ON_BUCKETS:
        yield Need(f"s3:{ON_BUCKETS[call.name]}", bucket)
        if call.params.get("CreateBucketConfiguration", {}).get("Tags"):
            yield Need("s3:TagResource", bucket)
    elif call.name in ON_OBJECTS:
        yield Need(f"s3:{ON_OBJECTS[call.name]}", f"{bucket}/{call.params.get('Key')}")
        # Without ListBucket, S3 says 403 where it would say 404: our programs tell the two apart.
        if call.recorded.status == 404 and call.name in ("GetObject", "HeadObject"):
            yield Need("s3:ListBucket", bucket)
    elif call.name == "DeleteObjects":
        for entry in call.params.get("Delete", {}).get("Objects", []):
            action = "s3:DeleteObjectVersion" if entry.get("VersionId") else "s3:DeleteObject"
            yield Need(action, f"{bucket}/{entry.get('Key')}")
    else:
        raise UnknownCall(call.name)
    # PutBucketTagging has a member of that name, too.
    if call.params.get("Tagging") and call.name in ON_OBJECTS:
        yield Need("s3:PutObjectTagging", f"{bucket}/{call.params.get('Key')}")


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"
