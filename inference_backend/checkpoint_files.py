"""Public checkpoints of torch, read without running what is in them.

`torch.load` with weights_only makes tensors only; what published files hold besides, as a training's random state, is
named here and becomes nothing.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from .errors import UnsafePickle, WeightsCorrupt, WeightsMissing
from .lifters.temporal_model import TemporalModel, load_state

_IGNORED_NAMES: Final = (
    "numpy.random.__RandomState_ctor",
    "numpy.random._pickle.__randomstate_ctor",
    "numpy.random._pickle.__bit_generator_ctor",
    "numpy.random._mt19937.MT19937",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.ndarray",
    "numpy.dtype",
    "_codecs.encode",
)
_FORBIDDEN: Final = re.compile(
    r"unsupported (global|class|persistent)|unrecognized function|can only (build|create)", re.IGNORECASE
)
"""What torch says where a file asks for more, and not where it is damaged."""


class _Ignored:
    """Stands for what is not asked for; keeps and runs nothing."""

    def __init__(self, *_arguments: Any) -> None:
        pass

    def __setstate__(self, _state: Any) -> None:
        pass


def load_videopose3d(path: Path) -> TemporalModel:
    """A checkpoint of VideoPose3D as its authors publish it: 2D keypoints over time → 3D joints, on the CPU.

    Raises WeightsMissing, UnsafePickle (it asks for more than tensors), or WeightsCorrupt (another network).
    """
    content = read_checkpoint(path)
    state = content.get("model_pos") if isinstance(content, Mapping) else None
    try:
        if not isinstance(state, Mapping):
            raise KeyError("no model_pos")
        tensors = {str(key).removeprefix("module."): torch.as_tensor(value) for key, value in state.items()}
        network = _shaped_as(tensors)
        load_state(network, tensors)
    except (KeyError, TypeError, ValueError, RuntimeError, IndexError) as error:
        raise WeightsCorrupt(
            f"{path.name} is no checkpoint of VideoPose3D: {error}",
            hint="Give the file as its authors publish it, as pretrained_h36m_cpn.bin.",
            path=str(path),
        ) from error
    return network.eval()


def read_checkpoint(path: Path) -> Any:
    """The content of a checkpoint, tensors on the CPU. Raises WeightsMissing, UnsafePickle, WeightsCorrupt."""
    if not path.is_file():
        raise WeightsMissing(f"no checkpoint at {path}", hint="Give the path of your file.", path=str(path))
    try:
        with torch.serialization.safe_globals([(_Ignored, name) for name in _IGNORED_NAMES]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if _FORBIDDEN.search(str(error)) is None:
            raise _unreadable(path, error) from error
        named = re.search(r"GLOBAL (\S+)", str(error))
        asks = named[1] if named else "more than tensors"
        raise UnsafePickle(
            f"{path.name} asks for {asks}, which weights have no use for; nothing of it was run",
            hint="Do not open this file with other programs; download it again from its authors.",
            path=str(path),
            reason=str(error),
        ) from error
    except Exception as error:  # torch.load raises almost anything for what is no checkpoint
        raise _unreadable(path, error) from error


def _shaped_as(state: Mapping[str, Tensor]) -> TemporalModel:
    """The network that such weights are of, by their shapes."""
    first, last = state["expand_conv.weight"], state["shrink.weight"]
    count = sum(key.startswith("layers_conv.") and key.endswith(".weight") for key in state) // 2
    widths = [first.shape[2], *(state[f"layers_conv.{2 * block}.weight"].shape[2] for block in range(count))]
    return TemporalModel(first.shape[1], last.shape[0], widths=widths, channels=first.shape[0])


def _unreadable(path: Path, error: Exception) -> WeightsCorrupt:
    # torch's advice on how to load it unsafely is left out.
    said = re.search(r"WeightsUnpickler error: (.*)", str(error))
    reason = said[1].strip() if said else str(error) or type(error).__name__
    return WeightsCorrupt(
        f"{path.name} is no readable checkpoint: {reason}",
        hint="The file is damaged or of another kind; download it again from its authors.",
        path=str(path),
    )
