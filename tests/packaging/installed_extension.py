"""Run by a Python with the bpy wheel, in a profile of its own: installs the archive, disables and enables it.

    BLENDER_USER_RESOURCES=FOLDER python installed_extension.py ARCHIVE

Ends with status 0 after the words "all is well". Any other end is a failure, whatever the status.
"""

from __future__ import annotations

import os
import sys

import bpy

# isort: split
import addon_utils  # Blender's own, there as soon as bpy is

PACKAGE = "bl_ext.user_default.pchmr"


def violations() -> dict[str, list[str]]:
    """What Blender has against its extensions: changes of sys.path, modules outside their package."""
    addon_utils._extensions_warnings_get._is_first = True
    return dict(addon_utils._extensions_warnings_get())


def ours() -> list[str]:
    """Classes of ours that Blender knows."""
    return [name for name in dir(bpy.types) if name.startswith("PCHMR_")]


def check_enabled() -> None:
    """Everything is there, under its own name, and breaks no rule."""
    assert PACKAGE in bpy.context.preferences.addons
    assert bpy.context.preferences.addons[PACKAGE].preferences is not None
    assert "PCHMR_OT_reconstruct_clip" in ours()
    assert "PCHMR_PT_clip" in ours()
    assert bpy.context.scene.pchmr.clip == ""
    assert not bpy.ops.pchmr.reconstruct_clip.poll()
    assert not violations(), violations()
    assert not [name for name in sys.modules if name.partition(".")[0] in ("inference_backend", "pchmr_blender")]
    assert "torch" not in sys.modules


def main(archive: str) -> None:
    """Install, disable, enable, remove."""
    bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
    check_enabled()
    for _ in range(2):
        bpy.ops.preferences.addon_disable(module=PACKAGE)
        assert not ours()
        assert not hasattr(bpy.types.Scene, "pchmr")
        bpy.ops.preferences.addon_enable(module=PACKAGE)
        check_enabled()
    # Once more over itself, as an update does it.
    bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
    check_enabled()
    bpy.ops.extensions.package_uninstall(repo_index=_user_default(), pkg_id="pchmr")
    assert not ours()
    print("all is well", flush=True)


def _user_default() -> int:
    return bpy.context.preferences.extensions.repos.keys().index("User Default")


main(sys.argv[1])
sys.stderr.flush()
os._exit(0)  # with timers or modal operators registered, some versions hang at exit
