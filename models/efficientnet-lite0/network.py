"""EfficientNet-Lite0 as an ONNX graph: fixed batch of 1, batch normalisation folded, softmax at the end.

The architecture is that of Tan and Le, "EfficientNet" (2019), in its Lite form: no squeeze-and-excitation, ReLU6.
"""

import math

import numpy as np
from kit.graph import Graph

INPUT, OUTPUT = "image", "probabilities"
SIDE, CLASSES = 224, 1000
BATCH_NORM_EPSILON = 1e-3

# Of each stage: repeats, kernel, stride of the first block, expansion, channels in, channels out.
STAGES = [
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
]


class Network(Graph):
    """Knows the checkpoint's names, and how large the image is by now."""

    def __init__(self, tensors: dict[str, np.ndarray]):
        super().__init__({name: tensor for name, tensor in tensors.items() if not name.endswith("num_batches_tracked")})
        self.side = SIDE
        self.constant("zero", np.float32(0))
        self.constant("six", np.float32(6))

    def convolution(self, x, weight, norm, kernel, stride=1, groups=1, relu6=True):
        """A convolution with its batch normalisation folded in: w·scale and bias − mean·scale."""
        w = self.take(f"{weight}.weight")
        gamma, beta, mean, variance = (self.take(f"{norm}.{part}") for part in ("weight", "bias", "running_mean", "running_var"))
        scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
        name = weight.lstrip("_").replace("._", "/").replace(".", "/")
        w = self.constant(f"{name}/weight", (w * scale[:, None, None, None]).astype(np.float32))
        b = self.constant(f"{name}/bias", (beta - mean * scale).astype(np.float32))
        y = self.node(
            "Conv", [x, w, b], name, kernel_shape=[kernel] * 2, strides=[stride] * 2, group=groups, pads=self._same_padding(kernel, stride)
        )
        return self.node("Clip", [y, "zero", "six"], f"{name}/relu6") if relu6 else y

    def _same_padding(self, kernel, stride):
        """TensorFlow's padding "SAME": an odd pixel goes to the right and below."""
        out = math.ceil(self.side / stride)
        total = max((out - 1) * stride + kernel - self.side, 0)
        self.side = out
        return [total // 2, total // 2, total - total // 2, total - total // 2]

    def block(self, x, number, kernel, stride, expansion, channels_in, channels_out):
        """An inverted residual: expand, depthwise, project; added to its input where shapes allow."""
        prefix, y = f"_blocks.{number}", x
        if expansion != 1:
            y = self.convolution(y, f"{prefix}._expand_conv", f"{prefix}._bn0", 1)
        y = self.convolution(y, f"{prefix}._depthwise_conv", f"{prefix}._bn1", kernel, stride, groups=channels_in * expansion)
        y = self.convolution(y, f"{prefix}._project_conv", f"{prefix}._bn2", 1, relu6=False)
        return self.node("Add", [y, x], f"blocks/{number}/add") if stride == 1 and channels_in == channels_out else y

    def classifier(self, x):
        """Pooled features to probabilities."""
        x = self.node("GlobalAveragePool", [x], "pool")
        x = self.node("Flatten", [x], "features", axis=1)
        w, b = self.constant("classifier/weight", self.unused.pop("_fc.weight")), self.constant("classifier/bias", self.unused.pop("_fc.bias"))
        x = self.node("Gemm", [x, w, b], "logits", transB=1)
        return self.node("Softmax", [x], OUTPUT, axis=-1)


def build(tensors: dict[str, np.ndarray]) -> bytes:
    """The ONNX file, the same bytes for the same tensors."""
    network = Network(tensors)
    x = network.convolution(INPUT, "_conv_stem", "_bn0", 3, stride=2)
    number = 0
    for repeats, kernel, first_stride, expansion, channels_in, channels_out in STAGES:
        for repeat in range(repeats):
            stride, channels = (first_stride, channels_in) if repeat == 0 else (1, channels_out)
            x = network.block(x, number, kernel, stride, expansion, channels, channels_out)
            number += 1
    network.classifier(network.convolution(x, "_conv_head", "_bn1", 1))
    return network.serialise("efficientnet-lite0", (INPUT, [1, 3, SIDE, SIDE]), (OUTPUT, [1, CLASSES]))
