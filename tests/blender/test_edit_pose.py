"""Edit Target Pose without a window: what the timer and the mouse do there is done by hand; the stub drags."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import bpy
import numpy as np
import pytest

from pchmr.inference_backend.skeletons import JOINTS
from pchmr.pchmr_blender import session
from pchmr.pchmr_blender.backend import client
from pchmr.pchmr_blender.core.edit_rows import EditRows
from pchmr.pchmr_blender.core.form_costs import Form
from pchmr.pchmr_blender.core.skeleton import BONE_NAMES
from pchmr.pchmr_blender.live import editing, mode
from pchmr.pchmr_blender.operators.edit_pose import PCHMR_OT_edit_pose
from pchmr.pchmr_blender.scene import edits
from pchmr.pchmr_blender.scene.export_formats import Format
from pchmr.pchmr_blender.scene.exports import ExportOptions, export
from pchmr.pchmr_blender.scene.handles import part_of
from pchmr.pchmr_blender.scene.preview_body import add_preview, previews
from pchmr.pchmr_blender.scene.take_paths import open_person
from pchmr.pchmr_blender.scene.versions import select_bone
from pchmr.pchmr_blender.ui.edit_pose import PCHMR_PT_edit_pose

from .backends import stub_backend
from .scenes import bring, show
from .takes import make_take
from .test_registration import drawn

ROWS = 8
START = 1  # scene frame of row 0
WRIST, ELBOW = JOINTS.index("left_wrist"), JOINTS.index("left_elbow")


class Mouse:
    """Blender's transform of the selected controls, as far as the mode sees it."""

    def __init__(self) -> None:
        self.down = False

    def drag(self, person: bpy.types.Collection, bone: str, by: tuple[float, float, float]) -> None:
        """Another mouse move: the control's location in its bone's axes."""
        self.down = True
        control(person, bone).location = by
        bpy.context.view_layer.update()
        settle(lambda: not current()._asking.pending)

    def turn(self, person: bpy.types.Collection, bone: str, quaternion: tuple[float, float, float, float]) -> None:
        self.down = True
        control(person, bone).rotation_quaternion = quaternion
        bpy.context.view_layer.update()
        settle(lambda: not current()._asking.pending)

    def release(self) -> None:
        """Confirm, or what Blender has done to the controls before, where that is a cancel."""
        self.down = False
        bpy.context.view_layer.update()
        mode.turn()


@pytest.fixture
def mouse(monkeypatch: pytest.MonkeyPatch) -> Mouse:
    made = Mouse()
    monkeypatch.setattr(editing, "transforming", lambda: made.down)
    monkeypatch.setattr(editing, "LET_GO", 20.0)
    return made


@pytest.fixture
def person(extension: ModuleType, tmp_path: Path) -> bpy.types.Collection:
    (collection,) = bring(make_take(tmp_path / "walk.take", frames=ROWS))
    show(START + 3)
    return collection


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[None]:
    with stub_backend(tmp_path):
        yield
        mode.leave()


@pytest.fixture
def edited(person: bpy.types.Collection, backend: None, mouse: Mouse) -> bpy.types.Collection:
    """In the mode, the left wrist selected."""
    enter(person)
    return person


def enter(person: bpy.types.Collection) -> None:
    bpy.context.view_layer.objects.active = part_of(person, "BODY")
    assert bpy.ops.pchmr.edit_pose() == {"FINISHED"}
    select(person, "wrist.L")


def current() -> editing.Editing:
    now = mode.current()
    assert now is not None
    return now


def control(person: bpy.types.Collection, bone: str) -> bpy.types.PoseBone:
    return part_of(person, "TARGETS").pose.bones[bone]


def select(person: bpy.types.Collection, *bones: str) -> None:
    for name in BONE_NAMES:
        select_bone(control(person, name), name in bones)


