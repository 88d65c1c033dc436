"""The clean-up in the file: sliders that are views of its layers, presets, strips, effects, and into the mesh."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest

from pchmr.inference_backend.targets.parameters import OPTIONS, Layers, Strip, read_layers
from pchmr.inference_backend.targets.presets import cleanup_names, load_cleanup
from pchmr.pchmr_blender import registration, session
from pchmr.pchmr_blender.core.cleanup_fields import LAYERS
from pchmr.pchmr_blender.core.timing import Placing
from pchmr.pchmr_blender.scene import cleanup, cleanup_presets, edit_state, own_presets
from pchmr.pchmr_blender.scene.body_forms import Form
from pchmr.pchmr_blender.scene.cleanup_settings import GROUPS
from pchmr.pchmr_blender.scene.handles import part_of
from pchmr.pchmr_blender.scene.retime import retime
from pchmr.pchmr_blender.scene.take_paths import open_person
from pchmr.pchmr_blender.ui import strip_lanes
from pchmr.pchmr_blender.ui.cleanup import PANELS, PCHMR_MT_cleanup_presets, PCHMR_PT_cleanup
from pchmr.pchmr_blender.ui.contact_strips import PCHMR_PT_strips

from . import mini_backend
from .backends import stub_backend
from .scenes import bring
from .takes import make_take
from .test_registration import drawn

F = 20
STRIPS = tuple(Strip(**dataclasses.asdict(one)) for one in mini_backend.STRIPS)
FIELDS = [(layer, key) for layer, own in LAYERS.items() for key in own.fields]


@pytest.fixture(autouse=True)
def _backend(extension: ModuleType, tmp_path: Path) -> Iterator[None]:
    with stub_backend(tmp_path), pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_presets, "own_folder", lambda kind, create=False: made(tmp_path / "own ü" / kind))
        yield


@pytest.fixture
def person(tmp_path: Path) -> bpy.types.Collection:
    """One in the scene, in frames 1 to 20."""
    (person,) = bring(make_take(tmp_path / "walk.take", frames=F), form=Form.PC2)
    bpy.context.view_layer.objects.active = part_of(person, "TARGETS")
    return person


def made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def layers_in(person: bpy.types.Collection) -> Layers:
    return read_layers(json.loads(person.pchmr_edit.layers))


def value_in(person: bpy.types.Collection, layer: str, key: str) -> Any:
    return getattr(getattr(layers_in(person), layer), key)


def meshes(person: bpy.types.Collection) -> np.ndarray:
    return np.array(open_person(person)[1].vertices(0, F))


# Sliders and switches.


@pytest.mark.parametrize(("layer", "key"), FIELDS)
def test_every_parameter_is_shown_and_changed(person: bpy.types.Collection, layer: str, key: str) -> None:
    option, own = OPTIONS[f"{layer}.{key}"], getattr(person.pchmr_cleanup, layer)
    edit_state.set_layers(person, Layers().values())
    assert getattr(own, key) == pytest.approx(option.default)
    other = not option.default if isinstance(option.default, bool) else round(0.3 * option.low + 0.7 * option.high, 3)
    setattr(own, key, other)
    expected = dataclasses.replace(getattr(Layers(), layer), **{key: other})
    assert layers_in(person) == dataclasses.replace(Layers(), **{layer: expected})
    assert person.pchmr_edit.layers == layers_in(person).canonical()
    assert getattr(own, key) == pytest.approx(other)


@pytest.mark.parametrize(("layer", "key"), FIELDS)
def test_every_parameter_says_what_it_means_and_allows(layer: str, key: str) -> None:
    option = OPTIONS[f"{layer}.{key}"]
    shown = GROUPS[layer].bl_rna.properties[key]
    assert option.text.lower() in shown.description.lower()
    assert shown.name == LAYERS[layer].fields[key].name
    assert not shown.is_animatable
    if not isinstance(option.default, bool):
        assert [shown.hard_min, shown.hard_max] == pytest.approx([option.low, option.high])
        assert shown.default == pytest.approx(option.default)


def test_what_is_typed_is_what_is_kept(person: bpy.types.Collection) -> None:
    own = person.pchmr_cleanup.smoothing
    for typed in (0.3, 0.7, 1.1, 4.9):
        own.seconds = typed
        assert value_in(person, "smoothing", "seconds") == typed


def test_what_is_not_moved_changes_nothing(person: bpy.types.Collection) -> None:
    exact = dataclasses.replace(Layers(), smoothing=dataclasses.replace(Layers().smoothing, seconds=0.1234567890123))
    edit_state.set_layers(person, exact.values())
    person.pchmr_cleanup.smoothing.seconds = person.pchmr_cleanup.smoothing.seconds
    assert layers_in(person) == exact


def test_there_is_no_second_copy(person: bpy.types.Collection) -> None:
    person.pchmr_cleanup.floor.drift = 0.5
    edit_state.set_layers(person, {"floor": {"drift": 0.25}})
    assert person.pchmr_cleanup.floor.drift == 0.25
    assert not set(person.pchmr_cleanup.keys()) & set(LAYERS) or not any(
        len(person.pchmr_cleanup[layer].keys()) for layer in LAYERS if layer in person.pchmr_cleanup
    )


def test_impossible_numbers_are_refused_and_named(person: bpy.types.Collection) -> None:
    before = person.pchmr_edit.layers
    for layer, key, number in (("outliers", "threshold", 1000.0), ("foot_contact", "height", -1.0)):
        setattr(getattr(person.pchmr_cleanup, layer), key, number)
        told = f"{layer}.{key} = {number} is not allowed. Allowed: number"
        assert told in person.pchmr_cleanup.problem
        assert told in " ".join(drawn(PCHMR_PT_cleanup))
        assert person.pchmr_edit.layers == before
    person.pchmr_cleanup.foot_contact.height = 0.005  # of 32 bits, which is less
    assert value_in(person, "foot_contact", "height") == 0.005
    assert not person.pchmr_cleanup.problem


def test_a_parameter_is_undone_and_redone(person: bpy.types.Collection) -> None:
    name = person.name
    bpy.ops.ed.undo_push(message="before")
    person.pchmr_cleanup.smoothing.seconds = 0.9
    bpy.ops.ed.undo_push(message="slider")
    bpy.ops.ed.undo()
    person = bpy.data.collections[name]
    assert value_in(person, "smoothing", "seconds") == 0.4
    assert person.pchmr_cleanup.smoothing.seconds == pytest.approx(0.4)
    bpy.ops.ed.redo()
    assert bpy.data.collections[name].pchmr_cleanup.smoothing.seconds == pytest.approx(0.9)


# What cannot be read.


def test_a_file_without_layers_takes_them_over(person: bpy.types.Collection) -> None:
    person.pchmr_edit.layers = ""
    shown = drawn(PCHMR_PT_cleanup)
    assert "pchmr.adopt_cleanup" in shown
    assert "does not hold the take's clean-up" in " ".join(shown)
    person.pchmr_cleanup.smoothing.seconds = 2.0
    assert "has no clean-up in this file" in person.pchmr_cleanup.problem
    assert person.pchmr_edit.layers == ""
    with pytest.raises(RuntimeError, match="has no clean-up"):
        bpy.ops.pchmr.measure_cleanup()
    assert bpy.ops.pchmr.adopt_cleanup() == {"FINISHED"}
    assert layers_in(person) == Layers.off()
    assert not person.pchmr_cleanup.problem


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{", "cannot be read"),
        ("[1]", "no table"),
        ('{"smoothing": {"seconds": 900}}', "smoothing.seconds = 900 is not allowed"),
        ('{"smoothing": {"speed": 1}}', "smoothing.speed is no setting"),
    ],
)
def test_damaged_layers_are_named_and_nothing_breaks(person: bpy.types.Collection, text: str, named: str) -> None:
    person.pchmr_edit.layers = text
    assert named in " ".join(drawn(PCHMR_PT_cleanup))
    assert not any(drawn(panel) for panel in (*PANELS, PCHMR_PT_strips))
    person.pchmr_cleanup.smoothing.seconds = 2.0
    assert person.pchmr_edit.layers == text
    with pytest.raises(RuntimeError, match=r"clean-up|smoothing"):
        bpy.ops.pchmr.apply_cleanup()
    bpy.ops.pchmr.use_cleanup_preset(name="gentle")
    assert layers_in(person) == load_cleanup("gentle")


# Presets.


@pytest.mark.parametrize("name", cleanup_names())
def test_presets_that_come_along(person: bpy.types.Collection, name: str) -> None:
    own = (Strip("left", "heel", 0.1, 0.2),)
    cleanup.write_strips(person, own)
    assert bpy.ops.pchmr.use_cleanup_preset(name=name) == {"FINISHED"}
    chosen = load_cleanup(name)
    assert layers_in(person) == dataclasses.replace(
        chosen, foot_contact=dataclasses.replace(chosen.foot_contact, strips=own)
    )
    used = [stem for stem, file in cleanup_presets.preset_files().items() if cleanup_presets.is_used(person, file)]
    assert used == [name]
    assert "pchmr.use_cleanup_preset" in drawn(PCHMR_MT_cleanup_presets)


def test_a_preset_of_ones_own(person: bpy.types.Collection, tmp_path: Path) -> None:
    person.pchmr_cleanup.smoothing.seconds = 0.7
    cleanup.write_strips(person, (Strip("left", "heel", 0.1, 0.2),))
    with pytest.raises(RuntimeError, match="the preset has no name"):
        bpy.ops.pchmr.save_cleanup_preset(name="  ")
    assert bpy.ops.pchmr.save_cleanup_preset(name="Slow Dance") == {"FINISHED"}
    file = tmp_path / "own ü" / "cleanup" / "slow_dance.toml"
    assert load_cleanup(file).smoothing.seconds == 0.7
    assert load_cleanup(file).foot_contact.strips is None
    assert set(cleanup_names()) < set(cleanup_presets.preset_files())
    bpy.ops.pchmr.use_cleanup_preset(name="off")
    bpy.ops.pchmr.use_cleanup_preset(name="slow_dance")
    assert person.pchmr_cleanup.smoothing.seconds == pytest.approx(0.7)


def test_presets_that_cannot_be_used_change_nothing(person: bpy.types.Collection, tmp_path: Path) -> None:
    before = person.pchmr_edit.layers
    bad = tmp_path / "bad.toml"
    bad.write_text("[smoothing]\nseconds = -1\n", encoding="utf-8")
    with pytest.raises(RuntimeError, match=r"smoothing\.seconds = -1 is not allowed"):
        bpy.ops.pchmr.open_cleanup_preset(filepath=str(bad))
    assert not cleanup_presets.is_used(person, bad)
    with pytest.raises(RuntimeError, match="no clean-up preset nowhere"):
        bpy.ops.pchmr.use_cleanup_preset(name="nowhere")
    assert person.pchmr_edit.layers == before


# What the layers do, and into the mesh.


def test_measuring_changes_no_mesh(person: bpy.types.Collection) -> None:
    assert "Measure shows" in " ".join(drawn(PCHMR_PT_cleanup))
    before = meshes(person)
    person.pchmr_cleanup.smoothing.enabled = True
    person.pchmr_cleanup.smoothing.strength = 0.75
    assert bpy.ops.pchmr.measure_cleanup() == {"FINISHED"}
    assert "80.0 → 20.0 mm/s" in drawn(PCHMR_PT_cleanup)
    assert not cleanup.is_outdated(person)
    assert np.array_equal(meshes(person), before)
    person.pchmr_cleanup.smoothing.strength = 0.5
    assert cleanup.is_outdated(person)
    assert "These are of other parameters." in " ".join(drawn(PCHMR_PT_cleanup))


def test_applying_makes_every_frame_again_that_differs(person: bpy.types.Collection, tmp_path: Path) -> None:
    before = meshes(person)
    assert bpy.ops.pchmr.apply_cleanup() == {"FINISHED"}
    assert np.array_equal(meshes(person), before)
    person.pchmr_cleanup.smoothing.enabled = True
    assert len(edit_state.stale(person, open_person(person)[1])) == F
    assert cleanup.frames_behind(person) == (F, F)
    assert f"{F} of {F} frames are not made with this yet." in " ".join(drawn(PCHMR_PT_cleanup))
    assert bpy.ops.pchmr.apply_cleanup() == {"FINISHED"}
    assert not len(edit_state.stale(person, open_person(person)[1]))
    assert cleanup.frames_behind(person) == (0, F)
    assert np.abs(meshes(person) - before).max(axis=(1, 2)).min() > 0.05
    assert f"{F} frames" in session.current.notice
    measured = cleanup.measured_of(person)
    assert measured is not None
    assert measured.layers == person.pchmr_edit.layers
    assert measured.strips == STRIPS
    panel = next(one for one in PANELS if one.bl_idname == "PCHMR_PT_cleanup_smoothing")
    assert "80.0 → 0.0 mm/s" in drawn(panel)
    name, file = person.name, str(tmp_path / "walk.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.wm.open_mainfile(filepath=file)
    assert cleanup.measured_of(bpy.data.collections[name]) == measured


def test_applying_what_is_there_already_says_what_it_does(person: bpy.types.Collection) -> None:
    person.pchmr_cleanup.smoothing.enabled = True
    bpy.ops.pchmr.measure_cleanup()
    person.pchmr_cleanup.smoothing.enabled = False
    assert cleanup.is_outdated(person)
    assert cleanup.frames_behind(person) == (0, F)
    bpy.ops.pchmr.apply_cleanup()
    assert not cleanup.is_outdated(person)


def test_a_backend_that_fails_leaves_the_parameters(person: bpy.types.Collection, tmp_path: Path) -> None:
    person.pchmr_cleanup.smoothing.enabled = True
    before = person.pchmr_edit.layers
    with stub_backend(tmp_path, "foreign"), pytest.raises(RuntimeError):
        bpy.ops.pchmr.apply_cleanup()
    assert person.pchmr_edit.layers == before
    assert cleanup.measured_of(person) is None


# Foot contact strips.


@pytest.fixture
def striped(person: bpy.types.Collection) -> bpy.types.Collection:
    """With the detected strips taken over."""
    assert bpy.ops.pchmr.edit_strips() == {"FINISHED"}
    return person


def test_detected_strips_are_taken_over(person: bpy.types.Collection) -> None:
    assert "They are detected." in drawn(PCHMR_PT_strips)
    assert not bpy.ops.pchmr.remove_strip.poll()
    bpy.ops.pchmr.edit_strips()
    assert cleanup.strips_in(person) == STRIPS
    assert not cleanup.is_outdated(person)
    rows = person.pchmr_cleanup.strips
    assert [(row.side, row.part, row.first, row.last, row.locked) for row in rows] == [
        ("left", "heel", 4, 10, True),
        ("right", "toe", 9, 16, True),
    ]
    assert "2 strips" in drawn(PCHMR_PT_strips)
    bpy.ops.pchmr.detect_strips()
    assert cleanup.strips_in(person) is None
    assert len(person.pchmr_cleanup.strips) == 0
    assert "They are detected: 2, when last measured." in " ".join(drawn(PCHMR_PT_strips))


def test_strips_are_changed_in_the_list(striped: bpy.types.Collection) -> None:
    row = striped.pchmr_cleanup.strips[1]
    row.first, row.last, row.side, row.part, row.locked = 12, 18, "left", "heel", False
    (_, strip) = cleanup.strips_in(striped)
    assert (strip.side, strip.part, strip.locked) == ("left", "heel", False)
    assert (strip.start, strip.end) == pytest.approx((10.5 / 30, 17.5 / 30))
    assert (row.first, row.last) == (12, 18)
    assert cleanup.strips_in(striped)[0] == STRIPS[0]


@pytest.mark.parametrize(
    ("edge", "frame", "problem"),
    [
        ("first", 19, "Right toe: its last frame, 16, is before its first, 19. Let it end after it begins."),
        ("last", 3, "Right toe: its last frame, 3, is before its first, 9."),
    ],
)
def test_impossible_frames_are_refused(striped: bpy.types.Collection, edge: str, frame: int, problem: str) -> None:
    before = striped.pchmr_edit.layers
    setattr(striped.pchmr_cleanup.strips[1], edge, frame)
    assert striped.pchmr_edit.layers == before
    assert problem in striped.pchmr_cleanup.problem
    assert problem in " ".join(drawn(PCHMR_PT_cleanup))
    setattr(striped.pchmr_cleanup.strips[1], edge, 12)
    assert not striped.pchmr_cleanup.problem


def test_strips_by_the_current_frame(striped: bpy.types.Collection) -> None:
    scene, own = bpy.context.scene, striped.pchmr_cleanup
    scene.frame_set(6)
    bpy.ops.pchmr.add_strip(side="right", part="heel")
    assert own.strip == 1
    assert [(row.side, row.part, row.first, row.last) for row in own.strips][1] == ("right", "heel", 6, 14)
    scene.frame_set(11)
    bpy.ops.pchmr.set_strip_edge(edge="LAST")
    scene.frame_set(5)
    bpy.ops.pchmr.set_strip_edge(edge="FIRST")
    assert (own.strips[1].first, own.strips[1].last) == (5, 11)
    bpy.ops.pchmr.show_strip(index=2)
    assert (scene.frame_current, own.strip) == (9, 2)
    scene.frame_set(2)
    with pytest.raises(RuntimeError, match="its last frame, 2, is before its first, 9"):
        bpy.ops.pchmr.set_strip_edge(edge="LAST")
    bpy.ops.pchmr.remove_strip()
    assert len(own.strips) == 2
    scene.frame_set(500)
    with pytest.raises(RuntimeError, match="no picture of the take is in frames 500 to 508"):
        bpy.ops.pchmr.add_strip(side="left", part="toe")
    assert len(cleanup.strips_in(striped)) == 2


def test_a_first_strip_is_added_without_detected_ones(person: bpy.types.Collection) -> None:
    bpy.ops.pchmr.add_strip(side="left", part="toe")
    assert [(row.first, row.last) for row in person.pchmr_cleanup.strips] == [(1, 9)]
    bpy.ops.pchmr.remove_strip()
    assert cleanup.strips_in(person) == ()
    assert not bpy.ops.pchmr.remove_strip.poll()


def test_strips_move_with_the_take(striped: bpy.types.Collection) -> None:
    before = striped.pchmr_edit.layers
    retime(striped, Placing(fps=60.0, start=101.0))
    assert [(row.first, row.last) for row in striped.pchmr_cleanup.strips] == [(108, 118), (116, 130)]
    assert striped.pchmr_edit.layers == before


def test_a_list_that_a_script_left_behind_breaks_nothing(striped: bpy.types.Collection) -> None:
    values = layers_in(striped).values()
    values["foot_contact"]["strips"] = values["foot_contact"]["strips"][:1]
    edit_state.set_layers(striped, values)
    row = striped.pchmr_cleanup.strips[1]
    row.first = 12
    assert (row.first, row.locked) == (0, False)
    assert cleanup.strips_in(striped) == STRIPS[:1]
    striped.pchmr_cleanup.strip = 1
    with pytest.raises(RuntimeError, match="no strip is chosen"):
        bpy.ops.pchmr.remove_strip()
    assert "pchmr.list_strips" in drawn(PCHMR_PT_strips)
    bpy.ops.pchmr.list_strips()
    assert "1 strips" in drawn(PCHMR_PT_strips)


def test_strips_are_undone(striped: bpy.types.Collection) -> None:
    name = striped.name
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.pchmr.remove_strip()
    bpy.ops.ed.undo_push(message="removed")
    bpy.ops.ed.undo()
    person = bpy.data.collections[name]
    assert len(cleanup.strips_in(person)) == len(person.pchmr_cleanup.strips) == 2


# Drawing.


def test_drawing_only_reads(striped: bpy.types.Collection) -> None:
    panels = (PCHMR_PT_cleanup, *PANELS, PCHMR_PT_strips)
    assert set(panels) < set(registration.CLASSES)

    def state() -> tuple[Any, ...]:
        own = striped.pchmr_cleanup
        return striped.pchmr_edit.layers, striped.pchmr_edit.reports, len(own.strips), own.strip, own.problem

    before = state()
    shown = [line for panel in panels for line in drawn(panel)]
    assert {key for _, key in FIELDS} - {"enabled"} <= set(shown)
    assert state() == before


def test_a_baked_person_says_so(striped: bpy.types.Collection) -> None:
    bpy.ops.pchmr.bake_take()
    assert "The targets were baked" in " ".join(drawn(PCHMR_PT_cleanup))
    assert not any(drawn(panel) for panel in (*PANELS, PCHMR_PT_strips))
    assert cleanup.frames_behind(striped) is None


def test_lanes_stand_at_their_frames(striped: bpy.types.Collection) -> None:
    view = SimpleNamespace(region_to_view=lambda x, y: (x / 10 - 5, y))
    region = SimpleNamespace(view2d=view, width=400)
    boxes, colours = strip_lanes.lanes(striped, region, 1.0)
    assert boxes[:, :, 0] == pytest.approx(np.array([[90, 150], [135, 210]]))
    assert boxes[0, 0, 1] > boxes[1, 1, 1], "the left heel's lane is the highest"
    striped.pchmr_cleanup.strips[1].locked = False
    _, freed = strip_lanes.lanes(striped, region, 1.0)
    assert freed[1, 3] < colours[1, 3] == colours[0, 3]
    bpy.ops.pchmr.detect_strips()
    boxes, stale = strip_lanes.lanes(striped, region, 1.0)
    assert len(boxes) == 2
    bpy.ops.pchmr.measure_cleanup()
    assert (strip_lanes.lanes(striped, region, 1.0)[1][:, 3] > stale[:, 3]).all()
    bpy.ops.pchmr.add_strip(side="left", part="toe")
    bpy.ops.pchmr.remove_strip()
    assert strip_lanes.lanes(striped, region, 1.0)[0].shape == (0, 2, 2)


def test_lanes_that_the_region_does_not_show_are_left_out(striped: bpy.types.Collection) -> None:
    for first_frame in (-1000, 1000):
        view = SimpleNamespace(region_to_view=lambda x, y, first=first_frame: (x / 10 + first, y))
        region = SimpleNamespace(view2d=view, width=400)
        assert [len(found) for found in strip_lanes.lanes(striped, region, 1.0)] == [0, 0]
