"""Corrected detections in the file: kept with it, shown over the picture, dragged with the mouse, keyed when lifted."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest

from pchmr.inference_backend.errors import BadArgument
from pchmr.inference_backend.skeletons import JOINTS, LANDMARKS
from pchmr.pchmr_blender import lifting, session
from pchmr.pchmr_blender.core.edit_rows import EditRows
from pchmr.pchmr_blender.core.picture_overlay import region_points
from pchmr.pchmr_blender.core.row_ranges import written
from pchmr.pchmr_blender.operators.correct_detections import view_through_camera
from pchmr.pchmr_blender.scene import landmark_drag
from pchmr.pchmr_blender.scene.corrections import (
    correct,
    corrections_in,
    corrections_of,
    forget_corrections,
    key_lifted,
    shown_at,
)
from pchmr.pchmr_blender.scene.edit_state import committed, layers_of
from pchmr.pchmr_blender.scene.edits import edited_frames, key_row, sample
from pchmr.pchmr_blender.scene.evidence import evidence_of
from pchmr.pchmr_blender.scene.handles import Handle, handle_of, part_of
from pchmr.pchmr_blender.scene.landmark_drag import LandmarkDrag, mouse, view_lens
from pchmr.pchmr_blender.scene.take_paths import take_folder
from pchmr.pchmr_blender.ui import overlay
from pchmr.pchmr_blender.ui.corrections import PCHMR_PT_corrections

from .scenes import bring
from .takes import make_take
from .test_registration import drawn

ROWS = 40
WRIST, THUMB, KNEE = (LANDMARKS.index(name) for name in ("left_wrist", "left_thumb", "right_knee"))
JOINT, ELBOW = JOINTS.index("left_wrist"), JOINTS.index("left_elbow")


@pytest.fixture
def person(extension: ModuleType, tmp_path: Path) -> bpy.types.Collection:
    (collection,) = bring(make_take(tmp_path / "walk.take", frames=ROWS))
    return collection


def detected(person: bpy.types.Collection, row: int, landmark: int) -> np.ndarray:
    return evidence_of(person).keypoints_2d[row, landmark, :2].astype(float)


def frame(row: int) -> int:
    return bpy.context.scene.frame_start + row


def test_a_correction_is_kept_once_per_landmark_and_row(person: bpy.types.Collection) -> None:
    correct(person, 3, {WRIST: (10.0, 20.0), THUMB: (11.0, 21.0)})
    correct(person, 3, {WRIST: (12.0, 22.0)})
    correct(person, 1, {KNEE: (5.0, 6.0)})
    found = [(one.row, one.landmark, one.x, one.y) for one in corrections_of(person)]
    assert found == [(1, KNEE, 5.0, 6.0), (3, WRIST, 12.0, 22.0), (3, THUMB, 11.0, 21.0)]
    assert corrections_in(person, 3) == {WRIST: (12.0, 22.0), THUMB: (11.0, 21.0)}
    assert forget_corrections(person, 3) == 2
    assert [one.row for one in corrections_of(person)] == [1]
    assert forget_corrections(person, None) == 1


def test_it_comes_back_with_the_file(person: bpy.types.Collection, tmp_path: Path) -> None:
    correct(person, 3, {WRIST: (10.0, 20.0)})
    file = tmp_path / "walk.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(file))
    bpy.ops.wm.open_mainfile(filepath=str(file))
    (again,) = (one for one in bpy.data.collections if one.pchmr.uuid)
    assert corrections_in(again, 3) == {WRIST: (10.0, 20.0)}


def test_the_picture_shows_corrections_and_what_follows_for_the_frames_around(person: bpy.types.Collection) -> None:
    place = detected(person, 10, WRIST) + np.array([60, -25])
    correct(person, 10, {WRIST: place})
    at, beside, far = (shown_at(person, frame(row)) for row in (10, 12, 30))
    assert at.places[WRIST] == pytest.approx(place, abs=1e-3)
    assert at.corrected == {WRIST: pytest.approx(tuple(place), abs=1e-3)}
    assert not beside.corrected
    assert 1 < np.linalg.norm(beside.places[WRIST] - detected(person, 12, WRIST)) < 65
    assert far.places == pytest.approx(far.detected[:, :2])
    assert np.array_equal(at.detected, evidence_of(person).keypoints_2d[10])
    forget_corrections(person, None)
    assert shown_at(person, frame(10)).places == pytest.approx(at.detected[:, :2])
    assert shown_at(person, frame(-20)) is None


def test_rows_that_the_take_no_longer_has_are_not_shown(person: bpy.types.Collection) -> None:
    correct(person, ROWS + 5, {WRIST: (10.0, 20.0)})
    assert not shown_at(person, frame(10)).corrected


class View:
    """A 3D view through the camera, as the drag sees it in a window."""

    def __init__(self, person: bpy.types.Collection) -> None:
        self.person = person
        self.region = SimpleNamespace(type="WINDOW", x=100, y=50, width=640, height=360)
        camera = part_of(person, "CAMERA")
        lens = camera.calc_matrix_camera(bpy.context.evaluated_depsgraph_get(), x=640, y=360)
        through = SimpleNamespace(view_perspective="CAMERA", perspective_matrix=lens @ camera.matrix_world.inverted())
        self.space = SimpleNamespace(region_3d=through)
        spaces = SimpleNamespace(active=self.space)
        self.area = SimpleNamespace(type="VIEW_3D", as_pointer=lambda: 7, regions=[self.region], spaces=spaces)
        usual = SimpleNamespace(system=SimpleNamespace(ui_scale=1.0))  # without a window it is 0
        screen = SimpleNamespace(areas=[self.area])
        self.context = SimpleNamespace(screen=screen, scene=bpy.context.scene, preferences=usual)
        self.drag = LandmarkDrag(handle_of(person), self.area)

    def place(self, pixels: Any) -> tuple[int, int]:
        """Of the window, over a pixel of the picture."""
        lens = view_lens(part_of(self.person, "CAMERA"), self.space.region_3d.perspective_matrix, self.region)
        x, y = region_points(np.array([pixels], np.float32), *lens)[0]
        return round(x + 100), round(y + 50)

    def move(self, pixels: Any) -> None:
        self.drag.move(self.context, self.place(pixels))


@pytest.fixture
def view(person: bpy.types.Collection) -> Any:
    bpy.context.scene.frame_set(frame(10))
    made = View(person)
    yield made
    made.drag.end()


def test_a_landmark_is_dragged_with_what_goes_along(view: View, person: bpy.types.Collection) -> None:
    start = detected(person, 10, WRIST)
    view.move(start)
    assert mouse.pointed is not None
    assert mouse.pointed.landmark == WRIST
    assert view.drag.take_hold()
    view.move(start + np.array([50, 20]))
    assert mouse.pointed.places[WRIST] == pytest.approx(start + np.array([50, 20]), abs=1.0)
    row, landmark, places = view.drag.put_down()
    assert (row, landmark) == (10, WRIST)
    assert {LANDMARKS[one] for one in places} == {f"left_{part}" for part in ("wrist", "pinky", "index", "thumb")}
    assert not view.drag.holding
    correct(person, row, places)
    by = shown_at(person, frame(10)).places - evidence_of(person).keypoints_2d[10, :, :2]
    assert by[THUMB] == pytest.approx(by[WRIST], abs=1e-3)


def test_a_drag_that_is_let_go_changes_nothing(view: View, person: bpy.types.Collection) -> None:
    view.move(detected(person, 10, KNEE))
    assert view.drag.take_hold()
    view.move((400, 100))
    assert view.drag.let_go()
    assert not view.drag.let_go()
    assert mouse.pointed is None
    assert not corrections_of(person)


def test_a_click_without_a_drag_corrects_nothing(view: View, person: bpy.types.Collection) -> None:
    view.move(detected(person, 10, KNEE))
    assert view.drag.take_hold()
    assert view.drag.put_down()[2] == {}


def test_away_from_all_landmarks_nothing_is_held(view: View) -> None:
    view.move((5, 5))
    assert mouse.pointed is None
    assert not view.drag.take_hold()


def test_what_lies_over_the_view_is_not_the_picture(view: View, person: bpy.types.Collection) -> None:
    x, _ = view.place(detected(person, 10, KNEE))
    view.area.regions.append(SimpleNamespace(type="UI", x=x - 30, y=0, width=200, height=900))
    view.move(detected(person, 10, KNEE))
    assert mouse.pointed is None
    view.area.regions[-1].width = 1  # hidden
    view.move(detected(person, 10, KNEE))
    assert mouse.pointed is not None


def test_one_at_a_time(view: View, person: bpy.types.Collection) -> None:
    assert not bpy.ops.pchmr.correct_detections.poll()
    view.drag.end()
    assert bpy.ops.pchmr.correct_detections.poll()


def test_only_a_view_through_the_take_s_camera_will_do(view: View, person: bpy.types.Collection) -> None:
    camera = part_of(person, "CAMERA")
    space = SimpleNamespace(use_local_camera=False, camera=None, region_3d=SimpleNamespace(view_perspective="PERSP"))
    space.overlay = SimpleNamespace(show_overlays=False)
    area = SimpleNamespace(type="VIEW_3D", spaces=SimpleNamespace(active=space))
    context = SimpleNamespace(area=area, scene=SimpleNamespace(camera=camera))
    assert view_through_camera(context, person) is area
    assert space.region_3d.view_perspective == "CAMERA"
    assert space.overlay.show_overlays
    context.scene.camera = None
    with pytest.raises(BadArgument, match="another camera"):
        view_through_camera(context, person)
    area.type = "GRAPH_EDITOR"
    with pytest.raises(BadArgument, match="in a 3D view"):
        view_through_camera(context, person)


def test_a_script_says_where_a_landmark_is(person: bpy.types.Collection) -> None:
    bpy.context.scene.frame_set(frame(7))
    assert bpy.ops.pchmr.correct_detections(landmark="left_wrist", x=12.0, y=34.0) == {"FINISHED"}
    assert corrections_in(person, 7) == {WRIST: (12.0, 34.0)}
    with pytest.raises(RuntimeError, match="no landmark 'tail'"):
        bpy.ops.pchmr.correct_detections(landmark="tail", x=12.0, y=34.0)
    with pytest.raises(RuntimeError, match="no landmark ''"):
        bpy.ops.pchmr.correct_detections()
    bpy.context.scene.frame_set(frame(-20))
    with pytest.raises(RuntimeError, match="no picture of this person is shown"):
        bpy.ops.pchmr.correct_detections(landmark="left_wrist", x=12.0, y=34.0)


def test_in_a_view_that_looks_elsewhere_by_now_nothing_is_pointed_at(view: View, person: bpy.types.Collection) -> None:
    view.move(detected(person, 10, KNEE))
    view.space.region_3d.view_perspective = "PERSP"
    view.move(detected(person, 10, KNEE))
    assert mouse.pointed is None


def made_edits(rows: int) -> EditRows:
    edits = EditRows.none(rows)
    edits.offset[:, JOINT, 2] = 0.1
    return edits


def test_what_is_lifted_is_keyed_on_its_rows_alone(person: bpy.types.Collection) -> None:
    rows = np.array([8, 9, 10, 20, 21])
    key_lifted(person, rows, made_edits(5), (JOINT,))
    found = sample(person, np.arange(ROWS)).offset[:, JOINT, 2]
    assert np.flatnonzero(np.abs(found) > 1e-6).tolist() == rows.tolist()
    assert found[rows] == pytest.approx(0.1, abs=1e-6)
    assert committed(person).tolist() == rows.tolist()
    own = person.pchmr_corrections
    assert (own.lifted_rows, own.lifted_joints) == (written(rows), str(JOINT))


def test_the_next_lift_replaces_the_last_one_and_no_other_edit(person: bpy.types.Collection) -> None:
    other = EditRows.none(1)
    other.offset[:, ELBOW, 0] = 0.2
    key_row(person, 9, other, [ELBOW])
    key_lifted(person, np.arange(8, 12), made_edits(4), (JOINT,))
    key_lifted(person, np.arange(30, 32), made_edits(2), (JOINT,))
    found = sample(person, np.arange(ROWS)).offset
    assert np.flatnonzero(np.abs(found[:, JOINT, 2]) > 1e-6).tolist() == [30, 31]
    assert found[9, ELBOW, 0] == pytest.approx(0.2, abs=1e-6)
    key_lifted(person, np.zeros(0, np.int64), EditRows.none(0), ())
    assert not np.abs(sample(person, np.arange(ROWS)).offset[:, JOINT]).max() > 1e-6
    assert person.pchmr_corrections.lifted_rows == ""
    assert committed(person).tolist() == [8, 9, 10, 11], "the elbow's edit, which was committed with the first lift"


def test_at_the_ends_of_the_take(person: bpy.types.Collection) -> None:
    key_lifted(person, np.array([0, 1, ROWS - 1]), made_edits(3), (JOINT,))
    found = sample(person, np.arange(ROWS)).offset[:, JOINT, 2]
    assert np.flatnonzero(np.abs(found) > 1e-6).tolist() == [0, 1, ROWS - 1]


def test_the_overlay_draws_marks_for_what_is_corrected_dragged_and_pointed_at(
    person: bpy.types.Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, Any] = {"strokes": []}
    monkeypatch.setattr(overlay, "draw_landmarks", lambda points, sure: drawn.update(points=points, sure=sure))
    monkeypatch.setattr(overlay, "draw_strokes", lambda strokes, colour: drawn["strokes"].append(strokes))
    monkeypatch.setattr(overlay, "draw_words", lambda words, at: drawn.update(words=words))
    camera = part_of(person, "CAMERA")
    lens = camera.calc_matrix_camera(bpy.context.evaluated_depsgraph_get(), x=640, y=360)
    region, seen = SimpleNamespace(width=640, height=360), camera.matrix_world.inverted()
    place = detected(person, 10, KNEE) + np.array([30, 30])
    correct(person, 10, {KNEE: place})
    dragged = detected(person, 10, WRIST) - np.array([40, 0])
    pointed = landmark_drag.Pointed(person.pchmr.uuid, WRIST, {WRIST: dragged})
    overlay.draw_person(shown_at(person, frame(10)), pointed, camera, lens @ seen, region)
    before = overlay.placed(evidence_of(person).keypoints_2d[10], camera, lens @ seen, region)
    moved = np.linalg.norm(drawn["points"] - before, axis=1)
    assert np.flatnonzero(moved > 1).tolist() == sorted([WRIST, KNEE])
    assert drawn["sure"][[WRIST, KNEE]].tolist() == [1, 1]
    corrected, at = drawn["strokes"]
    assert len(corrected) == 4  # two lines from the detected places, two rings
    assert corrected[0][0] == pytest.approx(before[WRIST])
    assert len(at) == 1
    assert drawn["words"] == "Left wrist"


class Peer:
    """A backend's client that lifts whatever it is asked to, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.error = error

    def call(self, method: str, params: dict[str, Any]) -> str:
        self.asked.append((method, params))
        return method

    def answer(self) -> dict[str, Any]:
        edits, rows = made_edits(3), np.array([9, 10, 11])
        arrays = {name: getattr(edits, name) for name in ("offset", "turn", "stretch", "strength")}
        np.savez(self.asked[-1][1]["out"], rows=rows, **arrays)
        return {"rows": [[9, 12]], "joints": [JOINT], "keyed": [9, 10, 11]}


