"""What the model must answer: preprocessing with Pillow, inference with onnxruntime, as `model.json` describes them.

The worker does the same in Rust; the golden output in the model folder compares the two at each of its starts.
"""

import io

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def prepare(image: bytes, spec: dict) -> np.ndarray:
    """The input tensor (batch of 1, float32) of an encoded image. `spec` is `input` of the manifest."""
    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(image))).convert("RGB")
    short = spec["resize"]["shorterSide"]
    ratio = short / min(picture.size)
    resampling = Image.Resampling[spec["resize"]["filter"].upper()]
    picture = picture.resize([max(short, int(side * ratio)) for side in picture.size], resampling)
    left, top = (picture.width - spec["width"]) // 2, (picture.height - spec["height"]) // 2
    pixels = np.asarray(picture.crop((left, top, left + spec["width"], top + spec["height"])), np.float32)
    if spec["channels"] == "BGR":
        pixels = pixels[:, :, ::-1]
    pixels = (pixels - np.float32(spec["mean"])) / np.float32(spec["std"])
    if spec["layout"] == "NCHW":
        pixels = pixels.transpose(2, 0, 1)
    return np.ascontiguousarray(pixels[None])


def infer(onnx_file: bytes, tensor: np.ndarray) -> np.ndarray:
    """The model's raw output, flat."""
    session = onnxruntime.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {session.get_inputs()[0].name: tensor})
    return output.ravel()
