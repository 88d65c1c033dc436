from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import bpy
import numpy as np
import pytest

from inference_backend.skeletons import JOINTS
from inference_backend.targets.parameters import Layers, Smoothing
from pchmr.inference_backend.errors import BadArgument, CacheCorrupt
from pchmr.pchmr_blender.core.edit_rows import EditRows
from pchmr.pchmr_blender.scene import edit_state, shown_rows
from pchmr.pchmr_blender.scene.actions import curves_of, read_curve
from pchmr.pchmr_blender.scene.body_forms import Form, form_of
from pchmr.pchmr_blender.scene.handles import handle_of, part_of, resolve
from pchmr.pchmr_blender.scene.mesh_cache import cache_files
from pchmr.pchmr_blender.scene.refresh import refresh
from pchmr.pchmr_blender.scene.take_paths import open_person
from pchmr.pchmr_blender.steps import drain

from .mini_backend import recalibrate_take
from .scenes import bring, registered, vertices_at
from .takes import make_take

WRIST = JOINTS.index("left_wrist")
F, ROWS = 24, np.arange(10, 15)
FORMS = (Form.ABSOLUTE, Form.COMPRESSED, Form.PC2)
TOLERANCE = {Form.ABSOLUTE: 1e-5, Form.COMPRESSED: 1e-3, Form.PC2: 1e-5}


@pytest.fixture(autouse=True)
def _extension() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture
def take(tmp_path: Path) -> Path:
    return make_take(tmp_path / "a.take", frames=F)


def edit(count: int, by: float = 0.1, stretch: float = 0.0) -> EditRows:
    made = EditRows.none(count)
    made.offset[:, WRIST, 2] = by * np.linspace(0.5, 1, count)
    made.stretch[:, WRIST] = stretch
    return made


def worst(person: bpy.types.Collection, rows: range = range(F)) -> float:
    """Farthest that any vertex is from the take's, metres."""
    view = open_person(person)[1]
    body, frames = part_of(person, "BODY"), 1 + view.seconds * 30
    found = [np.linalg.norm(vertices_at(body, frames[row]) - view.vertices(row, row + 1)[0], axis=-1) for row in rows]
    return float(np.max(found))


def kept(person: bpy.types.Collection, rows: np.ndarray) -> dict[str, bytes]:
    """Everything that is shown of the rows that are not among these, bit by bit."""
    others = np.setdiff1d(np.arange(F), rows)
    found: dict[str, bytes] = {}
    body = part_of(person, "BODY")
    for part in ("SKELETON", "TARGETS"):
        for curve in curves_of(part_of(person, part)):
            found[f"{part} {curve.data_path} {curve.array_index}"] = read_curve(curve)[others].tobytes()
    keys = body.data.shape_keys
    for number, block in enumerate(keys.key_blocks if keys else ()):
        if form_of(body) is Form.COMPRESSED or number - 1 in others:
            points = np.empty((len(block.points), 3), np.float32)
            block.points.foreach_get("co", points.ravel())
            found[block.name] = points.tobytes()
    if keys and form_of(body) is Form.COMPRESSED:
        for curve in curves_of(keys):
            values = np.array([curve.evaluate(frame) for frame in others + 1], np.float32)
            if values.any():
                found[curve.data_path] = values.tobytes()
    for file in cache_files(body):
        data = np.frombuffer(file.read_bytes()[32:], np.float32).reshape(F, -1)
        found[file.name] = data[others].tobytes()
    return found


@pytest.mark.parametrize("stretch", [0.0, 1.0])
@pytest.mark.parametrize("form", FORMS)
def test_rows_that_were_made_again_are_shown_and_nothing_else_changes(take: Path, form: Form, stretch: float) -> None:
    person = bring(take, form=form)[0]
    around, wider = np.arange(8, 17), edit(9, -0.1)
    recalibrate_take(take, Layers.off(), around, wider)
    drain(refresh(handle_of(person), around))  # a body that has been edited before, in rows beside these, too
    before = kept(person, ROWS)
    for field in fields(EditRows):
        getattr(wider, field.name)[2:7] = getattr(edit(5, stretch=stretch), field.name)
    recalibrate_take(take, Layers.off(), around, wider)
    assert worst(person) > 0.05
    drain(refresh(handle_of(person), ROWS))
    assert worst(person) <= TOLERANCE[form]
    after = kept(person, ROWS)
    assert {name: after[name] for name in before if name in after} == {
        name: data for name, data in before.items() if name in after
    }
    missing = set(before) - set(after)
    assert not missing if form is not Form.COMPRESSED else all("Corrective" in name for name in missing)