def settle(holds, seconds: float = 30.0) -> None:
    """Let the mode's timer turn."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        mode.turn()
        time.sleep(0.005)


def shown() -> np.ndarray:
    """The evaluated Preview."""
    (preview,) = previews()
    mesh = preview.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    points = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.attributes["position"].data.foreach_get("vector", points)
    return points.reshape(-1, 3)


def taken(person: bpy.types.Collection, row: int) -> np.ndarray:
    return open_person(person)[1].vertices(row, row + 1)[0]


def body(person: bpy.types.Collection) -> bpy.types.Object:
    return part_of(person, "BODY")


def keys(person: bpy.types.Collection) -> list[float]:
    return edits.edited_frames(person, selected_only=False).tolist()


def test_the_preview_stands_for_the_body(edited: bpy.types.Collection) -> None:
    (preview,) = previews()
    assert bpy.context.mode == "POSE"
    assert bpy.context.object == part_of(edited, "TARGETS")
    assert body(edited).hide_viewport
    assert not body(edited).hide_render
    assert preview.hide_render
    assert preview.hide_select
    assert preview.data.materials[:] == body(edited).data.materials[:]
    assert [len(preview.data.uv_layers), len(preview.data.polygons)] == [1, len(body(edited).data.polygons)]
    assert preview.data.shape_keys is None
    assert preview.name not in edited.objects
    assert np.array_equal(shown(), taken(edited, 3))
    assert bpy.ops.pchmr.leave_pose() == {"FINISHED"}
    assert (previews(), body(edited).hide_viewport, mode.current(), bpy.context.mode) == ([], False, None, "OBJECT")
    assert not [mesh for mesh in bpy.data.meshes if "Preview" in mesh.name]


@pytest.mark.parametrize("form", list(Form))
def test_it_does_so_in_all_forms(
    extension: ModuleType, tmp_path: Path, backend: None, mouse: Mouse, form: Form
) -> None:
    (person,) = bring(make_take(tmp_path / "walk.take", frames=ROWS), form=form)
    show(START + 2)
    enter(person)
    assert np.array_equal(shown(), taken(person, 2))


def test_a_body_that_was_hidden_stays_so(person: bpy.types.Collection, backend: None, mouse: Mouse) -> None:
    body(person).hide_viewport = True
    enter(person)
    mode.leave()
    assert body(person).hide_viewport


def test_other_frames_show_theirs(edited: bpy.types.Collection) -> None:
    show(START + 6)
    assert np.array_equal(shown(), taken(edited, 6))
    show(START + 500)
    assert current().row is None
    assert "This frame is outside of the take" in drawn(PCHMR_PT_edit_pose)
    show(START)
    assert np.array_equal(shown(), taken(edited, 0))


@pytest.mark.parametrize("autokey", [False, True])
def test_a_drag_is_followed_and_keyed(edited: bpy.types.Collection, mouse: Mouse, autokey: bool) -> None:
    bpy.context.scene.tool_settings.use_keyframe_insert_auto = autokey
    before, elbow = shown(), control(edited, "elbow.L").location.copy()
    mouse.drag(edited, "wrist.L", (0.0, -0.05, 0.02))
    mouse.drag(edited, "wrist.L", (0.0, -0.12, 0.05))
    moved = shown()
    assert np.abs(moved - before).max() > 0.05
    assert (control(edited, "elbow.L").location - elbow).length > 0.01  # a follower
    assert tuple(control(edited, "wrist.L").location) == pytest.approx((0.0, -0.12, 0.05))  # Blender's
    assert keys(edited) == []
    if autokey:  # Blender does so when it confirms
        control(edited, "wrist.L").keyframe_insert("location")
    mouse.release()
    assert keys(edited) == [START + 3]
    assert np.array_equal(shown(), moved)
    made = edits.sample(edited, [3])
    assert editing.changed_joints(made, edits.held(edited)) == []
    joints = editing.changed_joints(EditRows.none(1), made)
    assert {WRIST, ELBOW} <= set(joints)
    assert JOINTS.index("right_wrist") not in joints
    show(START + 4)
    show(START + 3)
    settle(lambda: not current().waiting)
    assert np.abs(shown() - moved).max() < 1e-5  # from the keys
    own = edited.pchmr_edit
    far = edits.sample(edited, [0]).offset if own.before <= 3 else None
    assert far is None or not far.any()


def test_a_cancelled_drag_leaves_nothing(edited: bpy.types.Collection, mouse: Mouse) -> None:
    before = shown()
    mouse.drag(edited, "wrist.L", (0.0, -0.12, 0.05))
    assert np.abs(shown() - before).max() > 0.01
    control(edited, "wrist.L").location = 0, 0, 0  # Blender does so
    mouse.release()
    assert keys(edited) == []
    assert not edits.held(edited).edited().any()
    assert np.array_equal(shown(), before)


def test_a_second_drag_goes_on_from_the_first(edited: bpy.types.Collection, mouse: Mouse) -> None:
    mouse.drag(edited, "wrist.L", (0.0, -0.1, 0.0))
    mouse.release()
    first = edits.sample(edited, [3])
    select(edited, "wrist.R")
    mouse.drag(edited, "wrist.R", (0.0, -0.1, 0.0))
    mouse.release()
    second = edits.sample(edited, [3])
    assert np.array_equal(second.offset[0, WRIST], first.offset[0, WRIST])
    assert np.abs(second.offset[0, JOINTS.index("right_wrist")]).max() > 0.05


def test_two_controls_are_dragged_together(edited: bpy.types.Collection, mouse: Mouse) -> None:
    select(edited, "wrist.L", "wrist.R")
    mouse.down = True
    control(edited, "wrist.R").location = 0, -0.08, 0
    mouse.drag(edited, "wrist.L", (0.0, -0.08, 0.0))
    mouse.release()
    made = edits.sample(edited, [3])
    for joint in (WRIST, JOINTS.index("right_wrist")):
        assert np.abs(made.offset[0, joint]).max() > 0.04


def test_free_stretches_and_a_mirrored_drag_moves_both(edited: bpy.types.Collection, mouse: Mouse) -> None:
    edited.pchmr_edit.mode, edited.pchmr_edit.mirror = "FREE", True
    mouse.drag(edited, "wrist.L", (0.0, 0.2, 0.0))
    mouse.release()
    made = edits.sample(edited, [3])
    assert made.stretch[0, WRIST] == pytest.approx(1.0)
    assert np.linalg.norm(made.offset[0, WRIST]) == pytest.approx(0.2, abs=1e-5)
    assert np.linalg.norm(made.offset[0, JOINTS.index("right_wrist")]) == pytest.approx(0.2, abs=1e-5)


@pytest.mark.parametrize(
    ("bone", "turn"),
    [("head", (0.9, 0.3, 0.1, 0.0)), ("wrist.L", (0.9, 0.0, 0.2, 0.3)), ("elbow.L", (0.95, 0.0, 0.3, 0.0))],
)
def test_a_turn_is_keyed_as_a_turn(
    edited: bpy.types.Collection, mouse: Mouse, bone: str, turn: tuple[float, float, float, float]
) -> None:
    """The elbow's is a twist about its own bone."""
    joint = BONE_NAMES.index(bone)
    select(edited, bone)
    mouse.turn(edited, bone, turn)
    mouse.release()
    made = edits.sample(edited, [3])
    angle = 2 * np.arccos(abs(made.turn[0, joint, 0]))
    assert angle == pytest.approx(2 * np.arccos(turn[0] / np.linalg.norm(turn)), abs=1e-4)
    assert not made.offset[0, joint].any()
    assert tuple(control(edited, bone).lock_rotation) == ((True, False, True) if bone == "elbow.L" else (False,) * 3)


