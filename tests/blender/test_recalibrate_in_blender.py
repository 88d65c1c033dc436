"""Recalibrate, Revert and Strength as their operators do it, with a process that recalibrates made-up takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest

from inference_backend.folder_lock import FolderLock
from inference_backend.skeletons import JOINTS
from inference_backend.take_folder import LOCK_NAME
from pchmr.pchmr_blender import session
from pchmr.pchmr_blender.core.edit_rows import EditRows
from pchmr.pchmr_blender.scene import compare, edit_state, edits
from pchmr.pchmr_blender.scene.actions import curves_of, read_curve
from pchmr.pchmr_blender.scene.body_forms import Form
from pchmr.pchmr_blender.scene.control_curves import ControlCurves
from pchmr.pchmr_blender.scene.handles import part_of
from pchmr.pchmr_blender.scene.take_paths import open_person
from pchmr.pchmr_blender.scene.versions import select_bone

from .backends import stub_backend
from .scenes import bring, vertices_at
from .takes import make_take

WRIST, ELBOW, HEAD, KNEE = (JOINTS.index(name) for name in ("left_wrist", "left_elbow", "head", "left_knee"))
F = 40
FORMS = (Form.ABSOLUTE, Form.COMPRESSED, Form.PC2)


@pytest.fixture(autouse=True)
def _backend(extension: ModuleType, tmp_path: Path) -> Iterator[None]:
    with stub_backend(tmp_path):
        yield


@pytest.fixture
def take(tmp_path: Path) -> Path:
    return make_take(tmp_path / "a.take", frames=F)


def brought(take: Path, form: Form = Form.PC2) -> bpy.types.Collection:
    person = bring(take, form=form)[0]
    bpy.context.view_layer.objects.active = part_of(person, "TARGETS")
    return person


def key(person: bpy.types.Collection, row: int, joint: int = WRIST, by: float = 0.15) -> None:
    edit = EditRows.none(1)
    edit.offset[0, joint, 2] = by
    edits.key_row(person, row, edit, [joint])


def wrist_keys(person: bpy.types.Collection) -> list[bytes]:
    curves = curves_of(part_of(person, "TARGETS"))
    return [read_curve(one).tobytes() for one in curves if one.data_path == 'pose.bones["wrist.L"].location']


def remade(take: Path, before: np.ndarray) -> list[int]:
    """The rows of the take's mesh that are other than they were."""
    return np.flatnonzero((meshes(take) != before).any((1, 2))).tolist()


def meshes(take: Path) -> np.ndarray:
    return np.array(np.load(take / "person_0" / "vertices.npy"))


def agrees(person: bpy.types.Collection) -> bool:
    """Whether nothing is stale, and the body is the take's mesh in every row."""
    view = open_person(person)[1]
    body, tolerance = part_of(person, "BODY"), 1e-3 if person.pchmr.form == "COMPRESSED" else 1e-5
    off = [np.abs(vertices_at(body, row + 1) - view.vertices(row, row + 1)[0]).max() for row in range(F)]
    return not len(edit_state.stale(person, view)) and max(off) <= tolerance


def refused(operator: Any, match: str, **properties: Any) -> None:
    """The operator says why it does nothing, and the panel too."""
    with pytest.raises(RuntimeError, match=match):
        operator(**properties)
    assert session.current.problem is not None
    assert re.search(match, session.current.problem.message)
    session.current.dismiss()


@pytest.mark.parametrize("form", FORMS)
def test_the_selected_keys_and_their_falloff_are_recalibrated_and_nothing_else(take: Path, form: Form) -> None:
    person = brought(take, form)
    before = meshes(take)
    key(person, 20)
    assert agrees(person)  # an edit alone changes nothing
    assert bpy.ops.pchmr.recalibrate() == {"FINISHED"}
    assert remade(take, before) == list(range(15, 26))
    assert agrees(person)
    assert "11 frames recalibrated" in session.current.notice
    key(person, 20, by=0.1)
    bpy.ops.pchmr.recalibrate()
    assert agrees(person)
    again = meshes(take)
    bpy.ops.pchmr.recalibrate()
    assert remade(take, again) == []
    assert "every frame is already" in session.current.notice


