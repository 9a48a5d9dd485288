"""The service models that AWS publishes with botocore. Knows nothing of recordings."""

import functools

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

VERSIONS = {"ec2": "2016-11-15", "sqs": "2012-11-05", "s3": "2006-03-01", "ssm": "2014-11-06"}


@functools.cache
def service(name: str) -> ServiceModel:
    """The model of a service, in the version that our SDKs speak. Raises KeyError for one that we do not use."""
    return ServiceModel(Loader().load_service_model(name, "service-2", VERSIONS[name]), name)


def operation(service_name: str, name: str) -> OperationModel | None:
    """The model of an operation, or None when the service has none of that name."""
    model = service(service_name)
    return model.operation_model(name) if name in model.operation_names else None
