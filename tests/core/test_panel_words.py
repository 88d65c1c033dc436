"""The backend's sentences in the panel's words."""

from __future__ import annotations

import pytest

from inference_backend.camera import choose_intrinsics
from pchmr_blender.core.panel_words import in_panel_words


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Replace the take (--overwrite).", "Replace the take."),
        ("camera.focal is 900.0, asked for is auto", "Focal Length is 900.0, asked for is auto"),
        ("clip.start is 0; clip.started", "the first frame is 0; clip.started"),
        ("/a/my camera.focal.mp4 (copy) is no movie (--really)", "/a/my camera.focal.mp4 (copy) is no movie"),
        ("fit.smoothness is 1, asked for is 2", "fit.smoothness is 1, asked for is 2"),
        ("person 2 (of 3) at 1.5 m", "person 2 (of 3) at 1.5 m"),
    ],
)
def test_options_become_fields(said: str, shown: str) -> None:
    assert in_panel_words(said) == shown


def test_the_unknown_focal_length_names_no_option() -> None:
    (said,) = choose_intrinsics(1280, 720).warnings
    assert "camera.focal" in said
    assert in_panel_words(said).endswith("Give the focal length to set it.")