def test_an_edit_between_others_reaches_to_where_it_changes_their_curves(take: Path) -> None:
    person = brought(take)
    for row in (8, 14, 30):
        key(person, row)
    curves = ControlCurves(part_of(person, "TARGETS"))
    for _, _, channel in curves.keyed():
        for curve in channel:
            for point in curve.keyframe_points:
                point.select_control_point = point.co.x == 15
    bpy.ops.pchmr.recalibrate()
    assert person.pchmr_edit.committed == "3-19"


@pytest.mark.parametrize(
    ("scope", "rows"), [("FRAME", [20]), ("PREVIEW", [18, 19, 20, 21]), ("SUSPECTS", [17, 22, 23]), ("ALL", range(40))]
)
def test_which_frames_is_asked(take: Path, scope: str, rows: list[int]) -> None:
    person, scene = brought(take), bpy.context.scene
    key(person, 20)
    scene.frame_set(21)
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 19, 22
    own = person.pchmr_suspects
    own.spans.clear()
    for first, last, chosen in ((17, 17, True), (22, 23, True), (19, 20, False)):
        span = own.spans.add()
        span.first, span.last, span.chosen = first, last, chosen
    person.pchmr_edit.scope = scope
    before = meshes(take)
    bpy.ops.pchmr.recalibrate()
    assert remade(take, before) == [row for row in rows if 15 <= row <= 25]
    assert edit_state.committed(person).tolist() == list(rows)
    assert agrees(person)


def test_what_cannot_be_meant_is_named(take: Path) -> None:
    person, scene = brought(take), bpy.context.scene
    refused(bpy.ops.pchmr.recalibrate, "no key of a control is selected")
    refused(bpy.ops.pchmr.recalibrate, "no suspect is chosen", scope="SUSPECTS")
    scene.frame_set(100)
    refused(bpy.ops.pchmr.recalibrate, "frame 100 is outside", scope="FRAME")
    scene.frame_start, scene.frame_end = 60, 80
    refused(bpy.ops.pchmr.recalibrate, "no frame from 60 to 80", scope="PREVIEW")
    refused(bpy.ops.pchmr.revert_edits, "no control is selected", joints="SELECTED", frames="ALL")
    assert person.pchmr_edit.committed == ""
    assert agrees(person)


def test_two_people_or_another_armature_are_named(tmp_path: Path) -> None:
    one, two = bring(make_take(tmp_path / "two.take", people=2))
    for person in (one, two):
        part_of(person, "TARGETS").select_set(True)
    bpy.context.view_layer.objects.active = part_of(one, "TARGETS")
    refused(bpy.ops.pchmr.recalibrate, "2 people are selected", scope="ALL")
    part_of(two, "TARGETS").select_set(False)
    assert bpy.ops.pchmr.recalibrate(scope="ALL") == {"FINISHED"}
    bpy.context.view_layer.active_layer_collection = bpy.context.view_layer.layer_collection.children[one.name]
    rig = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    bpy.context.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    refused(bpy.ops.pchmr.recalibrate, "Rig is no armature of a take", scope="ALL")


@pytest.mark.parametrize("value", [100.0, float("nan")])
def test_an_absurd_edit_is_refused_and_nothing_is_lost(take: Path, value: float) -> None:
    person = brought(take)
    key(person, 10)
    bpy.ops.pchmr.recalibrate()
    before = meshes(take)
    key(person, 30, by=0.2)
    curve = part_of(person, "TARGETS").animation_data
    curve = next(one for one in curves_of(part_of(person, "TARGETS")) if "wrist.L" in one.data_path)
    point = next(one for one in curve.keyframe_points if one.co.x == 31)
    point.co.y = value
    curve.update()
    said = r"wrist\.L is moved by 100 m at frame 31|the offset of wrist\.L is no number at frame \d+"
    refused(bpy.ops.pchmr.recalibrate, said, scope="ALL")
    assert person.pchmr_edit.committed == "5-15"
    assert remade(take, before) == []
    assert agrees(person)
    bpy.context.scene.frame_set(31)
    bpy.ops.pchmr.revert_edits(frames="FRAME")
    bpy.ops.pchmr.recalibrate(scope="ALL")
    assert agrees(person)


