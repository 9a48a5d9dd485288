"""Requests as botocore itself writes them, for tests: what it can send, we must understand."""

from botocore.serialize import create_serializer

from fidelity import models
from fidelity.recordings import Recorded


def recorded(service: str, operation: str, params: dict, program: str = "classifierfleet-operator", **changes) -> Recorded:
    """The request that botocore makes of `params`, with `changes` to what was recorded."""
    model = models.service(service)
    serializer = create_serializer(model.protocol, include_validation=False)
    request = serializer.serialize_to_request(params, model.operation_model(operation))
    headers = {name.lower(): str(value) for name, value in request["headers"].items()}
    path, _, query = request["url_path"].partition("?")
    given = request["query_string"]
    parts = [query] if query else []
    parts += [f"{name}={value}" for name, value in (given.items() if isinstance(given, dict) else [])]
    fields = {"path": path, "query": "&".join(parts), "headers": headers, "body": _body(request["body"])}
    if service == "ec2":
        fields["headers"]["content-type"] = "application/x-www-form-urlencoded"
    return Recorded(place="test:1", service=service, program=program, method=request["method"], **{**fields, **changes})


def _body(body) -> bytes:
    if isinstance(body, dict):
        from urllib.parse import urlencode

        return urlencode(body).encode()
    return body.encode() if isinstance(body, str) else bytes(body or b"")
