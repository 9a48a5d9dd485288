"""From a recorded request to the operation and the parameters that it stands for, by the service's protocol."""

from dataclasses import dataclass, field

from botocore.model import OperationModel

from ..recordings import Recorded


@dataclass
class Call:
    """A request, understood."""

    recorded: Recorded
    operation: OperationModel
    params: dict  # by the names of the model, as botocore's clients take them
    problems: list[str] = field(default_factory=list)  # what could not be understood

    @property
    def service(self) -> str:
        """The service, as our recordings name it."""
        return self.recorded.service

    @property
    def name(self) -> str:
        """The operation, as AWS names it."""
        return self.operation.name


class Undecodable(Exception):
    """A request that stands for no known operation: why."""


def decode(recorded: Recorded) -> Call:
    """What `recorded` asks for. Raises Undecodable."""
    from . import ec2, json, s3

    protocols = {"ec2": ec2.decode, "sqs": json.decode, "ssm": json.decode, "s3": s3.decode}
    if recorded.service not in protocols:
        raise Undecodable(f"the service {recorded.service!r} is not among {', '.join(protocols)}")
    return protocols[recorded.service](recorded)