def test_a_joint_that_is_dragged_with_the_whole_body_moves_once(edited: bpy.types.Collection, mouse: Mouse) -> None:
    """Blender's transform moves both controls, and the wrist's follows the pelvis' besides."""
    targets, by = part_of(edited, "TARGETS"), np.array([0.05, 0.02, 0.1])
    select(edited, "pelvis", "wrist.L")
    base = np.array(targets.pose.bones["wrist_base.L"].matrix)[:3, :3]
    control(edited, "wrist.L").location = base.T @ by
    mouse.drag(edited, "pelvis", np.array(targets.data.bones["pelvis"].matrix_local)[:3, :3].T @ by)
    mouse.release()
    made = edits.sample(edited, [3])
    assert np.allclose(made.offset[0, 0], by, atol=1e-5)
    assert not np.abs(made.offset[0, 1:]).max() > 1e-5


def test_pins_stay(edited: bpy.types.Collection, mouse: Mouse) -> None:
    assert bpy.ops.pchmr.pin_controls() == {"FINISHED"}
    assert control(edited, "wrist.L").pchmr.pinned
    select(edited, "pelvis")
    place = current().answer
    mouse.drag(edited, "pelvis", (0.0, 0.0, 0.03))
    moved = current().answer
    assert place is None
    assert moved is not None
    view = open_person(edited)[1]
    assert np.linalg.norm(moved.joints[WRIST] - view.joints_base[3, WRIST]) < 1e-4
    assert np.linalg.norm(moved.joints[0] - view.joints_base[3, 0]) == pytest.approx(0.03, abs=1e-4)
    mouse.release()
    select(edited, "wrist.L")
    bpy.ops.pchmr.pin_controls()
    assert not control(edited, "wrist.L").pchmr.pinned


