"""Rows of a take made again after edits, and the frame that is shown while a joint is dragged."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference_backend import recalibrate as module
from inference_backend.edit_jobs import preview, wanted
from inference_backend.errors import BadArgument, Cancelled, TakeCorrupt
from inference_backend.job_params import Context
from inference_backend.live import LiveEdit
from inference_backend.recalibrate import Wanted, recalibrate, spans_of
from inference_backend.skeletons import JOINTS
from inference_backend.take import Person, open_take
from inference_backend.take_folder import clear
from inference_backend.take_info import layers_of, layers_path
from inference_backend.targets.edits import Drag, Edits
from inference_backend.targets.parameters import Layers, read_layers

from ..blender.bodies import shipped
from ..blender.takes import make_take

F = 9
WRIST, ELBOW = JOINTS.index("left_wrist"), JOINTS.index("left_elbow")
OFF = Layers.off()
DERIVED = (
    "joints_target",
    "points_target",
    "twist_target",
    "strength",
    "target_hash",
    "vertices",
    "joints",
    "rotations",
)


@pytest.fixture
def take(tmp_path: Path) -> Path:
    """A take whose derived rows the backend has made, so that they are made alike when they are made again."""
    folder = make_take(tmp_path / "dance.take", body=shipped(), frames=F)
    with module.TakeWriter.open(folder) as writer:
        writer.invalidate(0, "target", 0, F)
    recalibrate(folder, 0, Wanted.unedited(OFF))
    return folder


def edited(rows: list[int], **values: float) -> Wanted:
    """Rows whose left wrist is moved up by `up` metres, and more."""
    edits = Edits.none(len(rows))
    edits.offset[:, WRIST, 1] = values.get("up", 0.0)
    edits.strength[:] = values.get("strength", 1.0)
    return Wanted(OFF, np.array(rows), edits)


def rows_of(folder: Path) -> dict[str, np.ndarray]:
    person = open_take(folder).person(0)
    return {name: np.array(person.array(name)) for name in DERIVED}


def changed(before: dict[str, np.ndarray], after: dict[str, np.ndarray], name: str) -> list[int]:
    return [row for row in range(F) if before[name][row].tobytes() != after[name][row].tobytes()]


def test_what_agrees_is_left_alone(take: Path) -> None:
    assert recalibrate(take, 0, Wanted.unedited(OFF)).spans == ()


def test_only_the_edited_rows_change(take: Path) -> None:
    before = rows_of(take)
    assert recalibrate(take, 0, edited([2, 3, 7], up=0.1)).spans == ((2, 4), (7, 8))
    after = rows_of(take)
    for name in ("joints_target", "vertices", "joints", "rotations", "target_hash"):
        assert changed(before, after, name) == [2, 3, 7], name
    moved = np.linalg.norm(after["joints"] - before["joints"], axis=-1)[2]
    assert moved[WRIST] > 0.02
    assert moved[[j for j, name in enumerate(JOINTS) if name.startswith("right") or "ankle" in name]].max() < 1e-5


def test_reverted_rows_are_as_they_were(take: Path) -> None:
    before = rows_of(take)
    recalibrate(take, 0, edited([4], up=0.1))
    assert recalibrate(take, 0, Wanted.unedited(OFF)).spans == ((4, 5),)
    after = rows_of(take)
    assert changed(before, after, "target_hash") == []
    assert np.abs(after["vertices"] - before["vertices"]).max() < 1e-5


def test_strength_0_shows_the_mesh_stream_s_pose(take: Path) -> None:
    recalibrate(take, 0, edited([5], strength=0.0))
    person = open_take(take).person(0)
    made, stream = np.array(person.array("vertices")[5]), np.array(person.array("vertices_hmr")[5])
    shift = person.array("joints")[5, 0] - person.array("joints_hmr")[5, 0]
    assert np.abs(made - stream - shift).max() < 2e-3


def test_the_take_says_which_layers_its_rows_were_made_with(take: Path) -> None:
    info = open_take(take).info
    assert read_layers(layers_of(take, info, 0)) == OFF
    assert not layers_path(take, 0).exists()
    smooth = replace(OFF, smoothing=replace(OFF.smoothing, enabled=True))
    recalibrate(take, 0, Wanted.unedited(smooth))
    assert read_layers(layers_of(take, info, 0)) == smooth
    assert open_take(take).info == info  # its settings say what the sources were made with
    layers_path(take, 0).write_text("{", "utf-8")
    with pytest.raises(TakeCorrupt, match=r"layers\.json"):
        layers_of(take, info, 0)
    clear(take)
    assert not layers_path(take, 0).exists()


def test_torn_rows_are_made_again(take: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def torn(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module.TakeWriter, "write_rows", torn)
    with pytest.raises(KeyboardInterrupt):
        recalibrate(take, 0, edited([4], up=0.1))
    monkeypatch.undo()
    assert (open_take(take).person(0).array("calibrated_hash") == 0).tolist() == [row == 4 for row in range(F)]
    assert recalibrate(take, 0, Wanted.unedited(OFF)).spans == ((4, 5),)


def test_cancel_keeps_what_was_made(take: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    asked = itertools.count()  # at the start, and after each batch
    with pytest.raises(Cancelled):
        recalibrate(take, 0, edited(list(range(F)), up=0.05), cancelled=lambda: next(asked) == 2)
    assert recalibrate(take, 0, edited(list(range(F)), up=0.05)).spans == ((4, F),)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: Wanted(w.layers, np.array([F]), w.edits), "of a take with 9 frames"),
        (lambda w: Wanted(w.layers, np.array([-1]), w.edits), "of a take with 9 frames"),
        (lambda w: Wanted(w.layers, np.array([1, 2]), w.edits), "1 edits for 2 rows"),
    ],
)
def test_impossible_rows_are_refused(take: Path, change: Callable[[Wanted], Wanted], message: str) -> None:
    before = rows_of(take)
    with pytest.raises(BadArgument, match=message):
        recalibrate(take, 0, change(edited([3], up=0.1)))
    assert changed(before, rows_of(take), "vertices") == []


def test_no_such_person(take: Path) -> None:
    with pytest.raises(BadArgument, match="has no person 1"):
        recalibrate(take, 1, Wanted.unedited(OFF))


def test_an_unfinished_take_is_refused(tmp_path: Path) -> None:
    folder = make_take(tmp_path / "half.take", body=shipped(), frames=3, finished=False)
    with pytest.raises(TakeCorrupt, match="has not finished"):
        recalibrate(folder, 0, Wanted.unedited(OFF))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets nobody move files that are open")
def test_a_take_that_is_moved_away_while_a_joint_is_dragged(take: Path, tmp_path: Path) -> None:
    out = tmp_path / "mesh"
    out.write_bytes(bytes(2 * 12 * len(shipped().vertices)))
    asked = {"take": str(take), "row": 3, "out": str(out), "half": 0, "layers": OFF.values()}
    preview(asked, context())
    take.rename(tmp_path / "away.take")
    with pytest.raises(TakeCorrupt, match=r"take\.json: file: found No such file"):
        preview(asked, context())
    (tmp_path / "away.take").rename(take)
    preview(asked, context())
    (take / "person_0" / "pose_fitted.npy").unlink()
    with pytest.raises(TakeCorrupt, match=r"pose_fitted\.npy"):
        recalibrate(take, 0, Wanted.unedited(OFF))


def test_the_live_frame_is_what_the_take_gets(take: Path) -> None:
    live = LiveEdit(take, 0, OFF)
    start = live.frame(3, Edits.none(1))
    dragged = live.frame(3, Edits.none(1), [Drag(WRIST, to=start.joints[WRIST] + [0, 0, 0.05], mode="free")])
    assert np.allclose(dragged.joints[WRIST], start.joints[WRIST] + [0, 0, 0.05], atol=1e-6)
    assert np.abs(dragged.vertices - start.vertices).max() > 0.04
    recalibrate(take, 0, Wanted(OFF, np.array([3]), dragged.edits))
    person = open_take(take).person(0)
    world = np.array(person.array("world"))
    kept = person.array("vertices")[3] @ world[:3, :3].T + world[:3, 3]
    assert np.abs(kept - dragged.vertices).max() < 1e-5


def some_edit(name: str) -> Edits:
    edits = Edits.none(1)
    if name == "strength":
        edits.strength[0, [ELBOW, 9, 0]] = 0.4, 0.0, 0.7
    elif name == "twist":
        edits.turn[0, ELBOW] = np.cos(0.4), np.sin(0.4), 0, 0
    elif name == "whole body":
        edits.offset[0, 0] = 0.2, -0.1, 0.3
    elif name == "stretch":
        edits.offset[0, WRIST], edits.stretch[0, WRIST] = (0.1, 0.2, 0), 1
    elif name == "turn":
        edits.turn[0, 15] = np.cos(0.3), 0, np.sin(0.3), 0
    return edits


@pytest.mark.parametrize("form", ["chain", "torso"])
@pytest.mark.parametrize("name", ["nothing", "strength", "twist", "whole body", "stretch", "turn"])
def test_the_quick_way_and_the_long_way_make_the_same_mesh(take: Path, name: str, form: str) -> None:
    info = json.loads((take / "take.json").read_text("utf-8"))
    info["settings"]["calibration"] = {"form": form}
    (take / "take.json").write_text(json.dumps(info), "utf-8")
    edits = some_edit(name)
    frame = LiveEdit(take, 0, OFF).frame(5, edits)
    with module.TakeWriter.open(take) as writer:
        writer.invalidate(0, "target", 0, F)
    recalibrate(take, 0, Wanted(OFF, np.array([5]), edits))
    person = open_take(take).person(0)
    world = np.array(person.array("world"))
    for array, found in (("vertices", frame.vertices), ("joints_target", frame.joints)):
        assert np.abs(person.array(array)[5] @ world[:3, :3].T + world[:3, 3] - found).max() < 1e-5


def test_questions_about_other_rows_do_not_mix(take: Path) -> None:
    live, wish = LiveEdit(take, 0, OFF), Drag(WRIST, to=[0.3, 0.1, 1.2])
    first = live.frame(3, Edits.none(1), [wish])
    live.frame(4, some_edit("twist"), [wish, Drag(15, turn=[0.9, 0.1, 0.2, 0])])
    live.frame(3, some_edit("whole body"), [wish])
    again = live.frame(3, Edits.none(1), [wish])
    assert np.array_equal(first.vertices, again.vertices)
    assert first.edits.same(again.edits)


def context() -> Context:
    return Context(lambda _: None, lambda: False)


def test_preview_over_the_wire(take: Path, tmp_path: Path) -> None:
    out, count = tmp_path / "live.bin", len(shipped().vertices)
    out.write_bytes(bytes(2 * count * 12))
    still = {"take": str(take), "row": 3, "out": str(out), "half": 0, "layers": OFF.values()}
    first = preview(still, context())
    to = np.add(first["joints"][ELBOW], [0, 0, 0.04]).tolist()
    second = preview({**still, "half": 1, "drags": [{"joint": ELBOW, "to": to, "mode": "free"}]}, context())
    meshes = np.fromfile(out, np.float32).reshape(2, count, 3)
    live = LiveEdit(take, 0, OFF)
    assert np.allclose(meshes[0], live.frame(3, Edits.none(1)).vertices, atol=1e-6)
    assert np.linalg.norm(meshes[1] - meshes[0], axis=-1).max() > 0.03
    assert np.allclose(second["joints"][ELBOW], to, atol=1e-6)
    third = preview({**still, "edits": second["edits"]}, context())
    assert np.allclose(third["joints"], second["joints"], atol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"half": 2}, "half"),
        ({"row": F}, "of a take with 9 frames"),
        ({"edits": {"offset": [[0, 0, float("nan")]] * 24}}, "not a number"),
        ({"edits": {"offset": [[100, 0, 0]] * 24}}, "moved by 100 m"),
        ({"edits": {"offset": [[0, 0]]}}, "shape"),
        ({"edits": {"colour": []}}, "no colour"),
        ({"drags": [{"joint": 3, "to": [0, 0, 900]}]}, "moved by"),
        ({"drags": [{"joint": 99}]}, "99"),
        ({"drags": [{"jiont": 3}]}, "jiont"),
        ({"layers": {"smoothing": {"strength": 7}}}, "smoothing.strength"),
    ],
)
def test_a_preview_that_nobody_can_mean(take: Path, tmp_path: Path, change: dict[str, object], message: str) -> None:
    out = tmp_path / "live.bin"
    out.write_bytes(bytes(2 * len(shipped().vertices) * 12))
    params = {"take": str(take), "row": 3, "out": str(out), "half": 0, "layers": OFF.values(), **change}
    with pytest.raises(BadArgument, match=message):
        preview(params, context())


def test_edits_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "edits.npz"
    np.savez(path, rows=[2, 5], strength=np.full((2, 24), 0.5))
    found = wanted(OFF.values(), path)
    assert found.rows.tolist() == [2, 5]
    assert found.edits.strength.tolist() == np.full((2, 24), 0.5).tolist()
    assert not found.edits.offset.any()
    path.write_bytes(b"no such thing")
    with pytest.raises(BadArgument, match=r"edits\.npz"):
        wanted(OFF.values(), path)


def test_runs() -> None:
    assert list(spans_of(np.array([1, 2, 3, 7, 9, 10]))) == [(1, 4), (7, 8), (9, 11)]
    assert not list(spans_of(np.zeros(0, np.int64)))


def source_arrays(person: Person) -> dict[str, bytes]:
    names = ("pose_fitted", "root_fitted", "joints_lifted", "vertices_hmr", "pose", "keypoints_2d", "suspect")
    return {name: np.array(person.array(name)).tobytes() for name in names}


def test_sources_are_never_written(take: Path) -> None:
    before = source_arrays(open_take(take).person(0))
    recalibrate(take, 0, edited(list(range(F)), up=0.1))
    assert source_arrays(open_take(take).person(0)) == before
