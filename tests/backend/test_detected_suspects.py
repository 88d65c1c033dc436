"""Mistakes in detections, through the whole pipeline: what is wrong for them is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from inference_backend.evaluation.detected_suspects import rows, table
from inference_backend.evaluation.planted_detections import MISTAKES

RENDERED = Path(__file__).parents[2] / "inference_backend" / "evaluation" / "rendered_test.npz"


def test_a_wrong_knee_is_found() -> None:
    (row,) = rows(RENDERED, 2, mistakes={"knee": MISTAKES["knee"]})
    assert row.planted == 20
    assert 5 <= row.frames <= 20
    assert row.found > 0.8
    assert row.false <= row.false_without + 0.05
    assert np.isclose(sum(share for _, share in row.causes), 1)
    assert "| knee | 20 |" in table([row])
