#!/usr/bin/env python3
"""Makes a model folder of your own ONNX file: checks its inputs and outputs, records its golden output in onnxruntime, and hashes all files.

    pip install -r models/requirements.txt
    python models/add.py resnet50.onnx --out resnet50 --name resnet50 --licence Apache-2.0 \\
        --labels imagenet.txt --kind logits --image dog.jpg \\
        --fit cover --shorter-side 256 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --unit

`cargo xtask model add` takes the same arguments, brings Python's packages along, and has a worker's engines check the folder.
The preprocessing must be the one that the network was trained with: nothing in an ONNX file tells it.
"""

import argparse
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from kit import folder
from kit.folder import expect, sha256


def main():
    arguments = parse()
    onnx_file = read(arguments.onnx, "the ONNX file")
    layout, height, width = shape_of_input(onnx_file, arguments.size)
    manifest, contents = {}, {}
    manifest |= {"name": arguments.name, "version": arguments.version, "description": arguments.description or arguments.name}
    manifest |= {"licence": arguments.licence, "source": arguments.source or arguments.onnx.name}
    manifest["onnx"] = entry(contents, f"{arguments.name}.onnx", onnx_file)
    manifest["input"] = {"width": width, "height": height, "layout": layout} | preprocessing(arguments, width, height)
    image = read(arguments.image, "the golden image")
    values = record(onnx_file, image, manifest["input"])
    manifest["output"] = meaning(arguments, values, contents)
    manifest["golden"] = {
        "image": entry(contents, f"golden{arguments.image.suffix}", image),
        "output": entry(contents, "golden.json", folder.numbers(values).encode()),
        "tolerance": arguments.tolerance or round(0.002 * max(1.0, float(abs(values).max())), 6),
    }
    folder.write(arguments.out, folder.manifest_text(manifest).encode(), contents)
    print(f"{arguments.out} holds {arguments.name} {arguments.version}: {width} × {height} pixels in, {len(values)} numbers out")
    show(manifest, contents, values)


