#!/usr/bin/env python3
"""Makes the model folder that the worker's tests use: a network of two nodes that tells red, green and blue apart.

    pip install -r models/requirements.txt
    python worker/tests/colours/make.py
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

HERE = Path(__file__).resolve().parent
SIDE = 8


def main():
    (HERE / "colours.onnx").write_bytes(network())
    (HERE / "labels.txt").write_text("red\ngreen\nblue\n")
    pixels = np.zeros((12, 16, 3), np.uint8) + np.uint8([200, 80, 40])
    Image.fromarray(pixels).save(HERE / "golden.png")
    session = onnxruntime.InferenceSession(HERE / "colours.onnx", providers=["CPUExecutionProvider"])
    tensor = np.ascontiguousarray(pixels[:SIDE, :SIDE].transpose(2, 0, 1)[None], np.float32) / 255
    (scores,) = session.run(None, {"image": tensor})
    (HERE / "golden.json").write_text(json.dumps([round(float(score), 6) for score in scores.ravel()]) + "\n")
    (HERE / "model.json").write_text(json.dumps(manifest(), indent=2) + "\n")


def network():
    """The mean of each channel, times ten: a score per colour."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["means"], axis=1),
        helper.make_node("Mul", ["means", "ten"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(np.float32(10), "ten")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def manifest():
    return {
        "name": "colours",
        "version": "1",
        "description": "Whether an image is rather red, green or blue",
        "licence": "Apache-2.0",
        "source": "worker/tests/colours/make.py",
        "onnx": file("colours.onnx"),
        "input": {
            "width": SIDE,
            "height": SIDE,
            "layout": "NCHW",
            "channels": "RGB",
            "mean": [0.0, 0.0, 0.0],
            "std": [255.0, 255.0, 255.0],
            "resize": {"fit": "cover", "shorterSide": SIDE, "filter": "bilinear"},
        },
        "output": {"kind": "logits", "labels": file("labels.txt"), "topK": 2},
        "golden": {"image": file("golden.png"), "output": file("golden.json"), "tolerance": 0.01},
    }


def file(name):
    return {"file": name, "sha256": hashlib.sha256((HERE / name).read_bytes()).hexdigest()}


if __name__ == "__main__":
    main()
