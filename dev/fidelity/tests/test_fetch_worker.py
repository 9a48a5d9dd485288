"""deploy/fetch-worker.py against a metadata service and an S3 that knows signatures: botocore says which one is right."""

import contextlib
import datetime
import hashlib
import importlib.util
import io
import json
import os
import stat
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = b"#!/bin/sh\necho a worker\n" * 100_000
SHA256 = hashlib.sha256(PROGRAM).hexdigest()
KEY = "v1.0/worker_x86-64+a=b@c"
ROLE = {"AccessKeyId": "AKIA", "SecretAccessKey": "s/e+cret", "Token": "to/ken=="}


def load():
    spec = importlib.util.spec_from_file_location("fetch_worker", ROOT / "deploy/fetch-worker.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def expected(url: str, headers) -> str:
    """What botocore would have signed it with, at the time that the request names."""
    at = datetime.datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
    asked = AWSRequest("GET", url, headers={"x-amz-content-sha256": headers["x-amz-content-sha256"]})
    with mock.patch("botocore.auth.get_current_datetime", return_value=at):
        S3SigV4Auth(Credentials(ROLE["AccessKeyId"], ROLE["SecretAccessKey"], ROLE["Token"]), "s3", "eu-central-1").add_auth(asked)
    return asked.headers["Authorization"]


class Instance(BaseHTTPRequestHandler):
    """IMDSv2 and S3 on one port."""

    def log_message(self, *_):
        pass

    def answer(self, status: int, body: bytes, length: int | None = None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self):
        known = self.path == "/latest/api/token" and self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
        self.answer(200 if known else 404, b"session")

    def do_GET(self):
        if self.path.startswith("/latest/"):
            self.metadata()
        else:
            self.server.asked.append(self.path)
            self.object()

    def metadata(self):
        known = {"/latest/meta-data/iam/security-credentials/": b"a-role\n"}
        known["/latest/meta-data/iam/security-credentials/a-role"] = json.dumps(ROLE).encode()
        allowed = self.headers["X-aws-ec2-metadata-token"] == "session"
        self.answer(200 if allowed and self.path in known else 404, known.get(self.path, b""))

    def object(self):
        if self.headers["Authorization"] != expected(f"http://{self.headers['Host']}{self.path}", self.headers):
            return self.answer(403, b"<Code>SignatureDoesNotMatch</Code>")
        if self.server.faults:
            return self.server.faults.pop()(self)
        known = self.path == "/programs/v1.0/worker_x86-64%2Ba%3Db%40c"
        return self.answer(200, PROGRAM) if known else self.answer(404, b"<Code>NoSuchKey</Code>")


class FetchWorker(unittest.TestCase):
    def setUp(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Instance)
        self.server.asked, self.server.faults = [], []
        thread = threading.Thread(target=self.server.serve_forever)
        thread.start()
        self.addCleanup(lambda: (self.server.shutdown(), thread.join(), self.server.server_close()))
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.destination = Path(folder.name) / "classifierfleet-worker"
        url = f"http://127.0.0.1:{self.server.server_port}"
        self.env = {"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL_S3": url, "AWS_EC2_METADATA_SERVICE_ENDPOINT": url + "/"}

    def fetch(self, key: str = KEY, sha256: str = SHA256) -> tuple[int, str]:
        """The exit code, and what was said. No time passes between tries."""
        said, fetch_worker = io.StringIO(), load()
        with mock.patch.dict(os.environ, self.env), mock.patch.object(fetch_worker.time, "sleep"), contextlib.redirect_stderr(said):
            return fetch_worker.main(f"s3://programs/{key}", sha256, str(self.destination)), said.getvalue()

    def test_the_program_is_installed_with_a_signature_as_botocore_makes_it(self):
        self.assertEqual(self.fetch(), (0, ""))
        self.assertEqual(self.destination.read_bytes(), PROGRAM)
        self.assertEqual(stat.S_IMODE(self.destination.stat().st_mode), 0o755)
        self.assertEqual(os.listdir(self.destination.parent), [self.destination.name])

    def test_a_program_that_is_there_is_not_fetched_again_and_another_one_is_replaced(self):
        self.destination.write_text("an older one")
        for _ in range(2):
            self.assertEqual(self.fetch(), (0, ""))
        self.assertEqual(self.destination.read_bytes(), PROGRAM)
        self.assertEqual(len(self.server.asked), 1)

    def test_a_program_of_another_hash_is_never_installed_nor_asked_for_again(self):
        code, said = self.fetch(sha256="0" * 64)
        self.assertEqual((code, len(self.server.asked), os.listdir(self.destination.parent)), (1, 1, []))
        self.assertIn(f"its SHA-256 is {SHA256} and should be {'0' * 64}", said)

    def test_what_passes_is_tried_again(self):
        self.server.faults = [
            lambda server: server.answer(503, b"<Code>SlowDown</Code>"),
            lambda server: server.answer(403, b"<Code>AccessDenied</Code>"),
            lambda server: server.answer(200, PROGRAM[:1000], len(PROGRAM)),
        ]
        code, said = self.fetch()
        self.assertEqual((code, self.destination.read_bytes() == PROGRAM), (0, True))
        for part in ("503: <Code>SlowDown", "needs s3:GetObject on arn:aws:s3:::programs/" + KEY, f"1000 of {len(PROGRAM)} bytes"):
            self.assertIn(part, said)

    def test_a_key_that_is_not_there_is_said_at_once(self):
        code, said = self.fetch(key="nothing")
        self.assertEqual((code, len(self.server.asked)), (1, 1))
        self.assertIn("could not be fetched from s3://programs/nothing: S3 answers 404: <Code>NoSuchKey</Code>", said)

    def test_an_instance_without_a_role_is_told_what_is_missing(self):
        with mock.patch.object(Instance, "metadata", lambda server: server.answer(404, b"")):
            code, said = self.fetch()
        self.assertEqual(code, 1)
        self.assertIn("instanceProfile of the fleet's template must name an instance profile with one", said)