@pytest.mark.parametrize("form", FORMS)
def test_reverting_a_frame_a_joint_a_range_and_all(take: Path, form: Form) -> None:
    person, scene = brought(take, form), bpy.context.scene
    start = meshes(take)
    for row in (8, 20, 32):
        key(person, row)
    key(person, 20, KNEE, 0.05)
    bpy.ops.pchmr.recalibrate(scope="ALL")
    scene.frame_set(33)
    bpy.ops.pchmr.revert_edits(frames="FRAME")
    assert agrees(person)
    assert not edits.sample(person, range(27, F)).edited().any()
    bones = part_of(person, "TARGETS").pose.bones
    for bone in bones:
        select_bone(bone, bone.name == "knee.L")
    bpy.ops.pchmr.revert_edits(frames="ALL", joints="SELECTED")
    assert agrees(person)
    found = edits.sample(person, range(F))
    assert not found.offset[:, KNEE].any()
    assert found.offset[20, WRIST].any()
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 15, 27
    bpy.ops.pchmr.revert_edits(frames="PREVIEW")
    assert agrees(person)
    assert edit_state.committed(person).tolist() == list(range(3, 14))
    bpy.ops.pchmr.revert_edits(frames="ALL")
    assert agrees(person)
    assert person.pchmr_edit.committed == ""
    assert np.allclose(meshes(take), start, atol=1e-5)


def test_reverting_takes_drags_without_keys_along(take: Path) -> None:
    person = brought(take)
    edit = EditRows.none(1)
    edit.offset[0, WRIST, 0], edit.strength[0, HEAD] = 0.3, 0.5
    edits.hold(person, edit)
    bpy.ops.pchmr.revert_edits(frames="FRAME")
    assert not edits.held(person).edited().any()


@pytest.mark.parametrize(
    ("preset", "followed"),
    [
        ("ALL", [WRIST, HEAD, KNEE]),
        ("UPPER", [WRIST, HEAD]),
        ("HANDS_FREE", [HEAD, KNEE]),
        ("HEAD_FREE", [WRIST, KNEE]),
    ],
)
def test_strength_by_presets(take: Path, preset: str, followed: list[int]) -> None:
    person, scene = brought(take), bpy.context.scene
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 11, 21
    bpy.ops.pchmr.set_strength(preset=preset, value=0.5)
    found = edits.sample(person, range(F)).strength
    for joint in (WRIST, HEAD, KNEE):
        assert np.allclose(found[10:21, joint], 0.5 if joint in followed else 0)
        assert (found[:4, joint] == 1).all()
        assert (found[27:, joint] == 1).all()
    before = meshes(take)
    bpy.ops.pchmr.recalibrate()
    assert edit_state.committed(person).tolist() == list(range(5, 26))
    assert agrees(person)
    assert remade(take, before)
    bpy.ops.pchmr.set_strength(preset="ALL", value=1.0, frames="ALL")
    assert not edits.sample(person, range(F)).edited().any()


def test_strength_of_selected_joints_leaves_the_others(take: Path) -> None:
    person = brought(take)
    for bone in part_of(person, "TARGETS").pose.bones:
        select_bone(bone, bone.name == "head")
    bpy.ops.pchmr.set_strength(preset="SELECTED", value=0.25, frames="ALL")
    found = edits.sample(person, range(F)).strength
    assert (found[:, HEAD] == 0.25).all()
    assert (np.delete(found, HEAD, 1) == 1).all()


