from __future__ import annotations

import shutil
from itertools import permutations
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from pchmr.inference_backend.errors import BadArgument
from pchmr.pchmr_blender.core import pc2
from pchmr.pchmr_blender.core.takes import PersonView, TakeView, open_view
from pchmr.pchmr_blender.core.timing import Placing
from pchmr.pchmr_blender.scene import actions, versions
from pchmr.pchmr_blender.scene.body_forms import Form, costs, form_of, remove_form, set_form
from pchmr.pchmr_blender.scene.mesh_cache import mend_cache
from pchmr.pchmr_blender.steps import Status

from .parts import create_body, create_skeleton
from .takes import make_take

FRAMES = 12
SECONDS = [0.0, 0.02, 0.09, 0.1, 0.17, 0.31, 0.35, 0.4, 0.41, 0.5, 0.62, 0.7]
PLACING = Placing(fps=24.0, start=1.0)
EXACT = 2e-6
FORMS = list(Form)


class Bulging:
    """A person whose body is more than its skeleton's skin, as calibration makes it: up to centimetres of bulges."""

    def __init__(self, person: PersonView) -> None:
        self._person = person
        random = np.random.default_rng(4)
        self._shapes = random.normal(scale=0.006, size=(3, person.vertex_count, 3)).astype(np.float32)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._person, name)

    def vertices(self, start: int, stop: int) -> np.ndarray:
        amounts = np.sin(np.arange(start, stop)[:, None] * np.array([0.3, 0.5, 0.7])).astype(np.float32)
        return self._person.vertices(start, stop) + np.einsum("fk,knc->fnc", amounts, self._shapes)


class Stage:
    """A person in the scene, with a skeleton and a body that does not move yet."""

    def __init__(self, view: TakeView, placing: Placing, folder: Path) -> None:
        self.person, self.placing, self.folder = Bulging(view.people[0]), placing, folder
        collection = bpy.data.collections.new("Clip")
        bpy.context.scene.collection.children.link(collection)
        self.skeleton = create_skeleton(self.person, placing, collection, "Clip")
        self.body = create_body(self.person, view.topology, collection, "Clip")

    def set(self, form: Form, show: Any = lambda status: None, **options: Any) -> None:
        set_form(
            self.body, self.skeleton, self.person, self.placing, form, cache_folder=self.folder, show=show, **options
        )

    def seen(self, frame: float) -> np.ndarray:
        """The evaluated body's vertices in the world at a scene frame."""
        return seen(bpy.data.objects["Clip Body"], frame)

    def worst(self) -> float:
        """Farthest that any vertex of any row is from the take's, metres."""
        frames = self.placing.frames(self.person.seconds)
        off = [self.seen(frame) - self.person.vertices(row, row + 1)[0] for row, frame in enumerate(frames)]
        return float(np.linalg.norm(off, axis=-1).max())


