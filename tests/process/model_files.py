"""Model files as other people publish them, and one that would run something."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from inference_backend.lifters.temporal_model import TemporalModel


def published(path: Path, *, prefix: str = "", channels: int = 8, **more: Any) -> Path:
    """A checkpoint as VideoPose3D's training writes it: old format, with the state of numpy's generator."""
    network = TemporalModel(34, 51, widths=(3, 3, 3), channels=channels)
    state = {prefix + key: value for key, value in network.state_dict().items()}
    content = {"epoch": 80, "lr": np.float64(1e-3), "random_state": np.random.RandomState(1), "optimizer": {}}
    torch.save({**content, "model_pos": state, **more}, path, _use_new_zipfile_serialization=False)
    return path


class Command:
    """In a pickle: makes the folder `was-run` where it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("was-run",)
