"""Doubtful joints in the file: the list, the way to one, markers, colours, and the detections over the picture."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType, SimpleNamespace

import bpy
import numpy as np
import pytest

from pchmr.inference_backend.suspect_threshold import SUSPECT_THRESHOLD
from pchmr.inference_backend.take_format import ARRAYS
from pchmr.pchmr_blender import registration
from pchmr.pchmr_blender.core.lens import Frame, fitted
from pchmr.pchmr_blender.core.skeleton import BONE_NAMES
from pchmr.pchmr_blender.core.suspect_list import score_colour
from pchmr.pchmr_blender.core.timing import Placing
from pchmr.pchmr_blender.scene import suspect_colours
from pchmr.pchmr_blender.scene.camera import fit_camera, pinhole_of
from pchmr.pchmr_blender.scene.corrections import shown_at
from pchmr.pchmr_blender.scene.evidence import evidence_of
from pchmr.pchmr_blender.scene.handles import part_of, set_placing
from pchmr.pchmr_blender.scene.retime import retime
from pchmr.pchmr_blender.scene.take_paths import open_person, take_folder
from pchmr.pchmr_blender.scene.versions import bone_selected
from pchmr.pchmr_blender.ui import overlay
from pchmr.pchmr_blender.ui.suspects import PCHMR_PT_suspects

from .scenes import bring, show
from .takes import make_take
from .test_registration import drawn

ROWS = 12


def suspect_take(folder: Path, people: int = 1) -> Path:
    """A take of 12 rows in which the left elbow (rows 2-4) and the right wrist (row 9) are in doubt."""
    make_take(folder, frames=ROWS, people=people, width=640, height=360, principal=(300.0, 200.0))
    score = np.full((ROWS, 24), 0.05, "<f4")
    score[2:5, BONE_NAMES.index("elbow.L")] = 0.72, 0.8, 0.76
    score[9, BONE_NAMES.index("wrist.R")] = 0.95
    causes = np.zeros((ROWS, 24, 6), "|u1")
    causes[..., 3] = 200
    for index in range(people):
        for name, rows in (("suspect", score), ("suspect_causes", causes)):
            path = folder / f"person_{index}" / f"{name}.npy"
            header = path.read_bytes()[: -rows.nbytes]
            assert len(header) + ARRAYS[name].nbytes(rows.shape) == path.stat().st_size
            path.write_bytes(header + rows.tobytes())
    return folder


@pytest.fixture
def person(extension: ModuleType, tmp_path: Path) -> bpy.types.Collection:
    """One in the scene."""
    (collection,) = bring(suspect_take(tmp_path / "walk.take"))
    return collection


def markers() -> dict[str, int]:
    return {marker.name: marker.frame for marker in bpy.context.scene.timeline_markers}


def colour_of(person: bpy.types.Collection, bone: str) -> tuple[float, ...]:
    return tuple(part_of(person, "TARGETS").pose.bones[bone].color.custom.normal)


def test_an_import_lists_them(person: bpy.types.Collection) -> None:
    assert person.pchmr_suspects.listed
    before = [(span.name, span.first, span.score) for span in person.pchmr_suspects.spans]
    assert len(before) == 2
    assert bpy.ops.pchmr.list_suspects() == {"FINISHED"}
    assert [(span.name, span.first, span.score) for span in person.pchmr_suspects.spans] == before


def test_the_list_has_the_worst_first(person: bpy.types.Collection) -> None:
    spans = person.pchmr_suspects.spans
    assert [(span.name, span.first, span.last, span.cause) for span in spans] == [
        ("wrist.R", 9, 9, "jerk"),
        ("elbow.L", 2, 4, "jerk"),
    ]
    assert [span.score for span in spans] == pytest.approx([0.95, 0.8])


def test_the_panel_begins_with_the_threshold_that_the_scores_are_judged_by(person: bpy.types.Collection) -> None:
    assert person.pchmr_suspects.threshold == pytest.approx(SUSPECT_THRESHOLD)


def test_the_threshold_makes_the_list_again(person: bpy.types.Collection) -> None:
    own = person.pchmr_suspects
    own.threshold = 0.9
    assert [span.name for span in own.spans] == ["wrist.R"]
    own.threshold = 1.0
    assert own.listed
    assert "None at this threshold" in drawn(PCHMR_PT_suspects)
    assert not bpy.ops.pchmr.show_suspect.poll()


def test_ticks_outlive_another_threshold(person: bpy.types.Collection) -> None:
    own = person.pchmr_suspects
    own.spans[1].chosen = True
    own.threshold = 0.75
    assert [(span.name, span.first, span.chosen) for span in own.spans] == [("wrist.R", 9, False), ("elbow.L", 3, True)]


def test_next_and_previous_go_round(person: bpy.types.Collection) -> None:
    frames = []
    for step in ("NEXT", "NEXT", "PREVIOUS"):
        assert bpy.ops.pchmr.step_suspect(step=step) == {"FINISHED"}
        frames.append((bpy.context.scene.frame_current, person.pchmr_suspects.active))
    start = bpy.context.scene.frame_start
    assert frames == [(start + 3, 1), (start + 9, 0), (start + 3, 1)]


def test_a_suspect_is_shown_with_its_control_alone_selected(person: bpy.types.Collection) -> None:
    targets = part_of(person, "TARGETS")
    for index, name in enumerate(("wrist.R", "elbow.L")):
        assert bpy.ops.pchmr.show_suspect(index=index) == {"FINISHED"}
        assert (bpy.context.view_layer.objects.active, targets.mode) == (targets, "POSE")
        assert [bone.name for bone in targets.pose.bones if bone_selected(bone)] == [name]
        assert targets.data.bones.active.name == name


def test_without_controls_the_frame_changes_all_the_same(person: bpy.types.Collection) -> None:
    bpy.data.objects.remove(part_of(person, "TARGETS"))
    assert bpy.ops.pchmr.show_suspect(index=0) == {"FINISHED"}
    assert bpy.context.scene.frame_current == bpy.context.scene.frame_start + 9


def test_frames_follow_when_the_take_is_moved(person: bpy.types.Collection) -> None:
    set_placing(person, Placing(fps=60.0, start=101.0))
    bpy.ops.pchmr.show_suspect(index=0)
    assert bpy.context.scene.frame_current == 101 + 2 * 9


def test_markers_go_to_their_frames_when_the_take_is_moved(person: bpy.types.Collection) -> None:
    person.pchmr_suspects.markers = True
    bpy.context.scene.timeline_markers.new("far away", frame=5000)
    retime(person, Placing(fps=47.5, start=101.0))
    fps = 30 / 47.5
    assert markers() == {
        "PC-HMR wrist.R 95%": round(101 + 9 / fps),
        "PC-HMR elbow.L 80%": round(101 + 3 / fps),
        "far away": 5000,
    }


def test_markers_come_and_go_and_the_artist_s_stay(person: bpy.types.Collection) -> None:
    own, scene = person.pchmr_suspects, bpy.context.scene
    theirs = {"Cut": 5, "PC-HMR wrist.R 95%": 7}
    for name, frame in theirs.items():
        scene.timeline_markers.new(name, frame=frame)
    own.markers = True
    first = scene.frame_start
    assert markers() == {**theirs, "PC-HMR wrist.R 95% (2)": first + 9, "PC-HMR elbow.L 80%": first + 3}
    own.threshold = 0.9
    assert markers() == {**theirs, "PC-HMR wrist.R 95% (2)": first + 9}
    own.markers = False
    assert markers() == theirs


def test_two_people_keep_to_their_own_markers(extension: ModuleType, tmp_path: Path) -> None:
    both = bring(suspect_take(tmp_path / "two.take", people=2))
    for one in both:
        one.pchmr_suspects.threshold = 0.9
        one.pchmr_suspects.markers = True
    assert len(markers()) == 2
    both[0].pchmr_suspects.markers = False
    assert list(markers()) == ["PC-HMR wrist.R 95% (2)"]


def test_controls_have_the_colours_of_their_scores(person: bpy.types.Collection) -> None:
    targets, start = part_of(person, "TARGETS"), bpy.context.scene.frame_start
    targets.pose.bones["head"].color.palette = "THEME01"
    show(start)
    person.pchmr_suspects.colours = True
    assert colour_of(person, "elbow.L") == pytest.approx(score_colour(0.05), abs=0.01)
    assert suspect_colours.colour_controls(person, start + 3) == 1
    assert colour_of(person, "elbow.L") == pytest.approx(score_colour(0.8), abs=0.01)
    assert suspect_colours.colour_controls(person, start + 3) == 0, "nothing changed, and something was written"
    assert suspect_colours.colour_controls(person, start + 500) == 1  # calm again outside of the take
    assert targets.pose.bones["elbow_base.L"].color.palette == "DEFAULT"
    person.pchmr_suspects.colours = False
    palettes = {bone.name: bone.color.palette for bone in targets.pose.bones if bone.color.palette != "DEFAULT"}
    assert palettes == {"head": "THEME01"}


def test_the_frame_handler_writes_neither_in_the_background_nor_in_a_render(
    person: bpy.types.Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = bpy.context.scene
    show(scene.frame_start)
    person.pchmr_suspects.colours = True
    calm = colour_of(person, "elbow.L")
    assert ("frame_change_post", suspect_colours.after_frame_change) in registration.HANDLERS
    show(scene.frame_start + 3)
    assert colour_of(person, "elbow.L") == calm
    app = SimpleNamespace(background=False, is_job_running=lambda kind: kind == "RENDER")
    monkeypatch.setattr(suspect_colours, "bpy", SimpleNamespace(app=app))
    suspect_colours.after_frame_change(scene, None)
    assert colour_of(person, "elbow.L") == calm
    app.is_job_running = lambda kind: False
    suspect_colours.after_frame_change(scene, None)
    assert colour_of(person, "elbow.L") != calm


@pytest.mark.parametrize("frame", [(640, 360), (1000, 1000), (1920, 800)])
def test_detections_stand_on_their_pixels(person: bpy.types.Collection, frame: tuple[int, int]) -> None:
    """Through Blender's own camera matrix: a landmark comes out where the picture, fitted to the output, has it."""
    scene, camera = bpy.context.scene, part_of(person, "CAMERA")
    scene.render.resolution_x, scene.render.resolution_y = frame
    view, taken = open_person(person)
    fit_camera(camera, pinhole_of(view), Frame(*frame))
    graph = bpy.context.evaluated_depsgraph_get()
    seen = shown_at(person, scene.frame_start + 4).detected
    assert np.array_equal(seen, taken.keypoints_2d[4])
    window = camera.calc_matrix_camera(graph, x=frame[0], y=frame[1])
    region = SimpleNamespace(width=frame[0], height=frame[1])
    shown = overlay.placed(seen, camera, window @ camera.matrix_world.inverted(), region)
    pinhole, output = pinhole_of(view), fitted(pinhole_of(view), Frame(*frame))
    wanted = output.project(pinhole.unproject(seen[:, :2].astype(float)))
    np.testing.assert_allclose(shown, np.stack([wanted[:, 0] + 0.5, frame[1] - 0.5 - wanted[:, 1]], 1), atol=0.01)


