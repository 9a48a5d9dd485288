"""Reads the tensors of a PyTorch checkpoint in the old pickle format, without PyTorch.

A pickle can run any code when it is loaded. This reader knows the five names that a checkpoint of tensors needs
and refuses every other one.
"""

import collections
import io
import pickle
import struct

import numpy as np

STORAGES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


class _Storage:
    """A flat run of numbers. The pickle names it first; its numbers follow behind the pickle."""

    def __init__(self, dtype):
        self.dtype = np.dtype(dtype)
        self.numbers = None


class _Tensor:
    """A view of a storage: offset, shape and strides, all counted in elements."""

    def __init__(self, storage, offset, shape, strides, *_autograd):
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def array(self):
        numbers = self.storage.numbers[self.offset :]
        bytes_per_step = [step * numbers.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(numbers, self.shape, bytes_per_step).copy()


class _Unpickler(pickle.Unpickler):
    def __init__(self, file, storages):
        super().__init__(file)
        self.storages = storages

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise pickle.UnpicklingError(f"the checkpoint asks for {module}.{name}, which no list of tensors needs; refused")

    def persistent_load(self, identifier):
        _, dtype, key, *_ = identifier
        return self.storages.setdefault(key, _Storage(dtype))


def read(checkpoint: bytes) -> dict[str, np.ndarray]:
    """All tensors of the checkpoint by name."""
    file, storages = io.BytesIO(checkpoint), {}
    for _ in ("magic number", "protocol", "system"):
        _Unpickler(file, storages).load()
    tensors = _Unpickler(file, storages).load()
    for key in _Unpickler(file, storages).load():
        (count,) = struct.unpack("<q", file.read(8))
        storage = storages[key]
        storage.numbers = np.frombuffer(file.read(count * storage.dtype.itemsize), storage.dtype)
    if file.read():
        raise ValueError("the checkpoint has bytes behind its last tensor: it is not of the old pickle format")
    return {name: tensor.array() for name, tensor in tensors.items()}
