"""Inside the window: the installed extension shows its tab, breaks no rule of Blender's, goes and comes again."""

from __future__ import annotations

import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import addon_utils  # noqa: E402
import bpy  # noqa: E402
import drive  # noqa: E402

PACKAGE = "bl_ext.user_default.pchmr"


def violations() -> dict[str, list[str]]:
    """What Blender has against its extensions: changes of sys.path, modules outside their package."""
    addon_utils._extensions_warnings_get._is_first = True
    return dict(addon_utils._extensions_warnings_get())


def test() -> drive.Steps:
    assert PACKAGE in bpy.context.preferences.addons
    yield from drive.open_tab("PC-HMR")
    drive.shot("tab")
    yield from drive.find_button("bpy.ops.pchmr.import_take(")
    assert not violations(), violations()
    for _ in range(2):
        bpy.ops.preferences.addon_disable(module=PACKAGE)
        assert not hasattr(bpy.types.Scene, "pchmr")
        yield 0.5
        bpy.ops.preferences.addon_enable(module=PACKAGE)
        assert bpy.context.scene.pchmr.clip == ""
        yield from drive.open_tab("PC-HMR")
    yield from drive.find_button("bpy.ops.pchmr.import_take(")
    assert not violations(), violations()
    drive.shot("tab_again")


drive.run(test)
