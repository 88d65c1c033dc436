"""What differs from Blender to Blender is asked in `scene/versions.py`, and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ADDON = Path(__file__).resolve().parents[2] / "pchmr_blender"
ONLY = ADDON / "scene" / "versions.py"
ASKS = re.compile(r"bpy\.app\.version\b|\bin [\w.]+\.bl_rna\b|hasattr\(bpy\.types\.\w+, ")
"""A version number, or whether Blender's description of its data has something."""
NOT_VERSIONS = {
    'hasattr(bpy.types.Scene, "cycles")',  # an add-on that may be switched off
    'hasattr(bpy.types.Collection, "pchmr")',  # our own
}


@pytest.mark.parametrize("file", sorted(ADDON.rglob("*.py")), ids=lambda file: str(file.relative_to(ADDON)))
def test_no_other_module_asks(file: Path) -> None:
    text = re.sub(r"for \w+ in ", "", file.read_text("utf-8"))  # to go through them is not to ask
    for known in NOT_VERSIONS:
        text = text.replace(known, "")
    assert (ASKS.search(text) is None) == (file != ONLY)