@pytest.mark.parametrize("form", FORMS)
def test_bones_stand_on_the_rows_joints(take: Path, form: Form) -> None:
    person = bring(take, form=form)[0]
    recalibrate_take(take, Layers(smoothing=Smoothing(strength=0.5)), ROWS, edit(5, stretch=1.0))
    drain(refresh(handle_of(person), range(F)))
    view = open_person(person)[1]
    for row in (0, 10, 12, 20):
        bpy.context.scene.frame_set(row + 1)
        depsgraph = bpy.context.evaluated_depsgraph_get()
        for part, joints, base in (("SKELETON", view.joints, ""), ("TARGETS", view.joints_base, "_base")):
            bones = part_of(person, part).evaluated_get(depsgraph).pose.bones
            for name, joint in (("wrist.L", WRIST), ("pelvis", 0)):
                stem, dot, side = name.partition(".")
                place = np.array(bones[f"{stem}{base}{dot}{side}"].matrix)[:3, 3]
                assert np.linalg.norm(place - joints[row, joint]) < 1e-3
    assert worst(person) <= TOLERANCE[form]


@pytest.mark.parametrize("form", FORMS)
def test_taken_back_it_is_as_before(take: Path, form: Form) -> None:
    person = bring(take, form=form)[0]
    recalibrate_take(take, Layers.off(), ROWS, EditRows.none(5))  # the same pose, by this backend
    drain(refresh(handle_of(person), ROWS))
    before = kept(person, np.zeros(0, int))
    for rows in (edit(5, stretch=1.0), EditRows.none(5)):
        recalibrate_take(take, Layers.off(), ROWS, rows)
        drain(refresh(handle_of(person), ROWS))
    after = kept(person, np.zeros(0, int))
    if form is Form.COMPRESSED:
        before, after = (
            {name: data for name, data in one.items() if "Corrective" not in name and name != "Basis"}
            for one in (before, after)
        )
    located = [name for name in after if name not in before]
    assert all(name.endswith((".location 0", ".location 1", ".location 2")) for name in located)
    for name in before:
        found, wanted = (np.frombuffer(data, np.float32) for data in (after[name], before[name]))
        assert np.allclose(found, wanted, atol=2e-6), name
    assert worst(person) <= TOLERANCE[form]


@pytest.mark.parametrize("form", FORMS)
def test_what_is_shown_is_known(take: Path, form: Form) -> None:
    person = bring(take, form=form)[0]
    recalibrate_take(take, Layers.off(), ROWS, edit(5))
    hashes = open_person(person)[1].row_hashes
    body = part_of(person, "BODY")
    assert np.flatnonzero(shown_rows.differing(body, hashes)).tolist() == ROWS.tolist()
    drain(refresh(handle_of(person), ROWS[1:]))
    assert np.flatnonzero(shown_rows.differing(part_of(person, "BODY"), hashes)).tolist() == [10]
    assert edit_state.stale(person, open_person(person)[1]).tolist() == ROWS.tolist()  # nothing is committed


@pytest.mark.parametrize("form", FORMS)
def test_stopped_half_way_the_rows_count_as_unknown(take: Path, form: Form) -> None:
    person = bring(take, form=form)[0]
    before = open_person(person)[1].row_hashes
    recalibrate_take(take, Layers.off(), ROWS, edit(5))
    steps, handle = refresh(handle_of(person), ROWS), handle_of(person)
    step = next(steps)
    while True:
        answer = step.work(lambda status: None, lambda: False) if hasattr(step, "work") else None
        step = steps.send(answer)
        if getattr(step, "fraction", None) is None and "showing" in str(getattr(step, "stage", "")).lower():
            break
    steps.close()
    differ = shown_rows.differing(part_of(resolve(handle), "BODY"), before)
    assert np.flatnonzero(differ).tolist() == ROWS.tolist()  # neither the former nor the new ones
    drain(refresh(handle, ROWS))
    assert worst(person) <= TOLERANCE[form]


def test_a_body_that_was_edited_or_lost_its_keys_is_named(take: Path) -> None:
    person = bring(take, form=Form.ABSOLUTE)[0]
    body = part_of(person, "BODY")
    body.shape_key_remove(body.data.shape_keys.key_blocks["Frame 11"])
    with pytest.raises(BadArgument, match="no shape key Frame 11"):
        drain(refresh(handle_of(person), ROWS))


def test_a_cache_that_is_gone_is_named(take: Path) -> None:
    person = bring(take, form=Form.PC2)[0]
    cache_files(part_of(person, "BODY"))[0].unlink()
    with pytest.raises(CacheCorrupt):
        drain(refresh(handle_of(person), ROWS))


def test_curves_that_an_artist_thinned_out_get_the_rows(take: Path) -> None:
    person = bring(take, form=Form.PC2)[0]
    curve = next(one for one in curves_of(part_of(person, "SKELETON")) if one.data_path.endswith("location"))
    for number in range(15, 2, -1):
        curve.keyframe_points.remove(curve.keyframe_points[number])
    recalibrate_take(take, Layers(smoothing=Smoothing(strength=1.0)), ROWS, edit(5))
    view = open_person(person)[1]
    drain(refresh(handle_of(person), ROWS))
    for row in ROWS:
        bpy.context.scene.frame_set(row + 1)
        skeleton = part_of(person, "SKELETON")
        place = np.array(skeleton.pose.bones["pelvis"].matrix)[:3, 3]
        assert np.linalg.norm(place - view.joints[row, 0]) < 1e-4
