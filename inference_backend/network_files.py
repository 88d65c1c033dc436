"""Weight files of networks trained here: loaded strictly, in half precision on disk, in float32 at work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from .errors import WeightsCorrupt, WeightsMissing

Network = TypeVar("Network", bound=nn.Module)


def read_network(
    path: Path, what: str, command: str, build: Callable[[Mapping[str, Any], Mapping[str, Tensor]], Network]
) -> Network:
    """The network of a weight file.

    Args:
        path: a file with the entry "network", a state dict, and what `build` needs.
        what: the kind of network, for messages: "lifter".
        command: the `train` command that makes such a file.
        build: the file's entries and the state dict in float32 → the network with these weights.

    Raises:
        WeightsMissing: no such file.
        WeightsCorrupt: no weight file, or one of another network or version.
    """
    if not path.is_file():
        raise WeightsMissing(
            f"no {what} at {path}",
            hint=f"Give the right path, or make the file with: python -m inference_backend train {command}",
            path=str(path),
        )
    try:
        file = torch.load(path, map_location="cpu", weights_only=True)
        return build(file, {key: value.float() for key, value in file["network"].items()})
    except Exception as fault:  # torch.load raises almost anything for what is no weight file
        raise WeightsCorrupt(
            f"{path.name} is not a {what} of this version",
            hint=f"Install the backend again, or remake the file with: python -m inference_backend train {command}",
            path=str(path),
            reason=str(fault),
        ) from fault
