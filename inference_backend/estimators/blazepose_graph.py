"""BlazePose's networks as loaded graphs: tensors in, tensors out, and nothing computed that nobody wants.

TensorFlow Lite executes every operator of a file, whether or not its results are read. The landmark network spends 40%
of its time on the mask, so where no mask is wanted the graph is loaded without that output and all that leads only
there. The other outputs stay the same to the bit.
"""

from __future__ import annotations

from typing import Any, Final

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from ..weights import model_path

_FILE_IDENTIFIER: Final = b"TFL3"


class Graph:
    """A registered network on one thread: frames are independent, so processes share the cores better than threads.

    Not safe to share between threads.
    """

    def __init__(self, name: str, without: tuple[int, ...] | None = None) -> None:
        """Load model `name`, leaving out the output of shape `without`.

        Raises:
            WeightsMissing, WeightsCorrupt: from `model_path`.
        """
        # Content instead of a path: the C library opens no path that is not ASCII on Windows.
        content = model_path(name).read_bytes()
        if without is not None:
            content = prune(content, without)
        self._interpreter = Interpreter(model_content=content, num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._outputs = {tuple(map(int, d["shape"])): d["index"] for d in self._interpreter.get_output_details()}

    def run(self, values: npt.NDArray[np.float32]) -> None:
        """Compute all outputs for an input (1, side, side, 3) float32."""
        self._interpreter.set_tensor(self._input["index"], values)
        self._interpreter.invoke()

    def output(self, *shape: int) -> npt.NDArray[Any]:
        """A copy of the last run's output of this shape, without its first axis (the batch of one)."""
        return np.asarray(self._interpreter.get_tensor(self._outputs[shape])[0])


def prune(content: bytes, without: tuple[int, ...]) -> bytes:
    """A TensorFlow Lite model without its output of one shape, and without the operators that only it needs."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    graph = model.subgraphs[0]
    outputs = [index for index in graph.outputs if tuple(graph.tensors[index].shape) != without]
    if len(outputs) == len(graph.outputs):
        raise ValueError(f"the model has no output of shape {without}")
    needed, operators = set(outputs), []
    for operator in reversed(graph.operators):
        if needed.intersection(operator.outputs):
            needed.update(operator.inputs)
            operators.append(operator)
    graph.outputs, graph.operators = outputs, operators[::-1]
    model.signatureDefs = []  # they name the output that is gone
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), _FILE_IDENTIFIER)
    return bytes(builder.Output())