def seen(body: bpy.types.Object, frame: float) -> np.ndarray:
    bpy.context.scene.frame_set(int(frame // 1), subframe=frame % 1)
    evaluated = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
    co = np.empty((len(evaluated.data.vertices), 3), np.float32)
    evaluated.data.vertices.foreach_get("co", co.ravel())
    matrix = np.array(evaluated.matrix_world)
    return co @ matrix[:3, :3].T + matrix[:3, 3]


def allowed(form: Form) -> float:
    return 0.001 + EXACT if form is Form.COMPRESSED else EXACT


def traces() -> dict[str, int]:
    return {
        name: len(getattr(bpy.data, name))
        for name in ("meshes", "shape_keys", "objects", "actions", "materials", "armatures")
    }


def keyed_paths(owner: bpy.types.ID) -> list[str]:
    return [curve.data_path for curve in actions.curves_of(owner)]


@pytest.fixture
def view(tmp_path: Path) -> TakeView:
    return open_view(make_take(tmp_path / "a clip.take", frames=FRAMES, seconds=SECONDS))


@pytest.fixture
def stage(view: TakeView, tmp_path: Path) -> Stage:
    return Stage(view, PLACING, tmp_path / "cäche 名 files")


@pytest.mark.parametrize("placing", [PLACING, Placing(29.97, -3.2), Placing(60.0, 1001.0)], ids=str)
@pytest.mark.parametrize("form", FORMS)
def test_each_row_is_shown_at_its_second(form: Form, placing: Placing, view: TakeView, tmp_path: Path) -> None:
    stage = Stage(view, placing, tmp_path / "cache")
    stage.set(form)
    assert form_of(stage.body) is form
    assert stage.worst() <= allowed(form)


@pytest.mark.parametrize("form", FORMS)
def test_before_and_after_the_clip_the_first_and_last_row_stay(form: Form, stage: Stage) -> None:
    stage.set(form)
    for frame, row in ((-50, 0), (500, FRAMES - 1)):
        assert np.abs(stage.seen(frame) - stage.person.vertices(row, row + 1)[0]).max() <= allowed(form)


@pytest.mark.parametrize("form", [Form.ABSOLUTE, Form.PC2])
def test_between_two_rows_the_mesh_is_between_them(form: Form, stage: Stage) -> None:
    stage.set(form)
    frames = PLACING.frames(stage.person.seconds)
    between = stage.person.vertices(4, 6).mean(0)
    assert np.abs(stage.seen((frames[4] + frames[5]) / 2) - between).max() < 1e-5


@pytest.mark.parametrize(("before", "after"), list(permutations(FORMS, 2)))
def test_a_change_of_form_leaves_no_trace_of_the_former(before: Form, after: Form, stage: Stage) -> None:
    stage.set(after)
    fresh, paths = traces(), keyed_paths(stage.body)
    stage.set(before)
    stage.set(after)
    assert form_of(stage.body) is after
    assert stage.worst() <= allowed(after)
    assert traces() == fresh
    assert keyed_paths(stage.body) == paths
    assert (stage.body.data.name, stage.body.data.materials[0].name) == ("Clip Body", "Clip Body")
    assert {modifier.type for modifier in stage.body.modifiers} == {
        Form.ABSOLUTE: set(), Form.COMPRESSED: {"ARMATURE"}, Form.PC2: {"MESH_CACHE"}
    }[after]  # fmt: skip
    assert (stage.body.parent == stage.skeleton) == (after is Form.COMPRESSED)


@pytest.mark.parametrize("form", FORMS)
def test_the_same_form_can_be_made_again(form: Form, stage: Stage) -> None:
    stage.set(form)
    fresh = traces()
    stage.set(form)
    assert traces() == fresh
    assert stage.worst() <= allowed(form)


@pytest.mark.parametrize("form", FORMS)
def test_without_a_form_the_body_is_at_rest(form: Form, stage: Stage) -> None:
    before = traces()
    stage.set(form)
    remove_form(stage.body, stage.skeleton)
    assert form_of(stage.body) is None
    assert traces() == before
    assert np.array_equal(stage.seen(5), stage.person.rest_vertices)


@pytest.mark.parametrize("after", FORMS)
@pytest.mark.parametrize("before", [None, *FORMS])
def test_a_cancelled_change_leaves_everything_as_it_was(before: Form | None, after: Form, stage: Stage) -> None:
    if before is not None:
        stage.set(before)
    traced, shown = traces(), stage.seen(7.5)

    def cancel(status: Status) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage.set(after, cancel)
    assert form_of(stage.body) is before
    assert traces() == traced
    assert np.array_equal(stage.seen(7.5), shown)


def test_progress_reaches_its_end_in_each_form(stage: Stage) -> None:
    for form in FORMS:
        told: dict[str, list[float]] = {}
        stage.set(form, lambda status, told=told: told.setdefault(status.stage, []).append(status.fraction))
        assert told
        for fractions in told.values():
            assert fractions == sorted(fractions)
            assert fractions[-1] == 1.0


@pytest.mark.parametrize("tolerance_mm", [0.3, 3.0])
def test_blender_poses_the_compressed_body_within_the_tolerance(tolerance_mm: float, stage: Stage) -> None:
    stage.set(Form.COMPRESSED, tolerance_mm=tolerance_mm)
    assert stage.worst() <= tolerance_mm / 1000 + EXACT
    keys = stage.body.data.shape_keys.key_blocks
    assert all((key.slider_min, key.slider_max) == (0, 1) for key in list(keys)[1:])
    for curve in actions.curves_of(stage.body.data.shape_keys):
        values = actions.read_curve(curve)[:, 1]
        assert 0 <= values.min() <= values.max() <= 1
    assert 1 < len(keys) < FRAMES


def test_a_body_that_skinning_moves_exactly_needs_no_keys(view: TakeView, tmp_path: Path) -> None:
    stage = Stage(view, PLACING, tmp_path)
    stage.person = view.people[0]
    stage.set(Form.COMPRESSED)
    assert [key.name for key in stage.body.data.shape_keys.key_blocks] == ["Basis"]
    assert form_of(stage.body) is Form.COMPRESSED
    assert stage.worst() <= allowed(Form.COMPRESSED)


def test_a_skeleton_that_is_moved_takes_the_compressed_body_along(stage: Stage) -> None:
    stage.set(Form.COMPRESSED)
    before = stage.seen(5)
    stage.skeleton.location = (1.0, 2.0, 3.0)
    assert np.allclose(stage.seen(5) - before, (1, 2, 3), atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_one_action_moves_body_and_skeleton_where_actions_have_slots(form: Form, stage: Stage) -> None:
    if not versions.has_slots():
        pytest.skip("actions of this Blender have no slots")
    stage.set(form)
    owner = stage.body if form is Form.PC2 else stage.body.data.shape_keys
    assert actions.action_of(owner) == actions.action_of(stage.skeleton)


@pytest.mark.parametrize("form", FORMS)
def test_moving_the_keys_moves_the_body_in_time(form: Form, stage: Stage) -> None:
    stage.set(form)
    shown = stage.seen(9)
    for owner in filter(None, (stage.skeleton, stage.body, stage.body.data.shape_keys)):
        for curve in actions.curves_of(owner):
            for point in curve.keyframe_points:
                point.co.x += 40
            curve.update()
    assert np.allclose(stage.seen(49), shown, atol=1e-5)


def test_a_clip_of_constant_rate_has_two_keys_in_the_exact_forms(tmp_path: Path) -> None:
    stage = Stage(open_view(make_take(tmp_path / "x.take", frames=200)), PLACING, tmp_path)
    for form, owner in ((Form.PC2, lambda: stage.body), (Form.ABSOLUTE, lambda: stage.body.data.shape_keys)):
        stage.set(form)
        assert [len(curve.keyframe_points) for curve in actions.curves_of(owner())] == [2]


def test_nothing_of_the_clip_is_in_the_blend_with_a_mesh_cache(tmp_path: Path) -> None:
    sizes = []
    for frames in (20, 400):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        stage = Stage(open_view(make_take(tmp_path / f"{frames}.take", frames=frames)), PLACING, tmp_path)
        actions.remove_action(stage.skeleton)
        stage.set(Form.PC2)
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "x.blend"), compress=False)
        sizes.append((tmp_path / "x.blend").stat().st_size)
    assert abs(sizes[1] - sizes[0]) < 4096


def test_curves_that_an_artist_gave_the_body_stay(stage: Stage) -> None:
    stage.set(Form.PC2)
    stage.body.keyframe_insert("hide_render", frame=3)
    stage.set(Form.ABSOLUTE)
    assert keyed_paths(stage.body) == ["hide_render"]


def test_a_linked_copy_shows_the_new_form_too(stage: Stage) -> None:
    copy = bpy.data.objects.new("Copy", stage.body.data)
    bpy.context.scene.collection.objects.link(copy)
    stage.set(Form.ABSOLUTE)
    assert np.allclose(seen(copy, 9), stage.seen(9))


@pytest.mark.parametrize("form", FORMS)
def test_an_edited_body_is_refused(form: Form, stage: Stage) -> None:
    stage.body.data.vertices.add(1)
    with pytest.raises(BadArgument, match="vertices"):
        stage.set(form)


def test_a_tolerance_that_cannot_be_kept_is_refused(stage: Stage) -> None:
    stage.set(Form.PC2)
    with pytest.raises(BadArgument):
        stage.set(Form.COMPRESSED, tolerance_mm=0.0)
    assert form_of(stage.body) is Form.PC2


def test_costs_are_those_of_the_file(stage: Stage) -> None:
    for form in (Form.PC2, Form.ABSOLUTE):
        cost = costs(stage.person, form)
        assert not cost.estimated
    stage.set(Form.PC2)
    (file,) = stage.folder.glob("*.pc2")
    assert abs(costs(stage.person, Form.PC2).disk - file.stat().st_size) <= 32


@pytest.fixture
def cached(stage: Stage) -> tuple[Stage, Path]:
    stage.set(Form.PC2)
    (file,) = stage.folder.glob("*.pc2")
    return stage, file


def test_rows_rewritten_in_place_are_shown(cached: tuple[Stage, Path]) -> None:
    stage, file = cached
    frame = PLACING.frames(stage.person.seconds)[3]
    stage.seen(frame)
    moved = stage.person.vertices(3, 4) + np.float32(0.25)
    pc2.write_rows(file, len(stage.person.rest_vertices), 3, moved)
    stage.body.update_tag()
    assert np.abs(stage.seen(frame) - moved[0]).max() <= EXACT


@pytest.mark.parametrize("damage", ["gone", "short"])
def test_a_cache_that_is_gone_or_cut_short_is_named_and_made_again(cached: tuple[Stage, Path], damage: str) -> None:
    stage, file = cached
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(pc2.CacheCorrupt):
        mend_cache(stage.body, stage.folder, stage.person)
    stage.set(Form.PC2)
    mend_cache(stage.body, stage.folder, stage.person)
    assert stage.worst() <= EXACT


def test_a_cache_that_was_moved_is_found_again(cached: tuple[Stage, Path], tmp_path: Path) -> None:
    stage, file = cached
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    shutil.move(file, moved / file.name)
    mend_cache(stage.body, moved, stage.person)
    assert stage.worst() <= EXACT


def test_bodies_in_other_forms_have_no_cache_to_mend(stage: Stage) -> None:
    stage.set(Form.ABSOLUTE)
    mend_cache(stage.body, stage.folder, stage.person)


def test_two_takes_of_one_name_have_caches_of_their_own(stage: Stage, tmp_path: Path) -> None:
    stage.set(Form.PC2)
    stage.person = Bulging(open_view(make_take(tmp_path / "b.take", frames=9)).people[0])
    stage.set(Form.PC2)
    assert len(list(stage.folder.glob("*.pc2"))) == 2
    assert stage.worst() <= EXACT


@pytest.mark.parametrize("form", FORMS)
def test_all_is_kept_by_save_save_as_and_reload(form: Form, stage: Stage, tmp_path: Path) -> None:
    first, second = tmp_path / "böd" / "a.blend", tmp_path / "other" / "deep" / "b.blend"
    for path in (first, second):
        path.parent.mkdir(parents=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(first))
    stage.set(form)
    shown = stage.seen(9)
    for path in (first, second):
        bpy.ops.wm.save_as_mainfile(filepath=str(path))
        bpy.ops.wm.open_mainfile(filepath=str(path))
        body = bpy.data.objects["Clip Body"]
        assert form_of(body) is form
        assert np.allclose(seen(body, 9), shown, atol=1e-6)
        if form is Form.PC2:
            assert body.modifiers[0].filepath.startswith("//")
            mend_cache(body, stage.folder, stage.person)


def test_a_cache_is_kept_relative_when_the_file_is_saved_first(cached: tuple[Stage, Path], tmp_path: Path) -> None:
    stage, _ = cached
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    assert bpy.data.objects["Clip Body"].modifiers[0].filepath.startswith("//")
    assert stage.worst() <= EXACT