def test_detections_follow_the_footage(person: bpy.types.Collection) -> None:
    scene = bpy.context.scene
    person.pchmr.footage_offset = 2.0
    rows = evidence_of(person).keypoints_2d
    assert np.array_equal(shown_at(person, scene.frame_start + 5).detected, rows[3])
    assert shown_at(person, scene.frame_start) is None


def test_a_take_that_is_gone_is_said_and_nothing_breaks(person: bpy.types.Collection) -> None:
    folder = take_folder(person)
    shutil.rmtree(folder)
    own = person.pchmr_suspects
    own.threshold = 0.3
    assert len(own.spans) == 2  # the list stays as it was
    assert own.problem.startswith("the take walk.take is not at")
    assert "the take walk.take is not at" in drawn(PCHMR_PT_suspects)
    with pytest.raises(RuntimeError, match="take"):
        bpy.ops.pchmr.list_suspects()
    own.colours = True
    assert evidence_of(person) is not None  # from memory, as long as this file is open


def test_a_file_that_is_loaded_has_its_list(person: bpy.types.Collection, tmp_path: Path) -> None:
    person.pchmr_suspects.markers = True
    file = tmp_path / "walk.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(file))
    bpy.ops.wm.open_mainfile(filepath=str(file))
    (again,) = (one for one in bpy.data.collections if one.pchmr.uuid)
    assert [span.name for span in again.pchmr_suspects.spans] == ["wrist.R", "elbow.L"]
    again.pchmr_suspects.markers = False
    assert markers() == {}


def test_a_panel_of_a_person_shows_the_list(person: bpy.types.Collection) -> None:
    shown = drawn(PCHMR_PT_suspects)
    assert {"2 spans", "wrist.R: jumps", "pchmr.step_suspect", "threshold", "markers", "colours", "detections"} <= set(
        shown
    )
