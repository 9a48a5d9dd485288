"""What a model must answer: preprocessing with Pillow, inference with onnxruntime, as `model.json` describes them.

The worker does the same in Rust; the golden output in the model folder compares the two at each of its starts.
"""

import io

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def prepare(image: bytes, spec: dict) -> np.ndarray:
    """The input tensor (batch of 1, float32) of an encoded image. `spec` is `input` of the manifest."""
    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(image))).convert("RGB")
    pixels = np.asarray(_fit(picture, spec), np.float32)
    if spec["channels"] == "BGR":
        pixels = pixels[:, :, ::-1]
    pixels = (pixels - np.float32(spec["mean"])) / np.float32(spec["std"])
    if spec["layout"] == "NCHW":
        pixels = pixels.transpose(2, 0, 1)
    return np.ascontiguousarray(pixels[None])


def _fit(picture, spec):
    """The picture, resized, and of that the middle; what is missing is filled."""
    width, height = spec["width"], spec["height"]
    resize = spec["resize"]
    picture = picture.resize(_size(picture.size, spec), Image.Resampling[resize["filter"].upper()])
    if resize["fit"] == "pad":
        canvas = Image.new("RGB", (width, height), tuple(resize["colour"]))
        canvas.paste(picture, ((width - picture.width) // 2, (height - picture.height) // 2))
        return canvas
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


def _size(size, spec):
    """Width and height after resizing; a half is rounded up, as everywhere but in Python."""
    resize = spec["resize"]
    match resize["fit"]:
        case "cover":
            return [resize["shorterSide"] * side // min(size) for side in size]
        case "stretch":
            return [resize["width"], resize["height"]]
        case "pad":
            most = (spec["width"], spec["height"])
            scale = min(limit / side for limit, side in zip(most, size))
            return [min(max(int(side * scale + 0.5), 1), limit) for side, limit in zip(size, most)]
        case other:
            raise ValueError(f"input.resize.fit is {other!r}; it must be cover, stretch or pad")


def infer(onnx_file: bytes, tensor: np.ndarray) -> np.ndarray:
    """The model's raw output, flat."""
    session = onnxruntime.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {session.get_inputs()[0].name: tensor})
    return output.ravel()


def answer(onnx_file: bytes, image: bytes, spec: dict) -> np.ndarray:
    """The model's raw output for an encoded image, flat."""
    return infer(onnx_file, prepare(image, spec))
