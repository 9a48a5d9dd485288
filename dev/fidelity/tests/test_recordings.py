"""Recordings are read as the relay writes them, and the commands say by their exit code what came of it."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from fidelity import __main__ as command
from fidelity import error_codes, recordings
from fidelity.decode import decode
from fidelity.tests.wire import recorded

ENTRY = {
    "at": "2026-11-22T03:00:00Z",
    "service": "ec2",
    "program": "classifierfleet-operator",
    "method": "POST",
    "path": "/",
    "query": "",
    "headers": {"content-type": "application/x-www-form-urlencoded"},
    "body": "Action=TerminateInstances&Version=2016-11-15&InstanceId.1=i-1",
    "bodyLength": 61,
    "status": 200,
    "answer": "<TerminateInstancesResponse><requestId>r</requestId></TerminateInstancesResponse>",
}


class Recordings(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, *lines: str, end: str = "\n") -> Path:
        path = self.folder / "one.jsonl"
        path.write_text("\n".join(lines) + end)
        return path

    def run_command(self, *args: str) -> tuple[int, str]:
        said = io.StringIO()
        with mock.patch("sys.argv", ["fidelity", *args]), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            return command.main(), said.getvalue()

    def test_a_line_is_a_request(self):
        odd = {**ENTRY, "answer": "\u2028 and \x85 end no line"}
        request, second = recordings.load([self.write(*(json.dumps(entry, ensure_ascii=False) for entry in (ENTRY, odd)))])
        place = f"{self.folder.name}/one.jsonl:1"
        self.assertEqual((request.service, request.body, request.status, request.place), ("ec2", ENTRY["body"].encode(), 200, place))
        self.assertEqual(second.answer, odd["answer"].encode())

    def test_bodies_may_be_base64_or_not_kept(self):
        base64 = {**ENTRY, "body": None, "bodyBase64": "/w==", "bodyLength": 1}
        cut = {**ENTRY, "bodyLength": 1000}
        self.assertEqual([request.body for request in recordings.load([self.write(*map(json.dumps, [base64, cut]))])], [b"\xff", None])

    def test_only_an_unfinished_last_line_is_forgiven(self):
        self.assertEqual(len(list(recordings.load([self.write(json.dumps(ENTRY), '{"at', end="")]))), 1)
        for lines in (['{"at', json.dumps(ENTRY)], ['{"at'], ['{"at": 1}'], ["[]"]):
            with self.subTest(lines), self.assertRaises(recordings.BadRecording):
                list(recordings.load([self.write(*lines)]))

    def test_exit_codes(self):
        good, bad = json.dumps(ENTRY), json.dumps({**ENTRY, "body": ENTRY["body"] + "&Colour=red", "bodyLength": 0})
        table = [([good], 0, "1 requests, 1 operations, 0 violations"), ([good, bad], 1, "Colour"), (["{}"], 2, "one.jsonl:1")]
        for lines, code, word in table:
            with self.subTest(word):
                self.assertEqual(self.run_command("requests", str(self.write(*lines).parent))[0], code)
                self.assertIn(word, self.run_command("requests", str(self.folder))[1])
        self.write(end="")
        self.assertEqual(self.run_command("requests", str(self.folder))[0], 2)
        self.assertEqual(self.run_command("permissions", str(self.folder / "missing.jsonl"))[0], 2)

    def test_error_codes_must_be_listed_once(self):
        path = self.folder / "errors.md"
        codes = ["RequestThrottled", "QueueDoesNotExist", "InvalidAddress", "InvalidSecurity", "UnsupportedOperation"]
        text = "# Errors\n\n## SQS: every call\n\n" + "\n".join(f"| `{code}` | x |" for code in codes) + "\n\n### SQS GetQueueUrl\n"
        path.write_text(text)
        self.assertEqual(error_codes.check(path), [])
        path.write_text(text + "| `InvalidAddress` | x |\n\n### SQS SendMessage\n")
        found = "\n".join(error_codes.check(path))
        self.assertIn("sqs GetQueueUrl: InvalidAddress stands there twice", found)
        self.assertIn("sqs SendMessage: InvalidMessageContents is missing", found)
        sent = decode(recorded("sqs", "DeleteQueue", {"QueueUrl": "q"}))
        self.assertIn("says nothing of sqs DeleteQueue", error_codes.covers(path, [sent])[0])
        path.write_text("nothing")
        self.assertIn("no headings", error_codes.check(path)[0])


if __name__ == "__main__":
    unittest.main()
