"""A body is seen while its person is in the picture, and not before or after, in every form and after every change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest

from pchmr.pchmr_blender.core.form_costs import Form
from pchmr.pchmr_blender.core.takes import open_view
from pchmr.pchmr_blender.core.timing import Placing
from pchmr.pchmr_blender.scene import body_visibility
from pchmr.pchmr_blender.scene.bake import bake
from pchmr.pchmr_blender.scene.body_forms import form_of, set_form
from pchmr.pchmr_blender.scene.exports import ExportOptions, Format, export
from pchmr.pchmr_blender.scene.handles import active_person, part_of, placing_of
from pchmr.pchmr_blender.scene.preview import PreviewOptions, render_preview
from pchmr.pchmr_blender.scene.retime import retime

from .clips import make_movie
from .exported import empty_scene, imported, require
from .gltf_reader import Glb
from .scenes import bring, registered, show, vertices_at
from .takes import make_take

FRAMES, FPS = 6, 30.0
FIRST = 4
"""Index in the footage of the take's first row."""
SEEN = range(FIRST + 1, FIRST + 1 + FRAMES)
"""Scene frames that show the person, where the take begins at frame 1."""


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_take(tmp_path / "walk.take", frames=FRAMES, fps=FPS, first_frame=FIRST)


@pytest.fixture(params=list(Form), ids=lambda form: form.value)
def person(request: pytest.FixtureRequest, folder: Path) -> bpy.types.Collection:
    return bring(folder, form=request.param)[0]


def body_of(person: bpy.types.Collection) -> bpy.types.Object:
    return part_of(person, "BODY")


def frames_seen(item: bpy.types.Object, frames: range = range(-3, 40)) -> list[int]:
    """Scene frames in which the viewport shows an object, which must be those of a render."""
    seen = []
    for frame in frames:
        show(frame)
        assert item.hide_viewport == item.hide_render
        seen += [frame] if item.visible_get() else []
    return seen


def two_people(tmp_path: Path, **options) -> Path:
    """A take of two, the second of whom comes four frames after the first has left."""
    folder = make_take(tmp_path / "two.take", frames=FRAMES, fps=FPS, people=2, **options)
    for name, later in (("frames", 10), ("seconds", 10 / FPS)):
        path = folder / "person_1" / f"{name}.npy"
        np.save(path, np.load(path) + later)
    return folder


def change(person: bpy.types.Collection, folder: Path, form: Form) -> None:
    view = open_view(folder)
    body, skeleton = body_of(person), part_of(person, "SKELETON")
    set_form(body, skeleton, view.people[0], placing_of(person), form, cache_folder=folder.parent / "cache")


def test_it_is_seen_in_its_frames_only(person: bpy.types.Collection) -> None:
    assert frames_seen(body_of(person)) == list(SEEN)
    assert body_visibility.frames_shown(body_of(person)) == (SEEN[0], SEEN[-1])


def test_skeleton_targets_and_camera_stay_in_view(person: bpy.types.Collection) -> None:
    everywhere = list(range(-3, 40))
    for part in ("SKELETON", "TARGETS", "CAMERA"):
        assert frames_seen(part_of(person, part)) == everywhere


@pytest.mark.parametrize("after", list(Form), ids=lambda form: form.value)
def test_a_change_of_form_keeps_it(person: bpy.types.Collection, folder: Path, after: Form) -> None:
    change(person, folder, after)
    body, view = body_of(person), open_view(folder)
    assert form_of(body) is after
    assert frames_seen(body) == list(SEEN)
    assert np.abs(vertices_at(body, SEEN[3]) - view.people[0].vertices(3, 4)[0]).max() < 1.1e-3


def test_a_retime_moves_it(person: bpy.types.Collection) -> None:
    retime(person, Placing(FPS, 11.0))
    assert frames_seen(body_of(person)) == [frame + 10 for frame in SEEN]
    retime(person, Placing(2 * FPS, 1.0))  # at half the speed, row r stands at 1 + 2 * (4 + r)
    seen = frames_seen(body_of(person))
    assert seen[0] in (8, 9)
    assert seen[-1] in (19, 20)


def test_takes_that_are_placed_by_seconds_are_seen_one_after_the_other(folder: Path, tmp_path: Path) -> None:
    other = make_take(tmp_path / "other.take", frames=FRAMES, fps=24.0)
    (first,), (second,) = bring(folder), bring(other, start=20.0)
    assert frames_seen(body_of(first)) == list(SEEN)
    # Rows of 24 frames/s in a scene of 30: the last stands at 20 + 5 * 30 / 24.
    assert frames_seen(body_of(second)) == list(range(20, 28))


def test_people_of_one_take_come_and_go(tmp_path: Path) -> None:
    first, second = bring(two_people(tmp_path))
    assert frames_seen(body_of(first)) == list(range(1, 7))
    assert frames_seen(body_of(second)) == list(range(11, 17))


# The panel's switches


def test_the_switch_shows_it_always_and_brings_the_keys_back(person: bpy.types.Collection) -> None:
    body = body_of(person)
    show(30)
    assert person.pchmr.hide_outside
    assert not body.visible_get()
    person.pchmr.hide_outside = False
    assert frames_seen(body) == list(range(-3, 40))
    assert not person.pchmr.hide_outside
    person.pchmr.hide_outside = True
    assert frames_seen(body) == list(SEEN)


