"""Runs cfn-lint on IAM policies: their structure, actions that exist, resources that fit the actions."""

import json
from pathlib import Path

from cfnlint.api import lint
from cfnlint.config import ManualArgs


def check(policies: dict[str, Path]) -> list[str]:
    """What cfn-lint finds wrong with the policies; nothing when all is well."""
    return [problem for name, path in policies.items() for problem in document(name, json.loads(path.read_text()))]


def document(name: str, policy: dict) -> list[str]:
    """What cfn-lint finds wrong with one policy."""
    # cfn-lint reads policies where they stand in CloudFormation templates.
    resource = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": policy}}
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"Policy": resource}}
    findings = lint(json.dumps(template), regions=["us-east-1"], config=ManualArgs(include_checks=["I"]))
    return [f"{name}: {_place(finding.path)}: {finding.rule.id} {finding.message[:200]}" for finding in findings]


def _place(path: list) -> str:
    return ".".join(str(part) for part in path[4:]) or "the document"
