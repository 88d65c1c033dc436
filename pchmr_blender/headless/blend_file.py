# SPDX-License-Identifier: GPL-3.0-or-later
"""One .blend after the other, in a Blender without a window."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import bpy

from ...inference_backend.errors import DiskFull, OutputNotWritable, TakeCorrupt, TakeNotFound

_FULL_BYTES: Final = 1 << 20


@contextmanager
def new_file(unfinished: Path) -> Iterator[None]:
    """An empty file, saved as `unfinished`, so that paths from its folder are relative. Afterwards none is open.

    `save` gives it its name: a batch that is stopped leaves no .blend that looks finished.
    """
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    try:
        save(unfinished)
        yield
    finally:
        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        unfinished.unlink(missing_ok=True)


@contextmanager
def opened_file(blend: Path) -> Iterator[None]:
    """A .blend that is there. Afterwards none is open; what was not saved is forgotten.

    Raises TakeNotFound where it is not there, TakeCorrupt where Blender cannot read it.
    """
    if not blend.is_file():
        hint = "Run the same command without --recalibrate first."
        raise TakeNotFound(f"{blend} is not there", hint=hint, path=str(blend))
    try:
        try:
            bpy.ops.wm.open_mainfile(filepath=str(blend), load_ui=True)
        except RuntimeError as error:
            hint = "Open it in Blender, or reconstruct the clip into another folder."
            raise TakeCorrupt(f"{blend} cannot be read", hint=hint, path=str(blend), output=str(error)) from error
        yield
    finally:
        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)


def save(blend: Path) -> None:
    """Save the open file. Raises OutputNotWritable, DiskFull."""
    try:
        bpy.ops.wm.save_as_mainfile(filepath=str(blend), check_existing=False)
    except RuntimeError as error:
        facts = {"path": str(blend), "output": str(error)}
        if shutil.disk_usage(blend.parent).free < _FULL_BYTES:
            hint = "Free some space and run the same command again."
            raise DiskFull(f"no space left to write {blend}", hint=hint, **facts) from error
        hint = "Choose another folder, or change its permissions."
        raise OutputNotWritable(f"{blend} cannot be written", hint=hint, **facts) from error


def look_through_camera() -> None:
    """Let whoever opens the file see the body on its footage."""
    for screen in bpy.data.screens:
        for area in screen.areas:
            if area.type == "VIEW_3D":
                area.spaces.active.region_3d.view_perspective = "CAMERA"
