"""What tests inside Blender share: an empty file before each, and the extension registered where a test asks for it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from types import ModuleType

import pytest

HAS_BLENDER = importlib.util.find_spec("bpy") is not None

collect_ignore_glob = [] if HAS_BLENDER else ["test_*.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not HAS_BLENDER:
        terminalreporter.write_line(
            "tests/blender was left out: this Python has no bpy (tools/test_blender.py runs it)"
        )


@pytest.fixture(autouse=True)
def _empty_file() -> None:
    """Factory settings, no object, no add-on of ours."""
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)


@pytest.fixture
def extension(_empty_file: None) -> Iterator[ModuleType]:
    """The root package, registered as Blender does it, with its entry in the preferences."""
    import bpy

    import pchmr

    entry = bpy.context.preferences.addons.new()
    entry.module = "pchmr"
    pchmr.register()
    yield pchmr
    pchmr.unregister()
    left = bpy.context.preferences.addons.get("pchmr")  # a test may have loaded other preferences
    if left is not None:
        bpy.context.preferences.addons.remove(left)
