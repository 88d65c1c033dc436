"""Dense curves of which some rows are written again: the others stay, and between the frames nothing swings."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from pchmr.pchmr_blender.scene.actions import curves_of, new_action, read_curve, write_curves
from pchmr.pchmr_blender.scene.row_curves import write_turns

F = 16
FRAMES = 1.0 + np.arange(F)
PATH = "rotation_quaternion"


def turns(degrees: np.ndarray) -> np.ndarray:
    """About x, w >= 0 as the backend gives them. Shape: (n,) → (n, 4)."""
    half = np.radians(degrees) / 2
    found = np.stack([np.cos(half), np.sin(half), np.zeros_like(half), np.zeros_like(half)], -1)
    return np.where(found[:, :1] < 0, -found, found)


def keyed(degrees: np.ndarray) -> bpy.types.Object:
    """A thing with a key for each row, whose signs run on."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    thing = bpy.data.objects.new("Thing", None)
    bpy.context.scene.collection.objects.link(thing)
    new_action(thing, "Take")
    half = np.radians(degrees) / 2
    write_curves(thing, PATH, FRAMES, np.stack([np.cos(half), np.sin(half), 0 * half, 0 * half], -1), "Turn")
    return thing


def between(thing: bpy.types.Object) -> np.ndarray:
    """What the curves say half a frame after each row but the last. Shape: (F - 1, 4)."""
    curves = sorted(curves_of(thing), key=lambda curve: curve.array_index)
    return np.array([[curve.evaluate(frame + 0.5) for curve in curves] for frame in FRAMES[:-1]])


def held(thing: bpy.types.Object) -> np.ndarray:
    """Shape: (F, 4)."""
    return np.stack([read_curve(curve)[:, 1] for curve in sorted(curves_of(thing), key=lambda one: one.array_index)], 1)


@pytest.mark.parametrize(
    "rows",
    [range(4, 9), range(4, 5), range(0, 6), range(10, F), range(F), [0, 1, 2, 6, 7, 12, 15]],
    ids=["inside", "one", "first", "last", "all", "several"],
)
def test_rows_that_turn_on_through_half_a_turn(rows: range) -> None:
    """The former turns came to 570 degrees, where w has changed its sign twice."""
    way = np.linspace(0, 570, F)
    thing, rows = keyed(way), np.array(rows)
    before = held(thing)
    new = way.copy()
    new[rows] += 8
    write_turns(thing, PATH, FRAMES, rows, turns(new[rows]), "Turn")
    after = held(thing)
    others = np.setdiff1d(np.arange(F), rows)
    assert after[others].tobytes() == before[others].tobytes()
    assert np.allclose(np.abs((after * turns(new)).sum(-1)), 1, atol=1e-6)
    assert np.linalg.norm(between(thing), axis=-1).min() > 0.9


def test_a_way_round_the_other_side_changes_signs_where_it_is_farthest() -> None:
    """The former way led through -60 degrees, the new one leads through 200: somewhere the sign must change, and
    not beside a neighbour that is next to it."""
    thing, rows = keyed(np.linspace(0, -120, F)), np.arange(3, 12)
    before = held(thing)
    new = np.linspace(155, 255, len(rows))
    write_turns(thing, PATH, FRAMES, rows, turns(new), "Turn")
    after = held(thing)
    assert after[:3].tobytes() == before[:3].tobytes()
    assert after[12:].tobytes() == before[12:].tobytes()
    assert np.linalg.norm(between(thing), axis=-1).min() > 0.5, "between two frames the thing turns somersaults"
