"""Reads the weights of a TensorFlow.js model: tensors one behind the other, some of them quantised."""

import numpy as np


def read(manifest: list[dict], shard: bytes) -> dict[str, np.ndarray]:
    """All tensors by name, as float32. `manifest` is the parsed weights manifest."""
    tensors, offset = {}, 0
    for spec in (spec for group in manifest for spec in group["weights"]):
        quantisation = spec.get("quantization")
        dtype = np.dtype(quantisation["dtype"] if quantisation else spec["dtype"])
        count = int(np.prod(spec["shape"]))
        tensor = np.frombuffer(shard, dtype, count, offset)
        offset += count * dtype.itemsize
        if quantisation:
            tensor = tensor.astype(np.float64) * quantisation["scale"] + quantisation["min"]
        tensors[spec["name"]] = tensor.reshape(spec["shape"]).astype(np.float32)
    if offset != len(shard):
        raise ValueError(f"the weights have {len(shard)} bytes, their manifest describes {offset}")
    return tensors
