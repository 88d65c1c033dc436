"""Texts in panels: broken where they must be, as Blender's own font measures them; what asks and what mends."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import bpy

# isort: split
import blf  # there as soon as bpy is
import pytest

from pchmr.inference_backend.errors import BadArgument
from pchmr.pchmr_blender import installation
from pchmr.pchmr_blender.backend.environment import ModelFile
from pchmr.pchmr_blender.problems import Problem, problem_of
from pchmr.pchmr_blender.ui import preferences_panel, takes
from pchmr.pchmr_blender.ui.messages import wrapped
from pchmr.pchmr_blender.ui.repairs import repairs_for

from .test_registration import Layout

TEXTS = (
    "The backend, which does the work in a process of its own, is not set up yet.",
    "    Python 3.11: 30 MB, from somewhere far away, and this goes on and on",
    "iiiiiii lllllll MMMMMMM WWWWWWW " * 6,
    "Into /a/very/long/folder/that/has/no/space/in/its/whole/name/which/is/why/it/is/broken/anywhere",
    "größer 日本語 " * 8,
)


@pytest.mark.parametrize("room", [90.0, 180.0, 400.0])
@pytest.mark.parametrize("text", TEXTS)
def test_every_line_fits_and_no_letter_is_lost(text: str, room: float) -> None:
    lines = wrapped(text, room, 11.0)
    blf.size(0, 11.0)
    assert all(blf.dimensions(0, line)[0] <= room for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    indent = len(text) - len(text.lstrip())
    assert {len(line) - len(line.lstrip()) for line in lines} == {indent}
    assert all(line.strip() for line in lines)


def test_words_stay_whole_where_they_can() -> None:
    assert [word for line in wrapped(TEXTS[0], 120.0, 11.0) for word in line.split()] == TEXTS[0].split()


def test_gaps_and_line_ends() -> None:
    assert wrapped("3 of 12   1:15 left\n", 400.0, 11.0) == ("3 of 12   1:15 left",)
    assert wrapped("one\ntwo", 400.0, 11.0) == ("one two",)


def test_nothing_is_a_line_and_no_room_a_letter_a_line() -> None:
    assert wrapped("", 100.0, 11.0) == ("",)
    assert wrapped("abc", 0.1, 11.0) == ("a", "b", "c")


def model(name: str, state: str, source: str) -> ModelFile:
    return ModelFile(name, state, source, "a licence", "a purpose", "an origin", "/models/file", "what is wrong")


def models_drawn(**known: object) -> list[str]:
    installation.note(**known)
    layout = Layout()
    preferences_panel.draw_models(layout, 900)
    return list(layout.drawn)


def test_models_that_setup_gets_have_a_button_where_they_are_missing(extension: ModuleType) -> None:
    assert "pchmr.install_models" not in models_drawn(models=(model("one", "installed", "installed"),))
    for state in ("missing", "corrupt"):
        assert "pchmr.install_models" in models_drawn(models=(model("one", state, "installed"),))


@pytest.mark.parametrize("state", ["missing", "installed"])
def test_a_file_is_shown_with_its_licence_before_it_is_added(extension: ModuleType, state: str) -> None:
    shown = models_drawn(candidate=(Path("/my file.pkl"), model("smpl", state, "user-supplied")))
    text = "\n".join(shown)
    assert "my file.pkl is smpl" in text
    assert "a licence" in text
    assert ("/models/file" in text) == (state == "installed")
    assert {"pchmr.add_model", "pchmr.dismiss_model"} <= set(shown)


def test_what_may_not_go_online_has_the_button_that_allows_it(extension: ModuleType) -> None:
    (repair,) = repairs_for(Problem("NoNetwork", "", "", reason="online_access"))
    assert repair.operator == "extensions.userpref_allow_online"
    assert hasattr(bpy.ops.extensions, "userpref_allow_online")
    assert [one.operator for one in repairs_for(Problem("NoNetwork", "", "", reason="offline"))] == ["pchmr.plan_setup"]


def test_a_device_that_is_not_there_has_the_button_that_takes_another(extension: ModuleType) -> None:
    (repair,) = repairs_for(problem_of(BadArgument("no cuda", hint="another", reason="device")))
    assert repair.operator == "pchmr.use_cpu"
    assert repairs_for(problem_of(BadArgument("no", hint="another"))) == ()


@pytest.mark.parametrize(
    ("name", "listed"),
    [("street corner 3", "3  street corner"), ("street", "street"), ("7", "7"), ("street 3.001", "street 3.001")],
)
def test_the_narrow_list_of_people_begins_with_their_number(name: str, listed: str) -> None:
    assert takes.listed_name(name) == listed
