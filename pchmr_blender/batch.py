# SPDX-License-Identifier: GPL-3.0-or-later
"""Reconstruct clips without a window; `--help` after the `--` tells everything.

    blender -b --python pchmr_blender/batch.py -- CLIPS… --out DIR --export fbx,glb --preview
    python pchmr_blender/batch.py -- CLIPS… --out DIR             (a Python with Blender as the module bpy)

This file is a program: it finds the extension that it lies in, installed or a checkout, and runs its `headless`.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import bpy

# isort: split
import addon_utils  # Blender's own, there as soon as bpy is

ROOT = Path(__file__).resolve().parent.parent
CHECKOUT = "pchmr"
"""The root package's name where it is not installed."""


@contextmanager
def loaded() -> Iterator[str]:
    """Yields the name of the root package that this file lies in, registered with Blender meanwhile."""
    name = installed_name()
    # Another copy of the extension, enabled in the preferences, would have its properties on Blender's types.
    for other in list(bpy.context.preferences.addons.keys()):
        if other.rpartition(".")[2] == CHECKOUT and other != name:
            addon_utils.disable(other)
    root = checkout() if name is None else importlib.import_module(name)
    if hasattr(bpy.types.Collection, "pchmr"):  # enabled: Blender itself ends it
        yield root.__name__
        return
    root.register()
    try:
        yield root.__name__
    finally:
        # Blender as a module may crash or hang where classes and handlers are left at its end.
        root.unregister()


def installed_name() -> str | None:
    """The root package's name as an installed extension; None where it is a checkout."""
    for repository in bpy.context.preferences.extensions.repos:
        folder = Path(repository.directory)
        if folder.is_dir() and folder.samefile(ROOT.parent):
            return f"bl_ext.{repository.module}.{ROOT.name}"
    return None


def checkout() -> ModuleType:
    """The root package under a name that does not depend on its folder's."""
    spec = importlib.util.spec_from_file_location(
        CHECKOUT, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[CHECKOUT] = module
    spec.loader.exec_module(module)
    return module


def main() -> int:
    """Run the batch; its exit code."""
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    with loaded() as root:
        command = importlib.import_module(f"{root}.pchmr_blender.headless.command")
        code: int = command.main(words)
    return code


def leave(code: int) -> NoReturn:
    """End the program with an exit code."""
    if bpy.app.binary_path:
        sys.exit(code)
    # Blender as a module: some versions crash on their way out, after a render, and the exit code is lost.
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    shutil.rmtree(bpy.app.tempdir, ignore_errors=True)
    os._exit(code)


if __name__ == "__main__":
    leave(main())
