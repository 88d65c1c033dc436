# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend's sentences in the panel's words: what the command line calls an option is a field or a button here."""

from __future__ import annotations

import re
from typing import Final

_OPTION: Final = re.compile(r" \((?:--[a-z-]+|[a-z]+\.[a-z_]+)\)")
"""What the backend says to those who type: an option or a preset's key, in parentheses behind the word for it."""

_FIELDS: Final = {
    "camera.focal": "Focal Length",
    "clip.people": "People",
    "clip.start": "the first frame",
    "clip.end": "the frame after the last",
    "clip.step": "the step between frames",
    "clip.fps": "the frame rate",
}
"""Names of settings that have a field here. A preset's other keys stay: its author knows them."""


def in_panel_words(text: str) -> str:
    """A message, hint or warning of the backend as the panel shows it; logs and reports keep the backend's words."""
    text = _OPTION.sub("", text)
    for key, field in _FIELDS.items():
        text = re.sub(rf"(?<![\w.]){re.escape(key)}(?![\w.])", field, text)
    return text
