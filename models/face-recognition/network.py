"""The face recognition network as an ONNX graph: fixed batch of 1, 150 × 150 pixels in, a vector of 128 numbers out.

The architecture is dlib's (King, 2017): a ResNet with 29 convolutions, each followed by a learned scale and offset, which are folded in.
"""

import numpy as np
from kit.graph import Graph

INPUT, OUTPUT = "image", "embedding"
SIDE, LENGTH = 150, 128

# In order: a block keeps size and channels, or ("_down") halves the size.
BLOCKS = [
    "conv32_1", "conv32_2", "conv32_3",
    "conv64_down", "conv64_1", "conv64_2", "conv64_3",
    "conv128_down", "conv128_1", "conv128_2",
    "conv256_down", "conv256_1", "conv256_2", "conv256_down_out",
]  # fmt: skip


class Network(Graph):
    """Knows dlib's names."""

    def convolution(self, x, name, stride, padding, relu=True):
        """A convolution with its scale and offset folded in: w·scale and bias·scale + offset."""
        scale = self.take(f"{name}/scale/weights")
        w = self.take(f"{name}/conv/filters").transpose(3, 2, 0, 1) * scale[:, None, None, None]
        b = self.take(f"{name}/conv/bias") * scale + self.take(f"{name}/scale/biases")
        side = w.shape[2]
        inputs = [x, self.constant(f"{name}/weight", w.astype(np.float32)), self.constant(f"{name}/bias", b.astype(np.float32))]
        y = self.node("Conv", inputs, name, kernel_shape=[side] * 2, strides=[stride] * 2, pads=[padding] * 4)
        return self.node("Relu", [y], f"{name}/relu") if relu else y

    def block(self, x, name, side, channels):
        """A residual block; returns also the side and the channels of what it gives."""
        down = "_down" in name
        first_stride, first_padding = (2, 0) if down else (1, 1)
        y = self.convolution(x, f"{name}/conv1", first_stride, first_padding)
        y = self.convolution(y, f"{name}/conv2", 1, 1, relu=False)
        if down:
            channels_out = self.weights[-1].dims[0]
            x, y, side = self._halved(x, y, name, side, channels_out - channels)
            channels = channels_out
        sum_ = self.node("Add", [y, x], f"{name}/add")
        return self.node("Relu", [sum_], f"{name}/out"), side, channels

    def _halved(self, x, y, name, side, more_channels):
        """The shortcut: every other mean of 2 × 2, and zeros for the channels that are new. An odd row and column of zeros make both alike."""
        convolved, pooled = (side - 3) // 2 + 1, side // 2
        x = self.node("AveragePool", [x], f"{name}/pool", kernel_shape=[2, 2], strides=[2, 2])
        if more_channels:
            x = self._padded(x, f"{name}/channels", [0, more_channels, 0, 0])
        if pooled != convolved:
            y = self._padded(y, f"{name}/edge", [0, 0, pooled - convolved, pooled - convolved])
        return x, y, pooled

    def _padded(self, x, name, behind):
        return self.node("Pad", [x, self.constant(f"{name}/pads", np.array([0, 0, 0, 0, *behind], np.int64))], name)


def build(tensors: dict[str, np.ndarray]) -> bytes:
    """The ONNX file, the same bytes for the same tensors."""
    network = Network(tensors)
    x = network.convolution(INPUT, "conv32_down", 2, 0)
    x = network.node("MaxPool", [x], "pool", kernel_shape=[3, 3], strides=[2, 2])
    side, channels = ((SIDE - 7) // 2 + 1 - 3) // 2 + 1, 32
    for name in BLOCKS:
        x, side, channels = network.block(x, name, side, channels)
    x = network.node("Flatten", [network.node("GlobalAveragePool", [x], "mean")], "features", axis=1)
    network.node("MatMul", [x, network.constant("fc", network.unused.pop("fc"))], OUTPUT)
    return network.serialise("face-recognition", (INPUT, [1, 3, SIDE, SIDE]), (OUTPUT, [1, LENGTH]))
