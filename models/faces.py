#!/usr/bin/env python3
"""People for a face recogniser: cuts faces out of photos, and makes the gallery of a model folder from them.

    pip install -r models/requirements.txt
    python models/faces.py align photo.jpg --eyes 440,214,545,214 --out people/Ada/1.jpg
    python models/faces.py enrol --model face-recognition --people people

`align` turns, scales and cuts so that the middles of the eyes (left x, y, right x, y, as seen in the photo, in pixels) come to lie where the
model wants them. `enrol` takes a folder with a folder of aligned faces for each person, writes the gallery, and a new version of the model.
"""

import argparse
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from kit import folder
from kit.folder import expect, sha256

# Of face-recognition: the side of an aligned face, and where the eyes are.
SIDE, LEFT_EYE, RIGHT_EYE = 150, (48, 47), (102, 47)
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("align", help="cut a face out of a photo")
    command.add_argument("photo", type=Path)
    command.add_argument("--eyes", type=numbers, required=True, metavar="X,Y,X,Y", help="middles of the left and right eye as seen, in pixels")
    command.add_argument("--out", type=Path, required=True, help="the aligned face")
    command = commands.add_parser("enrol", help="make the gallery of a model folder")
    command.add_argument("--model", type=Path, required=True, help="the model folder; its gallery is replaced")
    command.add_argument("--people", type=Path, required=True, help="a folder with a folder of aligned faces for each person, named after them")
    command.add_argument("--version", help="version of the model with this gallery (default: the old one, a + and part of the gallery's hash)")
    arguments = parser.parse_args()
    align(arguments) if arguments.command == "align" else enrol(arguments)


def numbers(text):
    return [float(part) for part in text.split(",")]


def align(arguments):
    """Eyes to their places: a similarity, written as multiplication with a complex number and a shift."""
    from PIL import Image, ImageOps

    expect(len(arguments.eyes) == 4, "--eyes needs four numbers: the left eye's x and y, and the right eye's")
    left, right = complex(*arguments.eyes[:2]), complex(*arguments.eyes[2:])
    expect(right.real > left.real, "the left eye as seen in the photo comes first")
    photo = ImageOps.exif_transpose(Image.open(arguments.photo)).convert("RGB")
    turn = (right - left) / (complex(*RIGHT_EYE) - complex(*LEFT_EYE))
    shift = left - turn * complex(*LEFT_EYE)
    affine = (turn.real, -turn.imag, shift.real, turn.imag, turn.real, shift.imag)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    face = photo.transform((SIDE, SIDE), Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC)
    face.save(arguments.out, quality=92, subsampling=0)


def enrol(arguments):
    """The manifest last, so that an interrupted run leaves a folder that says what is wrong with it."""
    manifest = json.loads((arguments.model / "model.json").read_text())
    expect(manifest["output"]["kind"] == "embedding", f"{manifest['name']} is no model of embeddings; it has no gallery")
    text = folder.gallery_text(people(arguments, manifest)).encode()
    file = manifest["output"]["gallery"]
    folder.write_file(arguments.model / file["file"], text)
    file["sha256"] = sha256(text)
    manifest["version"] = arguments.version or f"{manifest['version'].split('+')[0]}+{file['sha256'][:8]}"
    folder.write_file(arguments.model / "model.json", folder.manifest_text(manifest).encode())
    print(f"{arguments.model} holds {manifest['name']} {manifest['version']}")


def people(arguments, manifest):
    from kit import reference

    onnx_file = (arguments.model / manifest["onnx"]["file"]).read_bytes()
    gallery = []
    for person in sorted(path for path in arguments.people.iterdir() if path.is_dir()):
        photos = sorted(path for path in person.iterdir() if path.suffix.lower() in SUFFIXES)
        expect(photos, f"{person} holds no images")
        vectors = [reference.answer(onnx_file, photo.read_bytes(), manifest["input"]) for photo in photos]
        gallery.append({"name": person.name, "vectors": vectors})
        print(f"{person.name}: {len(vectors)} faces")
    expect(gallery, f"{arguments.people} holds no folders; make one for each person, named after them")
    return gallery


if __name__ == "__main__":
    main()
