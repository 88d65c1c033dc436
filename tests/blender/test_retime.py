"""After a retime everything still agrees with the take, in every frame: body, skeleton, targets with the artist's
edits, footage, markers; and after undo, redo, save and reload.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
import pytest

from pchmr.pchmr_blender.core.form_costs import Form
from pchmr.pchmr_blender.core.skeleton import BONE_NAMES
from pchmr.pchmr_blender.core.takes import open_view
from pchmr.pchmr_blender.core.timing import Placing
from pchmr.pchmr_blender.scene.handles import group_of, part_of, people_in, placing_of
from pchmr.pchmr_blender.scene.retime import retime
from pchmr.pchmr_blender.scene.targets import base_name

from .clips import make_movie
from .scenes import bring, registered, show, shown, vertices_at
from .takes import make_take

F, FPS = 9, 25.0
PLACINGS = {
    "later": Placing(FPS, 101.0),
    "earlier, between frames": Placing(FPS, -7.5),
    "half the speed": Placing(2 * FPS, 1.0),
    "twice the speed, later": Placing(FPS / 2, 40.0),
}
EDITED = "elbow.L"


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_take(tmp_path / "wälk 1.take", frames=F, fps=FPS, clip=make_movie(tmp_path / "walk.avi", F, fps=FPS))


@dataclass(frozen=True)
class Seen:
    """One row of a take as the scene shows it."""

    body: np.ndarray
    skeleton: np.ndarray
    bases: np.ndarray
    """(24, 3) heads of the targets' base bones."""
    edit: np.ndarray
    """(3,) where the edited control stands from its base, in the base's axes."""


def heads(rig: bpy.types.Object, names: list[str]) -> np.ndarray:
    evaluated = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([evaluated.matrix_world @ evaluated.pose.bones[name].head for name in names])


def seen(row: int) -> Seen:
    """What stands where the take's row is now."""
    (collection,) = people_in(bpy.context.scene)
    second = open_view(Path(bpy.path.abspath(collection.pchmr.take))).people[0].seconds[row]
    frame = float(placing_of(collection).frames(second))
    show(frame)
    targets = part_of(collection, "TARGETS")
    bones = targets.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
    offset = bones[base_name(EDITED)].matrix.inverted() @ bones[EDITED].matrix.translation
    return Seen(
        vertices_at(part_of(collection, "BODY"), frame),
        heads(part_of(collection, "SKELETON"), list(BONE_NAMES)),
        heads(targets, [base_name(name) for name in BONE_NAMES]),
        np.array(offset),
    )


def edit(collection: bpy.types.Collection) -> list[np.ndarray]:
    """Key offsets on a control, with Blender's own curved interpolation; returns where it then stands in each row."""
    control = part_of(collection, "TARGETS").pose.bones[EDITED]
    for frame, x in ((2, 0.0), (4, 0.2), (7, 0.05)):
        control.location.x = x
        control.keyframe_insert("location", frame=frame)
    edits = [seen(row).edit for row in range(F)]
    assert np.ptp(edits, axis=0).max() > 0.1
    return edits


def check(folder: Path, form: Form, edits: list[np.ndarray]) -> None:
    """Everything agrees with the take in every row."""
    person = open_view(folder).people[0]
    for row in range(F):
        found = seen(row)
        tolerance = 2e-4 if form is Form.COMPRESSED else 1e-5
        np.testing.assert_allclose(found.body, person.vertices(row, row + 1)[0], atol=tolerance)
        np.testing.assert_allclose(found.skeleton, person.joints[row], atol=1e-3)
        np.testing.assert_allclose(found.bases, person.joints_target[row], atol=1e-5)
        np.testing.assert_allclose(found.edit, edits[row], atol=1e-5)


@pytest.mark.parametrize("placing", PLACINGS.values(), ids=PLACINGS)
@pytest.mark.parametrize("form", list(Form))
def test_all_agrees_with_the_take_also_after_undo_redo_and_reload(folder, tmp_path, form, placing):
    bpy.context.preferences.edit.use_global_undo = True
    (collection,) = bring(folder, form=form, tolerance_mm=0.1)
    edits, before = edit(collection), placing_of(collection)
    check(folder, form, edits)
    bpy.ops.ed.undo_push(message="edit")
    retime(collection, placing)
    check(folder, form, edits)
    bpy.ops.ed.undo_push(message="retime")
    bpy.ops.ed.undo()
    assert placing_of(people_in(bpy.context.scene)[0]) == before
    check(folder, form, edits)
    bpy.ops.ed.redo()
    assert placing_of(people_in(bpy.context.scene)[0]) == placing
    check(folder, form, edits)
    blend = tmp_path / "shots" / "a.blend"
    blend.parent.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    check(folder, form, edits)
    retime(people_in(bpy.context.scene)[0], before)
    check(folder, form, edits)


@pytest.mark.parametrize("placing", PLACINGS.values(), ids=PLACINGS)
def test_the_footage_shows_the_picture_of_the_take_s_row(folder, placing):
    (collection,) = bring(folder)
    person, camera = open_view(folder).people[0], part_of(collection, "CAMERA")
    retime(collection, placing)
    frames = placing.frames(person.seconds)
    for frame in range(int(np.ceil(frames[0])), int(frames[-1]) + 1):
        picture = 1 + np.interp(frame, frames, np.arange(F))
        # Between two pictures either will do.
        assert abs(shown(camera, frame) - picture) <= 0.5 + 1e-3


def test_markers_go_along(folder):
    scene = bpy.context.scene
    (collection,) = bring(folder)
    pose = part_of(collection, "SKELETON").animation_data.action.pose_markers.new("step")
    pose.frame = 5
    on_it, beside = scene.timeline_markers.new("clap", frame=3), scene.timeline_markers.new("title", frame=-20)
    retime(collection, Placing(2 * FPS, 101.0))
    assert (on_it.frame, pose.frame, beside.frame) == (105, 109, -20)
    retime(collection, Placing(FPS, 1.0))
    assert (on_it.frame, pose.frame, beside.frame) == (3, 5, -20)


def test_markers_stay_where_another_take_may_be_meant(folder, tmp_path):
    first, second = bring(folder)[0], bring(make_take(tmp_path / "b.take"), start=1)[0]
    marker = bpy.context.scene.timeline_markers.new("clap", frame=3)
    retime(second, Placing(FPS, 101.0))
    assert marker.frame == 3
    assert placing_of(first) == Placing(FPS, 1.0)


def test_markers_of_two_people_move_once(tmp_path):
    people = bring(make_take(tmp_path / "pair.take", people=2))
    marker = bpy.context.scene.timeline_markers.new("clap", frame=3)
    retime(people[1], Placing(placing_of(people[0]).fps, 11.0))
    assert marker.frame == 13
    assert len({placing_of(person) for person in group_of(people[0])}) == 1