def test_keys_that_were_deleted_are_made_again(person: bpy.types.Collection) -> None:
    body = body_of(person)
    for path in ("hide_viewport", "hide_render"):
        for frame in (SEEN[0] - 1, SEEN[0], SEEN[-1] + 1):
            body.keyframe_delete(path, frame=frame)
    assert not person.pchmr.hide_outside
    person.pchmr.hide_outside = True
    assert frames_seen(body) == list(SEEN)


def test_a_body_that_is_hidden_by_hand_stays_hidden(person: bpy.types.Collection) -> None:
    body = body_of(person)
    person.pchmr.show_body = False
    for frame in (0, SEEN[1], 30):
        show(frame)
        assert not body.visible_get()
        assert not person.pchmr.show_body
    for hide in (False, True):
        person.pchmr.hide_outside = hide
        show(SEEN[2])
        assert not body.visible_get()
        assert not body.hide_render
    person.pchmr.show_body = True
    assert frames_seen(body) == list(SEEN)


def test_out_of_the_picture_is_not_hidden_by_hand(person: bpy.types.Collection) -> None:
    show(30)
    assert body_of(person).hide_viewport
    assert person.pchmr.show_body


def test_the_panel_stays_about_a_body_that_is_out_of_the_picture(person: bpy.types.Collection) -> None:
    layer = bpy.context.view_layer
    layer.objects.active = body_of(person)
    show(30)
    # As a 3D view has it.
    context = SimpleNamespace(active_object=None, view_layer=layer, collection=None, scene=bpy.data.scenes.new("Other"))
    assert active_person(context) == person


# What else is done to a person


def test_bake_leaves_it(person: bpy.types.Collection) -> None:
    bake(person)
    assert frames_seen(body_of(person)) == list(SEEN)


@pytest.mark.parametrize("hide", [True, False])
def test_another_import_keeps_the_choice(person: bpy.types.Collection, folder: Path, hide: bool) -> None:
    person.pchmr.hide_outside = hide
    (again,) = bring(folder, form=form_of(body_of(person)))
    assert again == person
    assert again.pchmr.hide_outside == hide
    assert frames_seen(body_of(again)) == (list(SEEN) if hide else list(range(-3, 40)))


def test_an_undo_takes_the_switch_back(person: bpy.types.Collection) -> None:
    name = person.name
    bpy.ops.ed.undo_push(message="before")
    person.pchmr.hide_outside = False
    bpy.ops.ed.undo_push(message="after")
    bpy.ops.ed.undo()
    person = bpy.data.collections[name]
    assert person.pchmr.hide_outside
    assert frames_seen(body_of(person)) == list(SEEN)
    bpy.ops.ed.redo()
    person = bpy.data.collections[name]
    assert frames_seen(body_of(person)) == list(range(-3, 40))


# Files and pictures


@pytest.mark.parametrize("file_format", list(Format), ids=lambda one: one.label)
def test_an_export_leaves_it(folder: Path, file_format: Format) -> None:
    require(file_format)
    (person,) = bring(folder, form=Form.COMPRESSED)
    show(30)
    export(person, folder.parent / "walk.file", file_format, ExportOptions(frames=(1, 12)))
    assert person.pchmr.hide_outside
    assert frames_seen(body_of(person)) == list(SEEN)


def test_glb_of_other_frames_has_the_body(folder: Path) -> None:
    require(Format.GLB)
    (person,) = bring(folder, form=Form.COMPRESSED)
    export(person, folder.parent / "walk.glb", Format.GLB, ExportOptions(frames=(1, 12)))
    assert len(Glb(folder.parent / "walk.glb").json["meshes"]) == 1


@pytest.mark.parametrize("file_format", [Format.ABC, Format.USD], ids=lambda one: one.label)
def test_files_of_points_of_other_frames_have_a_body_in_each(
    person: bpy.types.Collection, folder: Path, file_format: Format
) -> None:
    require(file_format)
    path = folder.parent / f"walk.{file_format.value}"
    export(person, path, file_format, ExportOptions(frames=(1, 12)))
    empty_scene()
    if file_format is Format.ABC:
        bpy.ops.wm.alembic_import(filepath=str(path), as_background_job=False)
    else:
        bpy.ops.wm.usd_import(filepath=str(path))
    body, rows = imported("MESH"), open_view(folder).people[0]
    for frame in range(1, 13):
        row = min(max(frame - SEEN[0], 0), FRAMES - 1)
        assert np.abs(vertices_at(body, frame) - rows.vertices(row, row + 1)[0]).max() < 1.1e-3


def test_a_preview_shows_people_when_they_are_there(tmp_path: Path) -> None:
    clip = make_movie(tmp_path / "walk.avi", 16, (64, 36))
    folder = two_people(tmp_path, width=64, height=36, clip=clip)
    people, visible = bring(folder), []

    def tick(done: int, count: int) -> None:
        visible.append([not body_of(person).hide_render for person in people])

    made = render_preview(people, open_view(folder), tmp_path / "out", PreviewOptions(), tick)
    assert made.count == 16
    # Told after each picture, and before the first one.
    assert visible[1:] == [[frame in range(1, 7), frame in range(11, 17)] for frame in range(1, 17)]
