# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's collection as a file for other programs.

Nothing in the artist's scene changes: not the selection, the active object, the frame, or what is hidden. A file has
its name only when it is complete.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import bpy

from ...inference_backend import disk
from ...inference_backend.errors import BackendError, BadArgument, DiskFull, ExportRefused, Internal, SceneChanged
from ..core import pc2
from ..core.file_formats import ExportOptions, Format
from ..core.skeleton import BONE_NAMES
from .actions import curves_of, read_curve
from .body_forms import form_of
from .body_visibility import always_shown
from .export_bvh import write_skeleton_bvh
from .export_formats import available, refusal
from .export_points import write_abc, write_usd
from .export_skinned import write_fbx, write_glb
from .export_stage import key_range, stage
from .handles import find_part, part_of

__all__ = ["ExportOptions", "ExportRefused", "Format", "available", "export", "refusal", "require_cache"]

_FULL_BYTES: Final = 1 << 20
"""Free space below which a failure is put down to the disk: exporters do not say."""


def export(
    collection: bpy.types.Collection,
    path: Path,
    file_format: Format,
    options: ExportOptions,
    scene: bpy.types.Scene | None = None,
) -> None:
    """Write one person to a file, which replaces the one that is there.

    Args:
        collection: the person's.
        path: the file; its folder is made.
        file_format: of the file, whatever the path ends in.
        options: what is written.
        scene: the one whose rate and units hold; None: the context's.

    Raises:
        ExportRefused: the format cannot carry the body's form, or cannot be written here.
        BadArgument: no frames.
        SceneChanged: body, skeleton or bones are gone, or in edit mode.
        CacheCorrupt: the body's mesh cache is not there, or not whole.
        OutputNotWritable, DiskFull
        Internal: Blender's exporter failed.
    """
    scene, body = scene or bpy.context.scene, find_part(collection, "BODY")
    refused = refusal(file_format, form_of(body) if body else None, options.content)
    skeleton = part_of(collection, "SKELETON")
    objects = [skeleton] if file_format.has_bones() else []
    objects += [part_of(collection, "BODY")] if file_format.has_body(options.content) else []
    if refused is not None:
        raise refused
    for item in objects:
        _require_settled(item)
        require_cache(item)
    _require_bones(skeleton)
    frames = key_range(skeleton, scene) if options.frames is None else options.frames
    if frames[1] < frames[0]:
        hint = "Correct the frame range."
        raise BadArgument(f"the last frame, {frames[1]}, is before the first, {frames[0]}", hint=hint)
    with (
        _new_file(path, file_format) as new,
        stage(objects, scene, frames, collection.name) as staged,
        always_shown(objects),  # USD has no sample of a hidden frame, Alembic none and shifts the others
    ):
        match file_format:
            case Format.FBX:
                write_fbx(new)
            case Format.GLB:
                write_glb(new, staged)
            case Format.USD:
                write_usd(new)
            case Format.ABC:
                write_abc(new, staged)
            case Format.BVH:
                write_skeleton_bvh(new, staged, skeleton, options.bvh_unit)


def require_cache(item: bpy.types.Object) -> None:
    """Raise CacheCorrupt where a mesh cache's file is not what the object needs: Blender would show the rest pose."""
    for modifier in item.modifiers:
        if modifier.type == "MESH_CACHE":
            path = f"{modifier.path_from_id()}.eval_frame"
            rows = [read_curve(curve)[:, 1].max() for curve in curves_of(item) if curve.data_path == path]
            file = Path(bpy.path.abspath(modifier.filepath))
            pc2.verify(file, len(item.data.vertices), int(max(rows, default=0)) + 1)


def _require_settled(item: bpy.types.Object) -> None:
    """In edit mode the changes are not in the data yet; some exporters leave it, others fail."""
    if item.mode == "EDIT":
        raise SceneChanged(f"{item.name} is in Edit Mode", hint="Leave Edit Mode, and export again.")


def _require_bones(skeleton: bpy.types.Object) -> None:
    missing = [name for name in BONE_NAMES if name not in skeleton.data.bones]
    if missing:
        hint = "Give the bones their names again, or import the take again."
        raise SceneChanged(f"{skeleton.name} has no bone {missing[0]}", hint=hint, bones=missing)


@contextmanager
def _new_file(path: Path, file_format: Format) -> Iterator[Path]:
    """Yields where to write; afterwards the file takes its place. What failed leaves nothing behind."""
    with disk.writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".pchmr-", dir=path.parent))
    new = folder / f"{path.stem}.{file_format.value}"  # exporters add an ending that they miss
    try:
        try:
            yield new
        except RuntimeError as error:
            raise _failed(path, file_format, str(error)) from error
        if not new.is_file():
            raise _failed(path, file_format, "it wrote no file")
        with disk.writing(path):
            new.replace(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _failed(path: Path, file_format: Format, report: str) -> BackendError:
    """The error that tells what Blender's exporter said."""
    free = shutil.disk_usage(path.parent).free
    if free < _FULL_BYTES:
        hint = "Free some space and export again."
        return DiskFull(f"no space left to write {path}", hint=hint, path=str(path), free=free)
    return Internal(
        f"Blender's exporter of {file_format.label} failed: {report.strip().splitlines()[-1]}",
        hint="Report this with the log.",
        path=str(path),
        output=report,
    )
