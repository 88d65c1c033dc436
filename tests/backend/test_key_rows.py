"""The few rows of an edit that are keyed, and what curves through them hold."""

from __future__ import annotations

import numpy as np
import pytest

from inference_backend.key_rows import TOLERANCE, sparse
from inference_backend.skeletons import JOINTS
from inference_backend.targets.edits import Edits

WRIST = JOINTS.index("left_wrist")
ROWS = np.arange(10, 41)
NONE = np.zeros(len(ROWS), bool)


def bump(height: float = 0.3) -> Edits:
    """Of the wrist: it comes in, stays for a while, and goes out."""
    share = np.clip(np.minimum(ROWS - 9, 41 - ROWS) / 9, 0, 1)
    edits = Edits.none(len(ROWS))
    edits.offset[:, WRIST, 0] = height * share * share * (3 - 2 * share)
    return edits


def test_a_few_keys_say_what_a_smooth_edit_does() -> None:
    keyed, held = sparse(ROWS, bump(), NONE, 60)
    assert 1 <= keyed.sum() <= 6
    assert np.abs(held.offset - bump().offset).max() <= TOLERANCE
    assert held.offset[keyed] == pytest.approx(bump().offset[keyed])
    assert np.abs(held.turn - bump().turn).max() < 1e-9


def test_what_jerks_needs_more_keys_and_what_is_needed_is_keyed() -> None:
    edits = bump()
    edits.offset[::2, WRIST, 1] = 0.2
    assert sparse(ROWS, edits, NONE, 60)[0].sum() > 20
    needed = ROWS == 17
    keyed, held = sparse(ROWS, bump(), needed, 60)
    assert keyed[needed].all()
    assert held.offset[needed] == pytest.approx(bump().offset[needed])


def test_every_run_is_keyed_and_a_small_one_in_one_row() -> None:
    rows, edits = np.array([3, 4, 5, 20, 21]), Edits.none(5)
    edits.offset[:, WRIST, 0] = 0.004, 0.005, 0.004, 0.003, 0.002
    assert sparse(rows, edits, np.zeros(5, bool), 60)[0].tolist() == [False, True, False, True, False]
    assert sparse(rows[:0], Edits.none(0), np.zeros(0, bool), 60)[0].shape == (0,)


def test_at_the_ends_of_a_clip_there_is_nothing_to_come_from() -> None:
    edits = Edits.none(8)
    edits.offset[:, WRIST, 0] = 0.2
    keyed, held = sparse(np.arange(8), edits, np.zeros(8, bool), 8)
    assert keyed[[0, -1]].all()
    assert held.offset[:, WRIST, 0] == pytest.approx(0.2)
