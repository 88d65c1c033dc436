# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend's sentences in the panel's words: what the command line calls an option is a field or a button here."""

from __future__ import annotations

import re
from typing import Final

_OPTION: Final = re.compile(r" \((?:(?:--[a-z-]+|[a-z]+\.[a-z_]+)(?:, )?)+\)")
"""What the backend says to those who type: options or presets' keys, in parentheses behind the word for them."""

_END: Final = re.compile(r"(?<![\w.])clip\.end is (None|\d+), asked for is (None|\d+)")
"""The panel's last frame is the one before, and it has none where the clip is read to its end."""

_FIELDS: Final = {
    "camera.focal": "Focal Length",
    "clip.people": "People",
    "clip.start": "First",
    "clip.step": "the step between frames",
    "clip.fps": "the frame rate",
}
"""Names of settings that have a field here. A preset's other keys stay: its author knows them."""


def in_panel_words(text: str) -> str:
    """A message, hint or warning of the backend as the panel shows it; logs and batches keep the backend's words."""
    text = _OPTION.sub("", text)
    text = _END.sub(lambda found: f"Last is {_last(found[1])}, asked for is {_last(found[2])}", text)
    for key, field in _FIELDS.items():
        text = re.sub(rf"(?<![\w.]){re.escape(key)}(?![\w.])", field, text)
    return text


def _last(end: str) -> str:
    return "the clip's" if end == "None" else str(int(end) - 1)
