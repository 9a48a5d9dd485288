"""Holds bills of materials against CycloneDX's own schema: cyclonedx.py FOLDER_OF_SCHEMAS BILL..."""

import json
import pathlib
import sys

from jsonschema import Draft7Validator
from referencing import Registry, Resource

schemas, *bills = map(pathlib.Path, sys.argv[1:])
names = ["bom-1.6.schema.json", "spdx.schema.json", "jsf-0.82.schemax.json"]
loaded = [json.loads((schemas / name).read_text()) for name in names]
registry = Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in loaded)
validator = Draft7Validator(loaded[0], registry=registry)
wrong = []
for path in bills:
    bill = json.loads(path.read_text())
    wrong += [f"{path.name}: {error.json_path}: {error.message}" for error in validator.iter_errors(bill)]
    known = {bill["metadata"]["component"]["bom-ref"], *(component["bom-ref"] for component in bill["components"])}
    used = {name for dependency in bill["dependencies"] for name in [dependency["ref"], *dependency["dependsOn"]]}
    # The schema cannot say it.
    if used != known:
        wrong.append(f"{path.name}: references differ from components: {sorted(used ^ known)}")
sys.exit("\n".join(wrong) or None)