def parse():
    parser = argparse.ArgumentParser(prog="add", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("onnx", type=Path, help="the network: one float32 input of an image, one float32 output, weights inside")
    add("--out", type=Path, required=True, help="the model folder to make")
    add("--name", required=True, help="named in every result: letters, digits, - . _ +")
    add("--version", default="1", help="named in every result (default 1)")
    add("--description", help="what it tells apart (default: the name)")
    add("--licence", required=True, help="licences of weights, labels and golden image")
    add("--source", help="where the weights come from (default: the file's name)")
    add("--image", type=Path, required=True, help="the golden image: best one that the network is in two minds about")
    add("--tolerance", type=float, help="how far any number may be off (default 0.002, or that part of the largest number)")
    input_ = parser.add_argument_group("input: the preprocessing that the network was trained with")
    add = input_.add_argument
    add("--size", type=size, metavar="WxH", help="pixels, where the ONNX file leaves them open")
    add("--channels", choices=["RGB", "BGR"], default="RGB", help="order of the channels (default RGB)")
    add("--mean", type=three, default=[0.0, 0.0, 0.0], metavar="A,B,C", help="subtracted from each channel; one number for all (default 0)")
    add("--std", type=three, default=[1.0, 1.0, 1.0], metavar="A,B,C", help="each channel is divided by it; one number for all (default 1)")
    add("--unit", action="store_true", help="mean and std are those of pixels from 0 to 1, as torchvision has them, not 0 to 255")
    add("--fit", choices=["cover", "stretch", "pad"], default="cover", help="how images of other shapes become the input's (default cover)")
    add("--shorter-side", type=int, metavar="PIXELS", help="cover: length of the shorter side before the middle is taken (default: no less)")
    add("--resize", type=size, metavar="WxH", help="stretch: size before the middle is taken (default: the input's)")
    add("--colour", type=colour, default=[0, 0, 0], metavar="R,G,B", help="pad: what the rest is filled with (default 0,0,0)")
    add("--filter", choices=["bilinear", "bicubic"], default="bilinear", help="how pixels are interpolated (default bilinear)")
    output = parser.add_argument_group("output: what the numbers mean")
    add = output.add_argument
    add("--kind", choices=["probabilities", "logits", "embedding"], required=True, help="logits: the worker applies softmax")
    add("--labels", type=Path, help="probabilities, logits: UTF-8, one label a line, in the order of the output")
    add("--gallery", type=Path, help="embedding: names and vectors; begin with none and let models/faces.py enrol fill it")
    add("--distance", choices=["euclidean", "cosine"], default="euclidean", help="embedding: how far vectors are apart (default euclidean)")
    add("--threshold", type=float, help="embedding: the largest distance at which something is known")
    add("--unknown", default="unknown", help="embedding: the label of strangers (default unknown)")
    add("--top-k", type=int, default=5, help="how many predictions a result names (default 5)")
    return parser.parse_args()


def size(text):
    width, height = (int(side) for side in text.lower().split("x"))
    return width, height


def three(text):
    numbers = [float(part) for part in text.split(",")]
    if len(numbers) not in (1, 3):
        raise argparse.ArgumentTypeError(f"{text!r} is neither one number for all channels nor three")
    return numbers * (3 // len(numbers))


def colour(text):
    return [int(part) for part in text.split(",")]


def read(path, what):
    try:
        return path.read_bytes()
    except OSError as error:
        sys.exit(f"{what} cannot be read: {error}")


def entry(contents, name, content):
    """A file of the folder, as the manifest names it."""
    contents[name] = content
    return {"file": name, "sha256": sha256(content)}


def shape_of_input(onnx_file, wanted):
    """Layout, height and width. Ends the program when a worker could not run the network."""
    import onnx

    try:
        model = onnx.load_model_from_string(onnx_file)
        outside = [weight.name for weight in model.graph.initializer if weight.data_location == onnx.TensorProto.EXTERNAL]
        expect(not outside, f"the weights {outside[:3]} lie in another file; save the model with all inside (save_as_external_data=False)")
        onnx.checker.check_model(model)
    except Exception as error:  # whatever protobuf and the checker raise, the file is to blame
        sys.exit(f"this is no ONNX file: {error}")
    constants = {weight.name for weight in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    for values, what in ((inputs, "inputs"), (model.graph.output, "outputs")):
        names = [value.name for value in values]
        expect(len(values) == 1, f"the network has the {what} {names}; one is needed: cut the others off (onnx.utils.extract_model)")
        kind = onnx.TensorProto.DataType.Name(values[0].type.tensor_type.elem_type)
        expect(kind == "FLOAT", f"{values[0].name} is of type {kind}; FLOAT is needed: export the network with float32 {what}")
    dims = [dim.dim_value or None for dim in inputs[0].type.tensor_type.shape.dim]
    expect(len(dims) == 4, f"{inputs[0].name} has {len(dims)} dimensions; 4 are needed: a batch of images")
    return layout_of(inputs[0].name, dims, wanted)


def layout_of(name, dims, wanted):
    expect(dims[0] in (None, 1), f"{name} takes batches of {dims[0]}; export the network with a batch of 1 or an open one")
    expect(dims[1] == 3 or dims[3] == 3, f"{name} has the shape {dims}; the second or the last dimension must be 3, the channels")
    layout, height, width = ("NCHW", dims[2], dims[3]) if dims[1] == 3 else ("NHWC", dims[1], dims[2])
    if wanted:
        expect((height or wanted[1], width or wanted[0]) == (wanted[1], wanted[0]), f"{name} has {width} × {height} pixels, --size says otherwise")
        width, height = wanted
    expect(width and height, f"{name} takes images of any size; say with --size which one to use")
    return layout, height, width


def preprocessing(arguments, width, height):
    """The rest of `input` of the manifest."""
    scale = 255.0 if arguments.unit else 1.0
    resize = {"fit": arguments.fit}
    if arguments.fit == "cover":
        resize["shorterSide"] = arguments.shorter_side or max(width, height)
    if arguments.fit == "stretch":
        resize["width"], resize["height"] = arguments.resize or (width, height)
    if arguments.fit == "pad":
        resize["colour"] = arguments.colour
    return {
        "channels": arguments.channels,
        "mean": [round(value * scale, 6) for value in arguments.mean],
        "std": [round(value * scale, 6) for value in arguments.std],
        "resize": resize | {"filter": arguments.filter},
    }


def record(onnx_file, image, spec):
    """The network's output for the golden image."""
    import numpy as np
    from kit import reference

    try:
        values = reference.answer(onnx_file, image, spec)
    except Exception as error:  # Pillow's or onnxruntime's: their sentence says more than a traceback
        sys.exit(f"the golden image cannot be classified in onnxruntime: {error}")
    expect(np.isfinite(values).all(), "the network's output for the golden image holds something that is no number")
    return values


def meaning(arguments, values, contents):
    """`output` of the manifest."""
    if arguments.kind == "embedding":
        expect(arguments.threshold, "--threshold is missing: the largest distance at which something is known")
        gallery = read(arguments.gallery, "the gallery") if arguments.gallery else stranger(values)
        spec = {"gallery": entry(contents, "gallery.json", gallery), "distance": arguments.distance, "threshold": arguments.threshold}
        return {"kind": "embedding"} | spec | {"unknown": arguments.unknown, "topK": arguments.top_k}
    expect(arguments.labels, "--labels is missing: a file with one label a line")
    labels = read(arguments.labels, "the labels")
    count = len(labels.decode().splitlines())
    expect(count == len(values), f"{arguments.labels} has {count} labels, the network tells {len(values)} classes apart")
    check_scores(arguments.kind, values)
    return {"kind": arguments.kind, "labels": entry(contents, "labels.txt", labels), "topK": arguments.top_k}


def stranger(values):
    """A gallery needs a name; the golden image's own is as good as any."""
    return folder.gallery_text([{"name": "golden image", "vectors": [values]}]).encode()


def check_scores(kind, values):
    """Whether they are what they are said to be."""
    are_probabilities = bool((values >= 0).all() and abs(values.sum() - 1) < 1e-3)
    hint = f"its output for the golden image goes from {values.min():.3g} to {values.max():.3g} and sums up to {values.sum():.3g}"
    if kind == "probabilities":
        expect(are_probabilities or (values >= 0).all() and (values <= 1).all(), f"{hint}: no probabilities; say --kind logits")
    else:
        expect(not are_probabilities, f"{hint}: these are probabilities already; say --kind probabilities")


def show(manifest, contents, values):
    """What the golden image is taken for, so that a person can judge the preprocessing."""
    if manifest["output"]["kind"] == "embedding":
        return
    labels = contents["labels.txt"].decode().splitlines()
    best = ", ".join(f"{labels[index]} ({values[index]:.3g})" for index in (-values).argsort()[: manifest["output"]["topK"]])
    print(f"the golden image is taken for: {best}")


if __name__ == "__main__":
    main()
