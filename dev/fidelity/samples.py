"""The samples in deploy that make what a fleet needs in AWS. Knows nothing of what was recorded."""

import json
import re
from pathlib import Path

import hcl2
from cfnlint.api import lint
from cfnlint.decode import cfn_yaml

from .permissions import POLICIES

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "deploy/cloudformation/fleet.yaml"
CONFIGURATION = ROOT / "deploy/terraform"
# The fleet that the policies are published for.
FLEET = "imagenet"


def check() -> list[str]:
    """What is wrong with the samples; nothing when all is well."""
    text = "\n".join(file.read_text() for file in sorted(CONFIGURATION.glob("*.tf")))
    return template(TEMPLATE.read_text()) + configuration(text)


def template(text: str) -> list[str]:
    """What cfn-lint finds, and the roles whose policy is not the published one."""
    problems = [f"{TEMPLATE.name}: {finding.rule.id} {finding.message}" for finding in lint(text, regions=["us-east-1"])]
    resources = cfn_yaml.loads(text)["Resources"]
    for name, path in POLICIES.items():
        role = resources[f"{name.capitalize()}Role"]["Properties"]
        if _rendered(role["Policies"][0]["PolicyDocument"]) != json.loads(path.read_text()):
            problems.append(f"{TEMPLATE.name}: the policy of the {name} is not docs/iam/{path.name}")
    return problems


def _rendered(part):
    """As CloudFormation makes it for the fleet."""
    if isinstance(part, dict):
        sub = part.get("Fn::Sub")
        return sub.replace("${Fleet}", FLEET) if sub else {str(key): _rendered(value) for key, value in part.items()}
    return [_rendered(item) for item in part] if isinstance(part, list) else part


def configuration(text: str) -> list[str]:
    """What does not parse, names that are used and not declared, variables that are declared and not used."""
    try:
        parsed = hcl2.loads(text)
    except Exception as error:  # lark has a class for each way to be wrong
        return [f"the Terraform sample cannot be read: {error}"]
    declared = {f"var.{_bare(name)}" for block in parsed.get("variable", []) for name in block}
    variables = set(declared)
    declared |= {f"local.{name}" for block in parsed.get("locals", []) for name in block}
    declared |= {f"{_bare(kind)}.{_bare(name)}" for block in parsed.get("resource", []) for kind, named in block.items() for name in named}
    code = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
    used = set(re.findall(r"\b(?:var|local|aws_\w+)\.\w+", code))
    problems = [f"the Terraform sample uses {name}, which it does not declare" for name in sorted(used - declared)]
    return problems + [f"the Terraform sample declares {name} and does not use it" for name in sorted(variables - used)]


def _bare(label: str) -> str:
    return label.strip('"')
