"""What the tests of the main job share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from inference_backend.errors import WeightsCorrupt, WeightsMissing
from inference_backend.pipeline import models_of
from inference_backend.progress import Progress
from inference_backend.solve_preset import SolvePreset
from inference_backend.weights import model_path

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "demo" / "demo.mp4"
"""A person of our own rendering, 960 × 720, 30 frames a second, 200 frames, seen in all of them."""


def missing() -> str | None:
    """Why the main job cannot run here, and what to do."""
    try:
        for name in ("body", *models_of(SolvePreset())):
            model_path(name)
    except (WeightsMissing, WeightsCorrupt) as error:
        return f"{error.message}. {error.hint}"
    return None


needs_models = pytest.mark.skipif(missing() is not None, reason=str(missing()))


@pytest.fixture(autouse=True)
def torch_threads() -> Iterator[None]:
    """The pipeline sets torch's threads for the whole process; other tests want theirs back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def silent(progress: Progress) -> None:
    """Reports to nobody."""
