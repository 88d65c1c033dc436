"""Edits in a file: what is read, and what is refused by the name of its entry and key."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference_backend.targets.edit_values import LARGEST
from pchmr.inference_backend.errors import BadArgument
from pchmr.inference_backend.skeletons import JOINTS
from pchmr.pchmr_blender.core.axes import quaternions_to_matrices
from pchmr.pchmr_blender.core.edit_fields import FARTHEST, FIELDS
from pchmr.pchmr_blender.core.edit_list import EditList, ListedEdit, load_edits, read_edits

WRIST = JOINTS.index("left_wrist")
LEAST = {"frames": "3", "joint": "left_wrist", "strength": 0.5}


def one(**changes: Any) -> ListedEdit:
    values = {**LEAST, **changes}
    (edit,) = read_edits([{key: value for key, value in values.items() if value is not ...}]).edits
    return edit


def test_everything_that_an_edit_can_say() -> None:
    edit = one(
        clip="dance.mp4", person=1, frames=" 12-14, 20", joint="wrist.L", offset=[0, 0.05, 0], turn=[0, 0, 90],
        stretch=1, strength=0, falloff=[2, 6.5],
    )  # fmt: skip
    assert (edit.clip, edit.person, edit.frames, edit.joint) == ("dance.mp4", 1, ((12, 15), (20, 21)), WRIST)
    assert (edit.offset, edit.to, edit.stretch, edit.strength, edit.falloff) == ((0, 0.05, 0), None, 1, 0, (2, 6.5))
    assert edit.turn == pytest.approx((math.sqrt(0.5), 0, 0, math.sqrt(0.5)))
    assert edit.place == "edits: edits[0]"


def test_what_is_not_said_is_left_as_it_is() -> None:
    edit = one()
    assert (edit.offset, edit.to, edit.turn, edit.stretch, edit.falloff) == (None,) * 5
    assert (edit.clip, edit.person) == (None, None)
    assert one(falloff=3).falloff == (3, 3)
    assert one(frames=7).frames == ((7, 8),)


def test_degrees_turn_about_x_then_y_then_z() -> None:
    turn = quaternions_to_matrices(one(turn=[90, 0, 90]).turn)
    assert np.allclose(turn @ [0, 1, 0], [0, 0, 1])
    assert np.allclose(turn @ [1, 0, 0], [0, 1, 0])
    assert np.allclose(quaternions_to_matrices(one(turn=[2, 0, 0, 0]).turn), np.eye(3))


def test_joints_by_both_names() -> None:
    names = ("left_wrist", "wrist.L"), ("pelvis", "pelvis"), ("right_foot", "foot.R")
    assert all(one(joint=a).joint == one(joint=b).joint == JOINTS.index(a) for a, b in names)


def test_frames_become_rows() -> None:
    frames = np.arange(30, 40)
    assert one(frames="31-33,39,32").rows(frames).tolist() == [1, 2, 3, 9]
    for text in ("29", "40", "38-41", "0-99999999999999999"):
        with pytest.raises(BadArgument, match=rf"edits\[0\]\.frames: {text} is outside") as refused:
            one(frames=text).rows(frames)
        assert "30 to 39" in refused.value.hint


def test_frames_that_the_person_was_not_seen_in_are_refused() -> None:
    with pytest.raises(BadArgument, match="2-4 is outside"):
        one(frames="2-4").rows(np.array([1, 2, 4, 5]))


@pytest.mark.parametrize(
    ("changes", "key", "message"),
    [
        ({"frames": ...}, "frames", "missing"),
        ({"joint": ...}, "joint", "missing"),
        ({"strength": ...}, "", "asks for nothing"),
        ({"frames": "4-2"}, "frames", "no frames"),
        ({"frames": ""}, "frames", "no frames"),
        ({"frames": -1}, "frames", "no frames"),
        ({"frames": True}, "frames", "no frames"),
        ({"frames": [1, 2]}, "frames", "no frames"),
        ({"joint": "left_writs"}, "joint", "Did you mean left_wrist"),
        ({"joint": 20}, "joint", "no joint"),
        ({"offset": [0, math.nan, 0]}, "offset", "not finite"),
        ({"offset": [0, 100, 0]}, "offset", "moved by 100 m"),
        ({"offset": [0, 10**400, 0]}, "offset", "not finite"),
        ({"offset": [0, 1]}, "offset", "3 numbers"),
        ({"offset": "0 1 2"}, "offset", "3 numbers"),
        ({"to": [0, 0, math.inf]}, "to", "not finite"),
        ({"to": [0, 0, 1], "offset": [0, 0, 1]}, "to", "offset is there too"),
        ({"turn": [0, 0, 0, 0]}, "turn", "its length is 0"),
        ({"turn": [1, 2]}, "turn", "3 or 4 numbers"),
        ({"turn": [1, 2, None]}, "turn", "None is no number"),
        ({"stretch": 1.5}, "stretch", "between 0 and 1"),
        ({"strength": True}, "strength", "no number"),
        ({"falloff": 0}, "falloff", "not between 0.1"),
        ({"falloff": [1, 2, 3]}, "falloff", "2 numbers"),
        ({"person": -1}, "person", "no index"),
        ({"person": "0"}, "person", "no index"),
        ({"clip": ""}, "clip", "no name"),
        ({"ofset": [0, 0, 1]}, "ofset", "no such key"),
    ],
)
def test_mistakes_are_named(changes: dict[str, Any], key: str, message: str) -> None:
    with pytest.raises(BadArgument) as refused:
        read_edits([LEAST, {name: value for name, value in {**LEAST, **changes}.items() if value is not ...}], "e.json")
    place = "e.json: edits[1]" + (f".{key}" if key else "")
    assert refused.value.message.startswith(f"{place}: ")
    assert message in refused.value.message + refused.value.hint


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("edits", "found str"),
        (None, "found NoneType"),
        ({"edit": []}, "'edit' is no key"),
        ({"edits": {}}, "found dict"),
        ({"cleanup": 3}, "cleanup: found 3"),
        ([3], r"edits\[0\]: found 3"),
    ],
)
def test_files_of_another_shape(values: object, message: str) -> None:
    with pytest.raises(BadArgument, match=message):
        read_edits(values)


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "schnitt ü.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"cleanup": {"floor": {"drift": 0}}, "edits": [LEAST]}).encode())
    found = load_edits(path)
    assert (found.name, found.cleanup, len(found.edits)) == (path.name, {"floor": {"drift": 0}}, 1)
    assert found.edits[0].place == "schnitt ü.json: edits[0]"
    assert read_edits([]) == EditList("edits", ())


@pytest.mark.parametrize("data", [b"{", b"\xff\xfe\x00", b"", b"[" * 100_000])
def test_a_file_that_is_no_json(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "e.json").write_bytes(data)
    with pytest.raises(BadArgument, match=r"e\.json is no JSON"):
        load_edits(tmp_path / "e.json")


def test_rows_of_numbers_are_no_edits_by_joint(tmp_path: Path) -> None:
    np.savez(tmp_path / "e.npz", rows=[7], offset=np.zeros((1, 24, 3)))
    for name in ("e.npz", "e.json"):  # whatever it is called
        (tmp_path / "e.npz").rename(tmp_path / name)
        with pytest.raises(BadArgument, match=r"is an \.npz: .* no keys") as caught:
            load_edits(tmp_path / name)
        (tmp_path / name).rename(tmp_path / "e.npz")
        assert "calibrate TAKE --person N --edits FILE" in caught.value.hint


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadArgument, match="No such file"):
        load_edits(tmp_path / "gone.json")
    with pytest.raises(BadArgument):
        load_edits(tmp_path)


DANCE, WALK = ("dance", "dance.mp4", "dance.take"), ("walk.v2", "walk.v2.mov", "walk.v2.take")


def test_edits_find_their_clips() -> None:
    edits = read_edits([{**LEAST, "clip": name} for name in ("dance", "dance.mp4", "a/DANCE.take", "walk.v2.mov")])
    assert (len(edits.of_clip(DANCE)), len(edits.of_clip(WALK)), len(edits.of_clip(("walk",)))) == (3, 1, 0)
    edits.require_clips([DANCE, WALK])
    with pytest.raises(BadArgument, match=r"edits\[3\]\.clip: no clip is called walk\.v2\.mov"):
        edits.require_clips([DANCE])
    read_edits([LEAST]).require_clips([DANCE])
    with pytest.raises(BadArgument, match="several clips"):
        read_edits([LEAST]).require_clips([DANCE, WALK])


def test_the_backend_refuses_what_the_file_s_reading_does() -> None:
    assert FARTHEST == LARGEST


def test_the_example_in_the_documentation_is_one() -> None:
    from pchmr.pchmr_blender.core import edit_list

    assert edit_list.__doc__ is not None
    example = edit_list.__doc__.split("\n\n")[1]
    found = read_edits(json.loads(example))
    assert {key for entry in json.loads(example)["edits"] for key in entry} == set(FIELDS)
    assert len(found.edits) == 3
