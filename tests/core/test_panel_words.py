"""The backend's sentences in the panel's words."""

from __future__ import annotations

import pytest

from inference_backend.camera import choose_intrinsics
from pchmr.inference_backend.errors import KINDS, BadArgument, TakeVersion
from pchmr.pchmr_blender.core.panel_words import in_panel_words
from pchmr.pchmr_blender.problems import HINTS, in_words, problem_of


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Replace the take (--overwrite).", "Replace the take."),
        ("camera.focal is 900.0, asked for is auto", "Focal Length is 900.0, asked for is auto"),
        ("clip.start is 0; clip.started", "First is 0; clip.started"),
        ("clip.end is None, asked for is 50", "Last is the clip's, asked for is 49"),
        ("clip.end is 50, asked for is None", "Last is 49, asked for is the clip's"),
        ("Choose a last frame (--start, --end, --step).", "Choose a last frame."),
        ("/a/my camera.focal.mp4 (copy) is no movie (--really)", "/a/my camera.focal.mp4 (copy) is no movie"),
        ("fit.smoothness is 1, asked for is 2", "fit.smoothness is 1, asked for is 2"),
        ("person 2 (of 3) at 1.5 m", "person 2 (of 3) at 1.5 m"),
    ],
)
def test_options_become_fields(said: str, shown: str) -> None:
    assert in_panel_words(said) == shown


def test_the_unknown_focal_length_names_no_option() -> None:
    (said,) = choose_intrinsics(1280, 720).warnings
    assert "(--focal)" in said
    assert in_panel_words(said).endswith("Give the focal length to set it.")


def test_problems_are_in_the_panels_words_wherever_they_stand() -> None:
    error = BadArgument("clip.start is 5 (--start)", hint="Choose another (--start, --end).")
    problem = problem_of(error)
    assert (problem.message, problem.hint) == ("First is 5", "Choose another.")
    assert in_words(error) == "First is 5. Choose another."
    assert str(error) != in_words(error)


def test_a_hint_of_the_command_line_becomes_the_panels_own() -> None:
    error = TakeVersion("of another version", hint="Run the same command again.")
    assert problem_of(error).hint == HINTS["TakeVersion"]
    assert in_words(error).endswith(HINTS["TakeVersion"])
    assert set(HINTS) <= set(KINDS)
