"""An ONNX graph, put together by hand: nodes, weights, and which of the given tensors are used. Knows no architecture."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 13, 8


class Graph:
    """A network of one input and one output; a recipe derives its own from it."""

    def __init__(self, tensors: dict[str, np.ndarray]):
        self.unused = dict(tensors)
        self.nodes, self.weights = [], []

    def take(self, name):
        """A tensor, for computing with: it is used now."""
        return self.unused.pop(name).astype(np.float64)

    def constant(self, name, value):
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, operator, inputs, name, **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    def serialise(self, name, inputs, outputs) -> bytes:
        """The ONNX file, the same bytes for the same tensors. `inputs` and `outputs` are a name and a shape each."""
        if self.unused:
            raise ValueError(f"the weights have tensors that the network does not: {sorted(self.unused)}")
        values = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)] for name, shape in (inputs, outputs)]
        graph = helper.make_graph(self.nodes, name, *values, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="classifierfleet")
        onnx.checker.check_model(model, full_check=True)
        return model.SerializeToString(deterministic=True)
