"""The live edit's wire: what is asked, what is answered, that the newest wins, and that nobody waits for long."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference_backend.edit_jobs import PreviewParams
from inference_backend.job_params import read_params
from inference_backend.targets.edits import Drag
from pchmr.inference_backend.errors import BackendDied, BadArgument
from pchmr.inference_backend.protocol import Request
from pchmr.inference_backend.skeletons import JOINTS, PARENTS
from pchmr.pchmr_blender.backend.calls import Call
from pchmr.pchmr_blender.core.edit_rows import EditRows
from pchmr.pchmr_blender.live.asking import Asking
from pchmr.pchmr_blender.live.request import (
    How,
    MeshFile,
    Question,
    Wish,
    answer_of,
    changed_joints,
    params_of,
    same_wishes,
)
from pchmr.pchmr_blender.live.stretches import stretched_bones

WRIST, ELBOW = JOINTS.index("left_wrist"), JOINTS.index("left_elbow")
VERTICES = 5


def question(row: int = 3, **values: Any) -> Question:
    return Question(Path("/takes/a take"), 1, row, {"floor": {"enabled": False}}, EditRows.none(1), **values)


def edited() -> EditRows:
    rows = EditRows.none(1)
    rows.offset[0, WRIST] = 0.1, 0.2, 0.3
    return rows


def result(rows: EditRows) -> dict[str, Any]:
    names = ("offset", "turn", "stretch", "strength")
    return {"edits": {name: getattr(rows, name)[0].tolist() for name in names}, "joints": [[0.0, 1.0, 2.0]] * 24}


class Client:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.ready: list[tuple[Call, Any]] = []

    def call(self, method: str, params: dict[str, Any], *, slot: str) -> Call:
        assert (method, slot) == ("preview", "preview")
        self.calls.append(Call(Request(len(self.calls) + 1, method, params), lambda _: None))
        return self.calls[-1]

    def answer(self, number: int, what: Any) -> None:
        """At the next pump."""
        self.ready.append((self.calls[number], what))

    def pump(self, seconds: float = 0.0) -> None:
        if not self.ready:
            time.sleep(seconds)
        for call, what in self.ready:
            call.end(error=what) if isinstance(what, Exception) else call.end(what)
        self.ready = []


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def asking(client: Client) -> Any:
    file = MeshFile(VERTICES)
    yield Asking(lambda: client, file)  # type: ignore[arg-type, return-value]
    file.close()
    assert not file.path.exists()


def test_the_backend_understands_what_is_asked() -> None:
    to, turn = np.array([0.5, 0.25, 1.0]), np.array([0.0, 1.0, 0.0, 0.0])
    how = How("free", False, True, (ELBOW, WRIST))
    asked = replace(question(wishes=(Wish(WRIST, to), Wish(ELBOW, turn=turn)), how=how), edits=edited())
    mesh = Path("mesh").absolute()  # no path is absolute on every system
    params = read_params(PreviewParams, params_of(asked, mesh, 1))
    assert (params.row, params.person, params.half, params.out) == (3, 1, 1, mesh)
    assert list(params.edits) == ["offset"]
    assert params.edits["offset"][WRIST] == [0.1, 0.2, 0.3]
    drags = [Drag(**{**one, "pins": tuple(one["pins"])}) for one in params.drags]
    assert [(one.joint, one.mode, one.children, one.mirror) for one in drags] == [
        (WRIST, "free", False, True),
        (ELBOW, "free", False, True),
    ]
    assert [one.pins for one in drags] == [(ELBOW,), (WRIST,)]  # who is dragged is not pinned
    assert np.array_equal(drags[0].to, to)
    assert drags[0].turn is None
    assert drags[1].to is None
    assert np.array_equal(drags[1].turn, turn)


def test_an_answer_has_the_edits_of_one_row() -> None:
    made = answer_of(question(), result(edited()), np.zeros((VERTICES, 3), np.float32))
    assert made.edits.offset.shape == (1, 24, 3)
    assert changed_joints(EditRows.none(1), made.edits) == [WRIST]
    assert made.joints.shape == (24, 3)


def test_wishes_are_the_same_by_what_they_ask() -> None:
    one = (Wish(WRIST, np.array([0.0, 0.0, 1.0])),)
    assert same_wishes(one, (Wish(WRIST, np.array([0.0, 0.0, 1.0])),))
    assert not same_wishes(one, (Wish(ELBOW, np.array([0.0, 0.0, 1.0])),))
    assert not same_wishes(one, (Wish(WRIST, np.array([0.0, 0.1, 1.0])),))
    assert not same_wishes(one, (Wish(WRIST, turn=np.array([1.0, 0, 0, 0])),))
    assert not same_wishes(one, ())


def test_one_is_under_way_and_the_newest_waits(asking: Asking, client: Client) -> None:
    for row in range(5):
        asking.ask(question(row))
    assert [call.request.params["row"] for call in client.calls] == [0]
    client.answer(0, result(edited()))
    asking.pump()
    assert [call.request.params["row"] for call in client.calls] == [0, 4]
    assert [call.request.params["half"] for call in client.calls] == [0, 1]
    answer = asking.take_answer()
    assert answer is not None
    assert answer.question.row == 0
    assert asking.take_answer() is None
    assert asking.pending


def test_a_wait_ends_with_the_answer_to_the_last_question(asking: Asking, client: Client) -> None:
    asking.ask(question(0))
    asking.ask(question(1))
    client.answer(0, result(edited()))
    before = client.call

    def call(*words: Any, **named: Any) -> Call:
        made = before(*words, **named)
        client.answer(1, result(edited()))
        return made

    client.call = call  # type: ignore[method-assign]
    asking.pump(60.0)
    assert not asking.pending
    answer = asking.take_answer()
    assert answer is not None
    assert answer.question.row == 1


def test_what_does_not_come_is_not_waited_for(asking: Asking, client: Client) -> None:
    asking.ask(question())
    asking.pump(0.01)
    assert asking.pending
    assert asking.take_answer() is None


def test_meshes_are_read_from_the_half_that_was_asked_for(asking: Asking, client: Client) -> None:
    for number in range(3):
        asking.ask(question(number))
        params = client.calls[number].request.params
        with Path(params["out"]).open("r+b") as file:
            file.seek(params["half"] * VERTICES * 12)
            file.write(np.full((VERTICES, 3), number + 1, np.float32).tobytes())
        client.answer(number, result(edited()))
        asking.pump()
        answer = asking.take_answer()
        assert answer is not None
        assert answer.vertices.tolist() == [[number + 1.0] * 3] * VERTICES


def test_forgotten_questions_have_no_answers(asking: Asking, client: Client) -> None:
    asking.ask(question(0))
    asking.ask(question(1))
    asking.forget()
    client.answer(0, result(edited()))
    asking.pump()
    assert asking.take_answer() is None
    assert not asking.pending
    assert len(client.calls) == 1
    asking.ask(question(2))
    client.answer(1, result(edited()))
    asking.pump()
    assert asking.take_answer() is not None


def test_an_error_is_told_once_and_the_next_is_asked(asking: Asking, client: Client) -> None:
    asking.ask(question(0))
    client.answer(0, BadArgument("too far", hint="Less."))
    asking.pump()
    error = asking.take_error()
    assert isinstance(error, BadArgument)
    assert asking.take_error() is None
    asking.ask(question(1))
    assert len(client.calls) == 2


def test_a_backend_that_died_is_not_asked_until_it_is_forgiven(asking: Asking, client: Client) -> None:
    asking.ask(question(0))
    asking.ask(question(1))
    client.answer(0, BackendDied("gone", hint="Try again."))
    asking.pump()
    asking.ask(question(2))
    assert len(client.calls) == 1
    assert not asking.pending
    asking.forgive()
    asking.ask(question(3))
    assert [call.request.params["row"] for call in client.calls] == [0, 3]


def test_stretched_bones_are_told_by_their_share() -> None:
    base = np.cumsum(np.full((24, 3), 0.1), 0)
    places, stretch = base.copy(), np.zeros(24)
    places[WRIST] += 0.5 * (base[WRIST] - base[PARENTS[WRIST]])
    assert stretched_bones(places, base, stretch) == []
    stretch[[WRIST, ELBOW]] = 1
    (found,) = stretched_bones(places, base, stretch)
    assert found.joint == WRIST
    assert found.share == pytest.approx(0.5)