def lift(person: bpy.types.Collection, peer: Peer) -> None:
    """Drive the work as the session does."""
    steps, answer = lifting.lifting(peer, handle_of(person)), None
    while True:
        try:
            yielded = steps.send(answer)
            answer = None
            if yielded == "correct":
                if peer.error is not None:
                    yielded = steps.throw(peer.error)
                answer = peer.answer()
        except StopIteration:
            return


@pytest.fixture
def recalibrated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whom the recalibration was asked for; it is tested elsewhere."""
    asked: list[str] = []

    def work(handle: Handle, client: Any) -> Any:
        asked.append(handle.name)
        return
        yield

    monkeypatch.setattr(lifting, "recalibration", work)
    return asked


def test_lift_again_keys_what_the_backend_says_and_recalibrates(
    person: bpy.types.Collection, recalibrated: list[str]
) -> None:
    correct(person, 10, {WRIST: (10.0, 20.0)})
    lift(person, peer := Peer())
    ((method, params),) = peer.asked
    assert method == "correct"
    assert params["corrections"] == [{"row": 10, "landmark": WRIST, "x": 10.0, "y": 20.0}]
    assert params["take"] == str(take_folder(person))
    assert params["person"] == 0
    assert params["layers"] == layers_of(person)
    assert sample(person, [10]).offset[0, JOINT, 2] == pytest.approx(0.1, abs=1e-6)
    assert committed(person).tolist() == [9, 10, 11]
    assert recalibrated == [person.name]
    assert "1 joint is edited in 3 frames" in session.current.notice


def test_without_corrections_it_takes_its_keys_away_and_asks_for_nothing(
    person: bpy.types.Collection, recalibrated: list[str]
) -> None:
    key_lifted(person, np.arange(8, 12), made_edits(4), (JOINT,))
    lift(person, peer := Peer())
    assert not peer.asked
    assert not sample(person, np.arange(ROWS)).edited().any()
    assert recalibrated == [person.name]


def test_only_the_rows_that_need_it_are_keyed(person: bpy.types.Collection) -> None:
    rows = np.arange(8, 15)
    key_lifted(person, rows, made_edits(7), (JOINT,), np.isin(rows, (9, 13)))
    assert committed(person).tolist() == rows.tolist()
    assert sample(person, [9, 13]).offset[:, JOINT, 2] == pytest.approx(made_edits(7).offset[[1, 5], JOINT, 2])
    assert sample(person, rows).edited().all()
    assert not sample(person, [7, 15]).edited().any()
    assert edited_frames(person, selected_only=False).tolist() == [frame(row) for row in (7, 9, 13, 15)]


def test_a_refusal_changes_nothing(person: bpy.types.Collection, recalibrated: list[str]) -> None:
    correct(person, ROWS + 9, {WRIST: (10.0, 20.0)})
    with pytest.raises(BadArgument, match="row 49"):
        lift(person, Peer(BadArgument("row 49 of a take with 40 frames", hint="Correct frames that the take has.")))
    assert not sample(person, np.arange(ROWS)).edited().any()
    assert not recalibrated


def test_the_buttons_say_what_they_need(extension: ModuleType, person: bpy.types.Collection) -> None:
    assert not bpy.ops.pchmr.lift_again.poll()
    assert "pchmr.clear_corrections" not in drawn(PCHMR_PT_corrections)
    correct(person, 3, {WRIST: (10.0, 20.0), THUMB: (1.0, 2.0)})
    correct(person, 5, {WRIST: (10.0, 20.0)})
    assert bpy.ops.pchmr.lift_again.poll()
    assert "3 landmarks in 2 frames" in drawn(PCHMR_PT_corrections)
    bpy.context.scene.frame_set(frame(3))
    assert bpy.ops.pchmr.clear_corrections(scope="FRAME") == {"FINISHED"}
    assert [one.row for one in corrections_of(person)] == [5]
    bpy.context.scene.frame_set(frame(-20))
    with pytest.raises(RuntimeError, match="no picture of this person is shown"):
        bpy.ops.pchmr.clear_corrections(scope="FRAME")
    assert bpy.ops.pchmr.clear_corrections(scope="ALL") == {"FINISHED"}
    assert not corrections_of(person)
    assert not bpy.ops.pchmr.lift_again.poll()
