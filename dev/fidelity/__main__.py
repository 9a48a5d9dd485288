"""`python -m fidelity COMMAND`, with the folder `dev` in PYTHONPATH."""

import argparse
import sys
import unittest
from pathlib import Path

from . import emulators, error_codes, lint, permissions, recordings, requests, samples

ROOT = Path(__file__).resolve().parents[2]
ERRORS = ROOT / "docs/aws-errors.md"
CHECKS = {
    "requests": "check recorded requests against AWS's service models",
    "permissions": "check the published IAM policies against recorded requests",
    "errors": "check docs/aws-errors.md against AWS's service models and recorded requests",
    "all": "all of these, and lint",
}


def main() -> int:
    """Runs one of the commands. The exit code is 1 when something is wrong, 2 when there is nothing to check."""
    args = _parser().parse_args()
    if args.command == "lint":
        return _lint()
    if args.command == "emulators":
        print(emulators.table({"sqs": args.sqs, "s3": args.s3}))
        return 0
    if args.command == "test":
        return _test()
    try:
        report = requests.check(recordings.load(args.recordings))
    except (recordings.BadRecording, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if not report.calls:
        print(f"there is no recorded request in {', '.join(map(str, args.recordings))}", file=sys.stderr)
        return 2
    return _check(args.command, report)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fidelity", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in CHECKS.items():
        commands.add_parser(name, help=what).add_argument("recordings", nargs="+", type=Path, help="*.jsonl files, or folders of them")
    commands.add_parser("lint", help="run the linter on the published policies and on the samples for CloudFormation and Terraform")
    commands.add_parser("test", help="run the tests of these checks")
    stand_ins = commands.add_parser("emulators", help="find out what stand-ins for SQS and S3 can do")
    stand_ins.add_argument("--sqs", required=True, help="URL of the stand-in for SQS")
    stand_ins.add_argument("--s3", required=True, help="URL of the stand-in for S3")
    return parser


def _check(command: str, report: requests.Report) -> int:
    codes = []
    if command in ("requests", "all"):
        print(requests.text(report))
        codes.append(bool(report.violations))
    if command in ("permissions", "all"):
        outcome = permissions.check(report.calls_understood)
        print(permissions.text(outcome))
        codes.append(bool(outcome.problems))
    if command in ("errors", "all"):
        problems = error_codes.check(ERRORS) + error_codes.covers(ERRORS, report.calls_understood)
        codes.append(_said(problems, f"{ERRORS.name} lists every error code of the models, for each call that was seen"))
    if command == "all":
        codes.append(_lint())
    return int(any(codes))


def _lint() -> int:
    policies = _said(lint.check(permissions.POLICIES), "the policies pass cfn-lint")
    return policies or _said(samples.check(), "the samples for CloudFormation and Terraform are right, and give what the policies give")


def _test() -> int:
    tests = unittest.defaultTestLoader.discover(str(Path(__file__).parent / "tests"), top_level_dir=str(ROOT / "dev"))
    result = unittest.TextTestRunner(stream=sys.stdout).run(tests)
    failed = len(result.failures) + len(result.errors)
    # The words of cargo, whose counts are added up.
    print(f"test result: {'FAILED' if failed else 'ok'}. {result.testsRun - failed} passed; {failed} failed; {len(result.skipped)} ignored")
    return int(failed > 0 or result.testsRun == 0)


def _said(problems: list[str], otherwise: str) -> int:
    print("\n".join(problems) or otherwise)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