def test_typed_values_are_shown_and_keyed_when_asked(edited: bpy.types.Collection) -> None:
    before = shown()
    control(edited, "wrist.L").location = 0, -0.1, 0
    bpy.context.view_layer.update()
    settle(lambda: not current().waiting)
    assert np.abs(shown() - before).max() > 0.02
    assert keys(edited) == []
    assert bpy.ops.pchmr.key_pose() == {"FINISHED"}
    assert keys(edited) == [START + 3]


def test_keys_that_are_moved_are_no_drag(edited: bpy.types.Collection, mouse: Mouse) -> None:
    mouse.drag(edited, "wrist.L", (0.0, -0.1, 0.0))
    mouse.release()
    mouse.down = True  # in the graph editor
    from pchmr.pchmr_blender.scene.control_curves import LOCATION, ControlCurves

    for curve in ControlCurves(part_of(edited, "TARGETS")).of("wrist.L", LOCATION):
        for point in curve.keyframe_points:
            point.co.x += 2
        curve.update()
    part_of(edited, "TARGETS").animation_data.action.update_tag()
    bpy.context.view_layer.update()
    assert not current().dragging
    mouse.release()
    assert START + 5 in keys(edited)


def test_absurd_drags_are_refused_and_put_back(edited: bpy.types.Collection, mouse: Mouse) -> None:
    mouse.drag(edited, "wrist.L", (0.0, 100.0, 0.0))
    problem = session.current.problem
    assert problem is not None
    assert problem.kind == "BadArgument"
    mouse.release()
    assert keys(edited) == []
    assert not edits.held(edited).edited().any()
    assert mode.current() is not None


def test_a_control_of_euler_angles_is_named(edited: bpy.types.Collection, mouse: Mouse) -> None:
    control(edited, "wrist.L").rotation_mode = "XYZ"
    mouse.drag(edited, "wrist.L", (0.0, -0.1, 0.0))
    mouse.release()
    problem = session.current.problem
    assert problem is not None
    assert "wrist.L" in problem.message
    assert mode.current() is not None