def test_a_take_that_cannot_be_written_is_named_and_nothing_is_lost(take: Path) -> None:
    person = brought(take)
    key(person, 20)
    lock = FolderLock(take / LOCK_NAME)
    refused(bpy.ops.pchmr.recalibrate, str(take))
    lock.release()
    bpy.ops.pchmr.recalibrate()
    assert agrees(person)


def test_a_take_that_is_another_by_now_is_named(take: Path, tmp_path: Path) -> None:
    person = brought(take)
    key(person, 20)
    take.rename(tmp_path / "away.take")
    refused(bpy.ops.pchmr.recalibrate, "take")
    make_take(take, frames=F + 3)  # of other footage frames, by the same settings
    refused(bpy.ops.pchmr.recalibrate, "40 keys, its take 43 frames|is not the take")
    assert edits.sample(person, [20]).edited().all()


def test_a_backend_that_dies_loses_nothing(tmp_path: Path) -> None:
    take = make_take(tmp_path / "dies.take", frames=F)
    person = brought(take)
    key(person, 20)
    refused(bpy.ops.pchmr.recalibrate, "backend")
    session.current.stop_backend()  # one that died is not started again at once
    take.rename(tmp_path / "lives.take")
    edit_person = person.pchmr
    edit_person.take = edit_person.take_absolute = str(tmp_path / "lives.take")
    bpy.ops.pchmr.recalibrate()
    assert agrees(person)


def test_base_bones_and_edits_go_their_own_ways(take: Path) -> None:
    """Other layers move the base; what the artist has keyed stays bit by bit, and stands on the new base."""
    person = brought(take)
    key(person, 20)
    before = wrist_keys(person)
    edit_state.set_layers(person, {**edit_state.layers_of(person), "smoothing": {"enabled": True, "strength": 1.0}})
    bpy.ops.pchmr.recalibrate()
    assert agrees(person)
    view = open_person(person)[1]
    assert wrist_keys(person) == before
    for row in (3, 20):
        bpy.context.scene.frame_set(row + 1)
        bones = part_of(person, "TARGETS").pose.bones
        place = np.array(bones["wrist_base.L"].matrix)[:3, 3]
        assert np.linalg.norm(place - view.joints_base[row, WRIST]) < 1e-4


def test_without_targets_there_is_nothing_to_edit(take: Path) -> None:
    brought(take)
    bpy.ops.pchmr.bake_take()
    refused(bpy.ops.pchmr.recalibrate, "no targets any more", scope="ALL")


@pytest.mark.parametrize(("shown", "count"), [("MESH_STREAM", None), ("LIFTED", 24), ("TARGET", 24)])
def test_what_is_compared_is_read_and_never_put_into_the_scene(take: Path, shown: str, count: int | None) -> None:
    person = brought(take)
    before = len(bpy.data.objects), len(bpy.data.meshes)
    assert compare.compared(person, 5) is None
    person.pchmr_edit.shown = shown
    found = compare.compared(person, 5)
    assert found is not None
    view = open_person(person)[1]
    wanted = {
        "MESH_STREAM": lambda: view.vertices_hmr(4, 5)[0],
        "LIFTED": lambda: view.joints_lifted[4],
        "TARGET": lambda: view.joints_target[4],
    }[shown]()
    assert np.allclose(found.points, wanted, atol=1e-6)
    assert count is None or len(found.points) == count
    assert bool(len(found.triangles)) == (shown == "MESH_STREAM")
    assert compare.compared(person, 500) is None
    assert (len(bpy.data.objects), len(bpy.data.meshes)) == before


def test_a_target_that_was_recalibrated_is_compared_as_it_is_now(take: Path) -> None:
    person = brought(take)
    person.pchmr_edit.shown = "TARGET"
    before = compare.compared(person, 21)
    key(person, 20)
    bpy.ops.pchmr.recalibrate()
    after = compare.compared(person, 21)
    assert before is not None
    assert after is not None
    assert np.linalg.norm(after.points[WRIST] - before.points[WRIST]) > 0.05
