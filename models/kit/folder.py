"""Model folders: which files there are, their hashes, and how they are written."""

import hashlib
import json
import os
import sys
from pathlib import Path


def files(manifest: dict) -> list[dict]:
    """The files that the manifest names, each with its sha256."""
    output, golden = manifest["output"], manifest["golden"]
    return [manifest["onnx"], output.get("labels") or output["gallery"], golden["image"], golden["output"]]


def is_right(folder: Path, manifest: bytes) -> bool:
    """Whether the folder holds this very manifest and every file of it."""
    try:
        same = (folder / "model.json").read_bytes() == manifest
        return same and all(sha256((folder / file["file"]).read_bytes()) == file["sha256"] for file in files(json.loads(manifest)))
    except FileNotFoundError:
        return False


def write(folder: Path, manifest: bytes, contents: dict[str, bytes]):
    """The manifest last, so that an interrupted build leaves no folder that looks whole."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files(json.loads(manifest)):
        content = contents[file["file"]]
        expect(sha256(content) == file["sha256"], f"{file['file']} has sha256 {sha256(content)}, model.json says {file['sha256']}")
        write_file(folder / file["file"], content)
    write_file(folder / "model.json", manifest)


def write_file(path: Path, content: bytes):
    """All of it or none."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(path)


def manifest_text(manifest: dict) -> str:
    """A manifest as it is written."""
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"


def numbers(values) -> str:
    """An output as it is recorded: a JSON array, one number a line."""
    return "[\n" + ",\n".join(f"{value:.7g}" for value in values) + "\n]\n"


def gallery_text(gallery: list[dict]) -> str:
    """A gallery as it is written: one vector a line."""
    vectors = lambda entry: ",\n    ".join("[" + ", ".join(f"{value:.7g}" for value in vector) + "]" for vector in entry["vectors"])
    entries = [f'  {{"name": {json.dumps(entry["name"], ensure_ascii=False)}, "vectors": [\n    {vectors(entry)}\n  ]}}' for entry in gallery]
    return "[\n" + ",\n".join(entries) + "\n]\n"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def expect(right, otherwise: str):
    """Ends the program with a sentence unless things are as they should be."""
    if not right:
        sys.exit(otherwise)