def test_a_backend_that_dies_loses_nothing(
    person: bpy.types.Collection, mouse: Mouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "RETRY_SECONDS", 0.0)  # with each drag, here: it is started again at once all the same
    with stub_backend(tmp_path, "fragile"):
        enter(person)
        settle(lambda: not current().waiting)
        mouse.drag(person, "wrist.L", (0.0, -0.1, 0.0))
        problem = session.current.problem
        assert problem is not None
        assert problem.kind == "BackendDied"
        assert "the stub breaks" in problem.output
        mouse.drag(person, "wrist.L", (0.0, -0.12, 0.0))  # goes on, without the body
        mouse.release()
        assert keys(person) == [START + 3]
        assert tuple(control(person, "wrist.L").location) == pytest.approx((0.0, -0.12, 0.0), abs=1e-6)
        assert edits.sample(person, [3]).offset[0, ELBOW].tolist() == [0, 0, 0]
        show(START + 4)
        show(START + 3)  # a question without a drag, to a new process
        settle(lambda: not current().waiting)
        assert np.abs(shown() - taken(person, 3)).max() > 0.01
        mode.leave()


def test_a_backend_that_dies_once_follows_again_when_the_mouse_is_let_go(
    person: bpy.types.Collection, mouse: Mouse, tmp_path: Path
) -> None:
    with stub_backend(tmp_path, "stumbling"):
        enter(person)
        settle(lambda: not current().waiting)
        mouse.drag(person, "wrist.L", (0.0, -0.1, 0.0))
        assert session.current.problem is not None
        assert session.current.problem.kind == "BackendDied"
        mouse.drag(person, "wrist.L", (0.0, -0.12, 0.0))  # not started again under the artist's hand
        assert session.current.problem is not None
        mouse.release()
        settle(lambda: not current().waiting)
        assert session.current.problem is None
        assert "Nothing is lost" in session.current.notice
        assert edits.sample(person, [3]).offset[0, ELBOW].any()  # what the drag leads to, by the backend
        assert np.abs(shown() - taken(person, 3)).max() > 0.01
        mode.leave()


def test_what_nobody_can_mean_is_named_by_bone_and_frame_until_it_is_undone(
    edited: bpy.types.Collection, mouse: Mouse
) -> None:
    for wrong, words in ((float("nan"), "is no number"), (100.0, "ankle.R is moved by")):
        control(edited, "ankle.R").location.y = wrong
        bpy.context.view_layer.update()
        settle(lambda: not current().waiting)
        problem = session.current.problem
        assert problem is not None
        assert words in problem.message
        assert f"at frame {START + 3}" in problem.message
        control(edited, "ankle.R").location.y = 0.0
        bpy.context.view_layer.update()
        settle(lambda: not current().waiting)
        assert session.current.problem is None
    assert keys(edited) == []


def test_outside_of_the_take_there_is_no_body(edited: bpy.types.Collection) -> None:
    show(START + 500)
    assert previews()[0].hide_viewport
    show(START + 3)
    assert not previews()[0].hide_viewport


def test_files_hold_the_body_and_no_preview(edited: bpy.types.Collection, tmp_path: Path) -> None:
    file = tmp_path / "walk.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(file), copy=True)
    assert mode.current() is not None
    assert len(previews()) == 1
    assert body(edited).hide_viewport
    assert np.array_equal(shown(), taken(edited, 3))
    with bpy.data.libraries.load(str(file)) as (found, _):
        assert not [name for name in (*found.objects, *found.meshes) if "Preview" in name]
    bpy.ops.wm.open_mainfile(filepath=str(file))
    assert mode.current() is None
    (again,) = (one for one in bpy.data.collections if one.pchmr.uuid)
    assert not body(again).hide_viewport


def test_a_recovered_file_is_mended(person: bpy.types.Collection, tmp_path: Path) -> None:
    """Blender's autosave tells nobody."""
    file = tmp_path / "autosave.blend"
    mode_handlers = [one for one in bpy.app.handlers.save_pre if one == mode.before_save]
    bpy.app.handlers.save_pre.remove(mode_handlers[0])
    add_preview(person, open_person(person)[1])
    bpy.ops.wm.save_as_mainfile(filepath=str(file))
    bpy.app.handlers.save_pre.append(mode_handlers[0])
    bpy.ops.wm.open_mainfile(filepath=str(file))
    (again,) = (one for one in bpy.data.collections if one.pchmr.uuid)
    assert previews() == []
    assert not body(again).hide_viewport


@pytest.mark.parametrize("part", ["BODY", "TARGETS", "PREVIEW", "everything"])
def test_what_is_deleted_ends_the_mode(edited: bpy.types.Collection, part: str) -> None:
    if part == "everything":
        for item in list(bpy.data.objects):
            bpy.data.objects.remove(item)
        bpy.data.collections.remove(edited)
    else:
        bpy.data.objects.remove(previews()[0] if part == "PREVIEW" else part_of(edited, part))
    bpy.context.view_layer.update()
    mode.turn()
    assert mode.current() is None
    assert not any(one.users_collection for one in previews())  # no step of undo follows: it is not removed
    if part in ("TARGETS", "PREVIEW"):
        assert not body(edited).hide_viewport


def test_object_mode_ends_it(edited: bpy.types.Collection) -> None:
    bpy.ops.object.mode_set(mode="OBJECT")
    mode.turn()
    assert mode.current() is None
    assert not body(edited).hide_viewport


def test_of_two_people_one_is_edited(extension: ModuleType, tmp_path: Path, backend: None, mouse: Mouse) -> None:
    first, second = bring(make_take(tmp_path / "two.take", frames=ROWS, people=2))
    show(START + 3)
    for one in (first, second):
        part_of(one, "TARGETS").select_set(True)
    enter(second)
    assert [item.name for item in bpy.context.objects_in_mode] == [part_of(second, "TARGETS").name]
    assert not body(first).hide_viewport
    mouse.drag(second, "wrist.L", (0.0, -0.1, 0.0))
    mouse.release()
    assert keys(second) == [START + 3]
    assert keys(first) == []


def test_an_armature_of_the_artist_is_none_of_ours(extension: ModuleType) -> None:
    bpy.ops.object.armature_add()
    assert not PCHMR_OT_edit_pose.poll(bpy.context)


def test_hidden_targets_are_named(person: bpy.types.Collection, backend: None) -> None:
    part_of(person, "TARGETS").hide_viewport = True
    bpy.context.view_layer.objects.active = body(person)
    with pytest.raises(RuntimeError, match="is hidden"):
        bpy.ops.pchmr.edit_pose()
    assert previews() == []


def test_a_take_that_is_gone_is_named(person: bpy.types.Collection, backend: None, tmp_path: Path) -> None:
    (tmp_path / "walk.take").rename(tmp_path / "elsewhere")
    bpy.context.view_layer.objects.active = body(person)
    with pytest.raises(RuntimeError, match="take"):
        bpy.ops.pchmr.edit_pose()
    assert (previews(), mode.current(), body(person).hide_viewport) == ([], None, False)


def test_exports_hold_the_body(edited: bpy.types.Collection, tmp_path: Path) -> None:
    export(edited, tmp_path / "walk.bvh", Format.BVH, ExportOptions())
    assert (tmp_path / "walk.bvh").stat().st_size > 1000
    assert body(edited).hide_viewport
    assert mode.current() is not None


def test_undo_and_redo_leave_and_enter_it(person: bpy.types.Collection, backend: None, mouse: Mouse) -> None:
    name = person.name
    bpy.context.preferences.edit.use_global_undo = True
    bpy.ops.ed.undo_push(message="before")
    enter(person)
    bpy.ops.ed.undo_push(message="enter")
    bpy.ops.ed.undo()
    mode.turn()
    assert mode.current() is None
    assert not body(bpy.data.collections[name]).hide_viewport
    bpy.ops.ed.redo()
    mode.turn()
    assert mode.current() is not None
    assert body(bpy.data.collections[name]).hide_viewport
    assert np.array_equal(shown(), taken(bpy.data.collections[name], 3))
